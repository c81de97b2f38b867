// Group commit for all logs of a data directory. While one group is being committed, appends of all partitions collect; then they go
// together: the batches to their files, one store batch with everything that registers them, one sync of each. Everybody who waits
// for the same thing shares one promise.
//
//   1. the group is filled, synchronously (commit-group.ts); background work adds its changes to the same store batch
//   2. at the same time: write files, commit the store batch. Then those are answered who need no sync.
//   3. if somebody waits for the disk: fdatasync the files that were written for them, and the store, at the same time
//   4. offsets move, waiters are answered, listeners called
//
// Files and store may reach the disk in any order: an extent whose bytes are missing after a crash is found by its checksums, because
// the store also says up to which group everything was synced (recovery.ts). The progress record of a group names the last
// group whose step 3 had ended.
//
// Appends wait in a queue of at most `queuedBytes`; beyond that they are refused. The server lets fewer bytes of requests in, so
// this bound protects against mistakes, not against load.
import { CommitGroup, type ActiveWrite, type GroupParts, type Member } from './commit-group.ts'
import type { FilePool } from './file-pool.ts'
import type { Files } from './files.ts'
import { PROGRESS_KEY } from './keys.ts'
import type { ActiveFile, LogCore } from './log-core.ts'
import { encodeProgress, type Progress } from './log-state.ts'
import { StorageError } from './storage-error.ts'
import type { Store, StoreBatch } from './store.ts'
import type { TailBatch, TailCache } from './tail-cache.ts'

/** A change to the store that background work makes in the next group. */
export type Change = {
  /** Resolves only when the change is on the disk. */
  readonly isSynced: boolean
  /** Filled before the appends of its group, not after them: what is removed may be made anew at once. */
  readonly comesFirst?: boolean
  /** Called while the group is filled, after all appends so far. Returns false to change nothing. */
  fill(batch: StoreBatch): boolean
  /** Called when the group is committed (and synced, if asked for), before anything else happens. */
  done(): unknown
}

type QueuedChange = {
  readonly change: Change
  readonly resolve: (done: boolean) => void
  readonly reject: (error: Error) => void
}

export type WriterParts = GroupParts & {
  readonly store: Store
  readonly files: Files
  readonly pool: FilePool
  readonly cache: TailCache
  readonly queuedBytes: number
  /** The disk failed: the directory goes offline. */
  onFailure(error: StorageError): void
  /** A group has moved these logs; sealing looks whether there is work. */
  onCommitted(members: readonly Member[]): void
}

export class LogWriter {
  readonly #parts: WriterParts
  #group: number
  #syncedGroup: number
  #queue: LogCore[] = []
  #changes: QueuedChange[] = []
  #queuedBytes = 0
  #appendedBytes = 0
  #isRunning = false
  #failure: StorageError | null = null
  // What the appends of the next group wait for.
  #synced: Waiters | null = null
  #committed: Waiters | null = null
  #running: Promise<void> = Promise.resolve()
  #writing: Promise<void> = Promise.resolve()

  constructor(parts: WriterParts, progress: Progress) {
    this.#parts = parts
    this.#group = progress.group
    this.#syncedGroup = progress.syncedGroup
  }

  /** Why nothing can be appended, or null. */
  get failure(): StorageError | null {
    return this.#failure
  }

  /** Bytes appended and not committed. */
  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Bytes appended since the start. */
  get appendedBytes(): number {
    return this.#appendedBytes
  }

  hasRoomFor(sizeBytes: number): boolean {
    return this.#queuedBytes === 0 || this.#queuedBytes + sizeBytes <= this.#parts.queuedBytes
  }

