// Decides which log is worked on by sealing.ts, and when: one whose segment has ended, one with enough batches to move, and, when
// staging files take too much room, all that keep the oldest of them. Two logs at a time; a log is never queued twice.
import type { Member } from './commit-group.ts'
import type { LogCore } from './log-core.ts'
import type { LogParts } from './log-parts.ts'
import { inlineTail, moveTail, sealNext } from './sealing.ts'
import { StorageError } from './storage-error.ts'

const WORKERS = 2
/** A log with fewer bytes than this in staging files gets them inline: too few for a file of their own. */
const MIN_FILE_BYTES = 64 * 1024

export class Sealer {
  readonly #parts: LogParts
  readonly #logs: () => Iterable<LogCore>
  // In the order they came; those below must let go of staging files.
  readonly #queue = new Set<LogCore>()
  readonly #leaving = new Set<LogCore>()
  readonly #running = new Set<Promise<void>>()
  #isRelieving = false
  #isClosed = false

  constructor(parts: LogParts, logs: () => Iterable<LogCore>) {
    this.#parts = parts
    this.#logs = logs
  }

  /** A group commit moved these logs. */
  onCommitted(members: readonly Member[]): void {
    if (this.#isClosed) return
    for (const { core } of members) if (this.#hasWork(core)) this.#add(core)
    const { staging, limits } = this.#parts
    if (!this.#isRelieving && staging.sizeBytes > limits.stagingBytes) void this.#relieve(limits.stagingBytes)
  }

  /** The disk has little room left: empties and removes all staging files but the one that is written. */
  makeRoom(): void {
    if (!this.#isClosed && !this.#isRelieving) void this.#relieve(0)
  }

  /** Queues the log if something is to be done about it. */
  consider(core: LogCore): void {
    if (!this.#isClosed && this.#hasWork(core)) this.#add(core)
  }

  /** Resolves when no work is queued or under way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  /** Takes no more work; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#queue.clear()
    await this.idle()
  }

  #hasWork(core: LogCore): boolean {
    if (core.isRemoved || core.error !== null) return false
    return hasEndedSegment(core) || core.tailBytes >= this.#parts.limits.moveBytes
  }

  #add(core: LogCore): void {
    this.#queue.add(core)
    if (this.#running.size < WORKERS) this.#startWorker()
  }

  #startWorker(): void {
    const work: Promise<void> = this.#work().finally(() => {
      this.#running.delete(work)
      // Something may have come between this worker's last look and now.
      if (this.#queue.size > 0 && this.#parts.writer.failure === null) this.#startWorker()
    })
    this.#running.add(work)
  }

  async #work(): Promise<void> {
    for (const core of this.#queue) {
      this.#queue.delete(core)
      try {
        await core.exclusive(() => this.#workOn(core))
      } catch (cause) {
        // The files or the store failed under us: whatever is on the disk, recovery sorts it out.
        this.#parts.writer.fail(
          cause instanceof StorageError ? cause : new StorageError(`sealing ${core.name} failed`, { cause }),
        )
        return
      }
    }
  }

  async #workOn(core: LogCore): Promise<void> {
    while (this.#parts.writer.failure === null && !core.isRemoved && core.error === null) {
      if (hasEndedSegment(core)) await sealNext(core, this.#parts)
      else if (core.tailBytes >= this.#parts.limits.moveBytes) {
        if (!(await moveTail(core, this.#parts))) return
      } else if (this.#leaving.delete(core)) await this.#leaveStaging(core)
      else return
    }
    this.#leaving.delete(core)
  }

  async #leaveStaging(core: LogCore): Promise<void> {
    if (core.staged.length === 0) return
    if (core.tailBytes < MIN_FILE_BYTES) await inlineTail(core, this.#parts)
    else await moveTail(core, this.#parts)
  }

  // Empties the oldest staging files until the rest fits.
  async #relieve(limitBytes: number): Promise<void> {
    this.#isRelieving = true
    try {
      const { staging } = this.#parts
      while (!this.#isClosed && staging.sizeBytes > limitBytes) {
        const oldest = staging.oldestFileId
        if (oldest === 0) return
        for (const core of this.#logs()) {
          const first = core.staged[0]
          if (first === undefined || first.fileId > oldest || core.error !== null) continue
          this.#leaving.add(core)
          this.#add(core)
        }
        await this.idle()
        if (!(await this.removeUnused())) return
      }
    } finally {
      this.#isRelieving = false
    }
  }

  /** Removes staging files that no extent points into. Resolves with whether there were any. Rejects with StorageError. */
  async removeUnused(): Promise<boolean> {
    const { staging, writer } = this.#parts
    let needed = Infinity
    for (const core of this.#logs()) {
      const first = core.staged[0]
      if (first !== undefined && first.fileId < needed) needed = first.fileId
    }
    try {
      return (await staging.removeBefore(needed)) > 0
    } catch (cause) {
      writer.fail(
        cause instanceof StorageError ? cause : new StorageError('staging files cannot be removed', { cause }),
      )
      return false
    }
  }
}

function hasEndedSegment(core: LogCore): boolean {
  const roll = core.rolls[0]
  return roll !== undefined && roll.offset <= core.committedOffset
}
