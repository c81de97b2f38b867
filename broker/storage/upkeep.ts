// What happens to the logs of a data directory by the clock: settling (logs that got nothing for a while are written down as clean,
// so that a crash leaves nothing to check), background flushes of logs with a relaxed flush policy, retention, expiry of producers,
// and a look at the free room of the disk. Each run does a bounded piece; the rest waits for the next.
import type { Timer } from '../base/clock.ts'
import type { LogCore } from './log-core.ts'
import type { LogParts } from './log-parts.ts'
import { putClean } from './recovery.ts'
import { applyRetention } from './retention.ts'
import { StorageError } from './storage-error.ts'

const TICK_MS = 500
const SETTLED_PER_COMMIT = 500
/** A relaxed log is flushed after this time even when its flush.ms says later: it bounds what a crash leaves to check. One that is idle is flushed when it settles. */
const MAX_UNSYNCED_MS = 60_000
const RETAINED_AT_ONCE = 64

export type UpkeepHooks = {
  readonly logs: () => Iterable<LogCore>
  /** Looks at the disk's free room, removes files whose time has come. */
  readonly housekeep: () => Promise<void>
}

export class Upkeep {
  readonly #parts: LogParts
  readonly #hooks: UpkeepHooks
  #timer: Timer | null = null
  #running: Promise<void> = Promise.resolve()
  #nextRetentionMs: number
  #nextExpiryMs: number
  #isClosed = false

  constructor(parts: LogParts, hooks: UpkeepHooks) {
    this.#parts = parts
    this.#hooks = hooks
    this.#nextRetentionMs = parts.clock.monotonic() + parts.limits.retentionCheckIntervalMs
    this.#nextExpiryMs = parts.clock.monotonic() + parts.limits.producerIdExpirationCheckIntervalMs
    this.#schedule()
  }

  /** Resolves when the run under way, if any, has ended. No other will start. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    await this.#running
  }

  #schedule(): void {
    if (this.#isClosed) return
    this.#timer = this.#parts.clock.after(TICK_MS, () => {
      this.#running = this.#run().finally(() => this.#schedule())
    })
  }

  async #run(): Promise<void> {
    const { clock, limits, writer } = this.#parts
    if (writer.failure !== null) return
    try {
      await this.#hooks.housekeep()
      await this.#flushRelaxed()
      await settle(this.#hooks.logs(), this.#parts, limits.settleMs)
      this.#expireProducers()
      if (clock.monotonic() < this.#nextRetentionMs) return
      this.#nextRetentionMs = clock.monotonic() + limits.retentionCheckIntervalMs
      await this.runRetention()
    } catch (cause) {
      writer.fail(cause instanceof StorageError ? cause : new StorageError('the upkeep of the logs failed', { cause }))
    }
  }

  #expireProducers(): void {
    const { clock, limits } = this.#parts
    if (clock.monotonic() < this.#nextExpiryMs) return
    this.#nextExpiryMs = clock.monotonic() + limits.producerIdExpirationCheckIntervalMs
    for (const core of this.#hooks.logs()) core.producers.expire(clock.now(), limits.producerIdExpirationMs)
  }

  async #flushRelaxed(): Promise<void> {
    const nowMs = this.#parts.clock.now()
    const due: LogCore[] = []
    for (const core of this.#hooks.logs()) if (isFlushDue(core, nowMs)) due.push(core)
    await flushBeside(due, this.#parts)
  }

  /** Applies the retention of every log, of some of them at a time: their commits share groups, and appends get their turn between. */
  async runRetention(): Promise<void> {
    const logs = [...this.#hooks.logs()]
    for (let start = 0; start < logs.length; start += RETAINED_AT_ONCE) {
      if (this.#isClosed || this.#parts.writer.failure !== null) return
      await Promise.all(logs.slice(start, start + RETAINED_AT_ONCE).map(core => this.#retain(core)))
    }
  }

  async #retain(core: LogCore): Promise<void> {
    const { log } = this.#parts
    if (core.isRemoved || core.error !== null) return
    const bytes = await core.exclusive(() => (core.isRemoved ? Promise.resolve(0) : applyRetention(core, this.#parts)))
    if (bytes > 0) log.info({ partition: core.name, bytes, logStartOffset: core.logStartOffset }, 'records deleted')
  }
}

// Most of the work first, beside the appends; the commit that makes it count then finds little left to sync.
async function flushBeside(cores: readonly LogCore[], { pool, staging, writer }: LogParts): Promise<void> {
  if (cores.length === 0) return
  await staging.sync()
  for (const core of cores) {
    const { active } = core
    if (active?.hasUnsynced !== true) continue
    try {
      await pool.use(active.path, 'write', file => file.datasync())
    } catch (error) {
      // Sealed, cut or removed meanwhile, and perhaps gone.
      if (core.active === active && !core.isRemoved) throw error
    }
  }
  await Promise.all(cores.map(core => writer.flush(core)))
}

function isFlushDue(core: LogCore, nowMs: number): boolean {
  if (core.syncedOffset >= core.committedOffset || core.isQueued || core.isRemoved || core.error !== null) return false
  const { flushMs } = core.config
  return nowMs - core.firstUnsyncedMs >= (flushMs >= 0 ? Math.min(flushMs, MAX_UNSYNCED_MS) : MAX_UNSYNCED_MS)
}

/** Writes logs down as clean that got nothing for `idleMs`. A relaxed log that is idle is flushed first. */
export async function settle(logs: Iterable<LogCore>, parts: LogParts, idleMs: number): Promise<void> {
  const nowMs = parts.clock.now()
  const idle: LogCore[] = []
  const unsynced: LogCore[] = []
  for (const core of logs) {
    if (core.isStoredClean || core.isRemoved || core.error !== null || nowMs - core.lastAppendMs < idleMs) continue
    idle.push(core)
    if (core.syncedOffset < core.endOffset) unsynced.push(core)
  }
  await flushBeside(unsynced, parts)
  for (let start = 0; start < idle.length; start += SETTLED_PER_COMMIT) {
    const some = idle.slice(start, start + SETTLED_PER_COMMIT)
    await parts.writer.change({
      // If power is lost before it is on the disk, recovery has a little more to look at.
      isSynced: false,
      fill(batch) {
        let settled = false
        for (const core of some) {
          if (!canSettle(core)) continue
          putClean(core, batch)
          settled = true
        }
        return settled
      },
      done() {},
    })
  }
}

function canSettle(core: LogCore): boolean {
  if (core.isRemoved || core.isStoredClean || core.error !== null) return false
  if (core.isMoving || core.isTruncating || core.reshaping > 0 || core.rolls.length > 0) return false
  // At the time of this commit: nothing in flight, everything synced.
  return core.committedOffset === core.endOffset && core.syncedOffset === core.endOffset
}