  /** `core` has taken `batch`: commits it with the next group. Resolves when it is stored as the log's flush policy asks. */
  append(core: LogCore, batch: TailBatch): Promise<void> {
    this.#queuedBytes += batch.bytes.length
    this.#appendedBytes += batch.bytes.length
    this.enqueue(core)
    if (core.isDue) return (this.#synced ??= new Waiters()).promise
    return (this.#committed ??= new Waiters()).promise
  }

  /** The next group looks at this log. */
  enqueue(core: LogCore): void {
    if (!core.isQueued) {
      core.isQueued = true
      this.#queue.push(core)
    }
    this.#start()
  }

  /** Resolves when everything appended to the log so far is on the disk. */
  flush(core: LogCore): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    core.isDue = true
    this.enqueue(core)
    return (this.#synced ??= new Waiters()).promise
  }

  /** Makes a change with the next group; resolves with what `fill` said. Rejects with StorageError. */
  change(change: Change): Promise<boolean> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    return new Promise((resolve, reject) => {
      this.#changes.push({ change, resolve, reject })
      this.#start()
    })
  }

  /** Resolves when nothing is queued or in flight. */
  async idle(): Promise<void> {
    while (this.#isRunning) await this.#running
  }

  /** Resolves when the group that is being committed, if there is one, has ended and its changes show. Never rejects. */
  groupEnd(): Promise<void> {
    return this.#writing.catch(() => {})
  }

  /** Nothing can be written any more: the disk failed. Whoever waits is rejected. */
  fail(error: StorageError): void {
    if (this.#failure !== null) return
    this.close(error)
    this.#parts.onFailure(error)
  }

  /** Refuses everything from here on with `reason`. */
  close(reason: StorageError): void {
    if (this.#failure !== null) return
    this.#failure = reason
    this.#synced?.reject(reason)
    this.#committed?.reject(reason)
    for (const { reject } of this.#changes) reject(reason)
    this.#queue = []
    this.#changes = []
  }

  #start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    // After the caller and everything else that is ready in this turn, so that all partitions of a request share a group.
    this.#running = Promise.resolve().then(() => this.#run())
  }

  async #run(): Promise<void> {
    while (this.#failure === null && (this.#queue.length > 0 || this.#changes.length > 0)) {
      const synced = this.#synced
      const committed = this.#committed
      this.#synced = null
      this.#committed = null
      const { group, changes } = this.#fill()
      this.#writing = this.#write(group, committed)
      try {
        await this.#writing
      } catch (cause) {
        const error = cause instanceof StorageError ? cause : new StorageError(String(cause), { cause })
        synced?.reject(error)
        committed?.reject(error)
        for (const { reject } of changes) reject(error)
        this.fail(error)
        break
      }
      this.#finish(group, changes)
      synced?.resolve()
      committed?.resolve()
    }
    this.#isRunning = false
  }

  #fill(): { group: CommitGroup; changes: QueuedChange[] } {
    const { store } = this.#parts
    const group = new CommitGroup(++this.#group, store.batch(), this.#parts)
    const queue = this.#queue
    const changes = this.#changes
    this.#queue = []
    this.#changes = []
    const made: QueuedChange[] = []
    for (const queued of changes) if (queued.change.comesFirst === true) fillChange(queued, group, made)
    group.take(queue)
    for (const queued of changes) if (queued.change.comesFirst !== true) fillChange(queued, group, made)
    group.batch.put(PROGRESS_KEY, encodeProgress({ group: this.#group, syncedGroup: this.#syncedGroup }))
    return { group, changes: made }
  }

  async #write(group: CommitGroup, committed: Waiters | null): Promise<void> {
    const { store, staging } = this.#parts
    // The store is about to say that records of earlier groups, which were answered, are somewhere else: there they must be first,
    // because what is not found after a crash is cut.
    if (group.moves) {
      const waits: Promise<void>[] = []
      this.#startFiles(group, waits, group.isSynced)
      await all(waits)
      await store.commit(group.batch, { sync: group.isSynced })
      return
    }
    // Nobody waits for less than the disk: the syncs need not wait for each other's writes.
    if (group.isSynced && !group.hasUnsynced) {
      const waits: Promise<void>[] = [store.commit(group.batch, { sync: true })]
      this.#startFiles(group, waits, true)
      await all(waits)
      return
    }
    const waits: Promise<void>[] = [store.commit(group.batch, { sync: false })]
    this.#startFiles(group, waits, false)
    await all(waits)
    if (!group.isSynced) return
    this.#finishUnsynced(group)
    committed?.resolve()
    const syncs: Promise<void>[] = [store.sync()]
    if (group.syncsStaging) syncs.push(staging.sync())
    for (const write of group.activeWrites) if (write.isSynced) syncs.push(this.#syncActive(write.active))
    for (const active of group.activeSyncs) syncs.push(this.#syncActive(active))
    await all(syncs)
  }

  #startFiles(group: CommitGroup, waits: Promise<void>[], isSynced: boolean): void {
    const { staging } = this.#parts
    if (group.room !== null) waits.push(this.#writeStaged(group, isSynced && group.syncsStaging))
    else if (isSynced && group.syncsStaging) waits.push(staging.sync())
    for (const write of group.activeWrites) waits.push(this.#writeActive(write, isSynced && write.isSynced))
    if (isSynced) for (const active of group.activeSyncs) waits.push(this.#syncActive(active))
  }

  async #writeStaged(group: CommitGroup, isSynced: boolean): Promise<void> {
    await this.#parts.staging.write(group.room!, group.stagedBuffers)
    if (isSynced) await this.#parts.staging.sync()
  }

  async #writeActive(write: ActiveWrite, isSynced: boolean): Promise<void> {
    const { pool, files, segmentsFolder } = this.#parts
    const { active } = write
    await pool.use(active.path, write.isNew ? 'create' : 'write', async file => {
      await file.write(write.buffers, write.position)
      if (isSynced) await file.datasync()
    })
    if (isSynced && !active.isNameSynced) {
      await files.syncFolder(segmentsFolder)
      active.isNameSynced = true
    }
  }

  async #syncActive(active: ActiveFile): Promise<void> {
    const { pool, files, segmentsFolder } = this.#parts
    active.hasUnsynced = false
    await pool.use(active.path, 'write', file => file.datasync())
    if (active.isNameSynced) return
    await files.syncFolder(segmentsFolder)
    active.isNameSynced = true
  }

  // The logs that wait for no sync are answered while the others still do.
  #finishUnsynced(group: CommitGroup): void {
    for (const member of group.members) if (!member.isSynced) this.#advance(member)
    for (const { core } of group.members) core.notifyIfMoved()
  }

  #finish(group: CommitGroup, changes: readonly QueuedChange[]): void {
    const { cache, onCommitted } = this.#parts
    this.#queuedBytes -= group.sizeBytes
    if (group.isSynced) this.#syncedGroup = group.id
    for (const member of group.members) {
      if (member.reshapes) {
        // Not earlier: until this commit the store says that records are in the staging files, and nobody may remove those.
        member.core.staged = []
        member.core.reshaping--
        member.core.shapeVersion++
      }
      this.#advance(member)
    }
    for (const { change, resolve } of changes) {
      change.done()
      resolve(true)
    }
    for (const { core } of group.members) core.notifyIfMoved()
    cache.shrink()
    onCommitted(group.members)
  }

  #advance({ core, endOffset, isSynced }: Member): void {
    if (endOffset > core.committedOffset) {
      core.committedOffset = endOffset
      core.tail.committedOffset = endOffset
    }
    if (isSynced) {
      core.syncedOffset = Math.max(core.syncedOffset, endOffset)
      core.hasUnsyncedStaged = false
    }
    core.flushedOffset = Math.max(core.flushedOffset, endOffset)
  }
}

function fillChange(queued: QueuedChange, group: CommitGroup, made: QueuedChange[]): void {
  if (!queued.change.fill(group.batch)) {
    queued.resolve(false)
    return
  }
  made.push(queued)
  if (queued.change.isSynced) group.isSynced = true
}

// Everybody who waits for the same thing.
class Waiters {
  readonly promise: Promise<void>
  resolve!: () => void
  reject!: (error: Error) => void

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
    // Not everybody looks (acks=0); those who do see the rejection all the same.
    this.promise.catch(() => {})
  }
}

// Waits until all have ended, also when one fails: after a failure nothing of this group is under way.
async function all(waits: readonly Promise<void>[]): Promise<void> {
  if (waits.length === 1) return waits[0]
  const outcomes = await Promise.allSettled(waits)
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}
