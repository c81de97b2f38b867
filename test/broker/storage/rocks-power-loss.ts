// Loss of power under a real RocksDB. NotingFiles writes down how much of each write-ahead log (WAL) rocks-store has synced;
// `captureDisk` makes the folder that a loss of power at this moment would leave: every WAL as far as it was synced, perhaps some
// of what came after, and the other files as they are, because RocksDB syncs those itself before it relies on them.
import { deepEqual, equal, ok } from 'node:assert/strict'
import * as fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { nodeFiles, type File, type Files } from '../../../broker/storage/files.ts'
import { openRocksStore } from '../../../broker/storage/rocks-store.ts'
import type { Store, StoreBatch } from '../../../broker/storage/store.ts'

const isWal = (name: string): boolean => /^\d+\.log$/.test(name)

/** The machine's files; notes what was synced. */
export type NotingFiles = Files & {
  /** Bytes of each file, by its name, that a datasync has covered. */
  readonly syncedBytes: Map<string, number>
  /** Names that a sync of their folder has covered. */
  readonly syncedNames: Set<string>
  /** Called before and after each sync, with the power on. */
  onSync: () => void
}

export function notingFiles(): NotingFiles {
  const files: NotingFiles = {
    ...nodeFiles,
    syncedBytes: new Map(),
    syncedNames: new Set(),
    onSync: () => {},
    open: async (path, mode) => noting(await nodeFiles.open(path, mode), files),
    syncFolder: async path => {
      const names = fs.readdirSync(path)
      files.onSync()
      await nodeFiles.syncFolder(path)
      for (const name of names) files.syncedNames.add(name)
      files.onSync()
    },
  }
  return files
}

function noting(file: File, files: NotingFiles): File {
  return {
    path: file.path,
    write: (buffers, position) => file.write(buffers, position),
    read: (buffer, position) => file.read(buffer, position),
    truncate: sizeBytes => file.truncate(sizeBytes),
    sizeBytes: () => file.sizeBytes(),
    close: () => file.close(),
    datasync: async () => {
      // The file may have lost its name by now; then nobody will look for its bytes.
      const sizeBytes = fs.statSync(file.path, { throwIfNoEntry: false })?.size ?? 0
      files.onSync()
      await file.datasync()
      const name = basename(file.path)
      files.syncedBytes.set(name, Math.max(sizeBytes, files.syncedBytes.get(name) ?? 0))
      files.onSync()
    },
  }
}

/** Copies `folder` to `target` as a loss of power would leave it; with `chance`, unsynced bytes survive in part. */
export function captureDisk(folder: string, target: string, notes: NotingFiles, chance?: () => number): void {
  for (let attempt = 0; ; attempt++) {
    fs.rmSync(target, { recursive: true, force: true })
    fs.mkdirSync(target, { recursive: true })
    if (copyAtOneMoment(folder, target, notes, chance)) return
    ok(attempt < 1000, 'the folder keeps still for a moment')
  }
}

// RocksDB's threads go on meanwhile. Files appear, grow at their end and disappear; so a copy is of one moment when the manifest
// and the names are the same before and after.
function copyAtOneMoment(folder: string, target: string, notes: NotingFiles, chance?: () => number): boolean {
  const before = observe(folder)
  try {
    for (const name of fs.readdirSync(folder)) {
      const [from, to] = [join(folder, name), join(target, name)]
      if (isWal(name)) copyWal(from, to, notes, chance)
      else if (/\.(sst|blob)$/.test(name)) fs.linkSync(from, to)
      else if (name !== 'LOCK' && !name.startsWith('LOG')) fs.copyFileSync(from, to)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  return observe(folder) === before
}

function observe(folder: string): string {
  const names = fs.readdirSync(folder).filter(name => !name.startsWith('LOG'))
  const current = fs.readFileSync(join(folder, 'CURRENT'), 'utf8').trim()
  return `${names.sort().join()} ${fs.statSync(join(folder, current)).size}`
}

function copyWal(from: string, to: string, notes: NotingFiles, chance?: () => number): void {
  const name = basename(from)
  const isNameLost = !notes.syncedNames.has(name) && (chance === undefined || chance() < 0.5)
  if (isNameLost) return
  const bytes = fs.readFileSync(from)
  const syncedBytes = notes.syncedBytes.get(name) ?? 0
  ok(syncedBytes <= bytes.length)
  if (chance === undefined) {
    fs.writeFileSync(to, bytes.subarray(0, syncedBytes))
    return
  }
  // Nothing, everything, or a part of what was not synced. Nothing is the meanest: the end is then a clean one, and recovery cannot tell.
  const kind = chance()
  const part = kind < 0.35 ? 0 : kind < 0.7 ? 1 : chance()
  const kept = syncedBytes + Math.round(part * (bytes.length - syncedBytes))
  const left = Buffer.from(bytes.subarray(0, kept))
  // A page in the middle that did not make it, or one with what was on the disk before.
  if (kind > 0.85 && kept > syncedBytes) {
    const at = syncedBytes + Math.floor(chance() * (kept - syncedBytes))
    left.fill(chance() < 0.5 ? 0 : 0xa5, at, Math.min(kept, at + 4096))
  }
  fs.writeFileSync(to, left)
}

type Model = Map<string, string>
type Change = (batch: StoreBatch, model: Model) => void

/** A run of commits that knows what the store must hold after each of them. */
export class Workload {
  readonly #chance: () => number
  readonly #maxValueBytes: number
  readonly #changes: Change[] = []
  /** Commits up to here (exclusive) have been acknowledged with sync. */
  synced = 0

  constructor(chance: () => number, maxValueBytes: number) {
    this.#chance = chance
    this.#maxValueBytes = maxValueBytes
  }

  get committed(): number {
    return this.#changes.length
  }

  /** Commits once more; the promise settles with the commit. */
  async commit(store: Store, sync: boolean): Promise<void> {
    const number = this.#changes.length
    const batch = store.batch()
    const change = this.#randomChange(number)
    change(batch, new Map())
    this.#changes.push(change)
    await store.commit(batch, { sync })
    if (sync) this.synced = Math.max(this.synced, number + 1)
  }

  /** The store holds a whole prefix of the commits, and at least `atLeast` of them. Forgets the commits behind it. */
  async verify(store: Store, atLeast: number): Promise<number> {
    const everything = { gte: Buffer.alloc(0), lt: Buffer.of(0xff), limit: Infinity }
    const found = new Map((await store.scan(everything)).map(({ key, value }) => [String(key), String(value)]))
    const last = found.get('last')
    const count = last === undefined ? 0 : Number(last) + 1
    ok(count >= atLeast, `${count} commits survived, ${atLeast} were acknowledged`)
    const model: Model = new Map()
    const nothing: StoreBatch = { put() {}, delete() {}, deleteRange() {}, size: 0, sizeBytes: 0 }
    for (const change of this.#changes.slice(0, count)) change(nothing, model)
    deepEqual(summary(found), summary(model))
    return count
  }

  /** The commits behind the first `count` did not survive; the run goes on from there. */
  forgetAfter(count: number): void {
    this.#changes.length = count
    equal(this.synced <= count, true)
  }

  #randomChange(number: number): Change {
    const key = `data/${Math.floor(this.#chance() * 50)}`
    const value = String.fromCharCode(97 + (number % 26)).repeat(Math.floor(this.#chance() * this.#maxValueBytes))
    const kind = this.#chance()
    const start = Math.floor(this.#chance() * 10)
    return (batch, model) => {
      put(batch, model, 'last', String(number))
      put(batch, model, `commit/${String(number).padStart(8, '0')}`, '')
      if (kind < 0.8) put(batch, model, key, value)
      else if (kind < 0.9) {
        batch.delete(Buffer.from(key))
        model.delete(key)
      } else {
        batch.deleteRange(Buffer.from(`data/${start}`), Buffer.from(`data/${start + 1}`))
        for (const name of model.keys()) if (name >= `data/${start}` && name < `data/${start + 1}`) model.delete(name)
      }
    }
  }
}

function put(batch: StoreBatch, model: Model, key: string, value: string): void {
  batch.put(Buffer.from(key), Buffer.from(value))
  model.set(key, value)
}

// Short enough to read in a failure.
function summary(model: Model): string[] {
  return [...model].map(([key, value]) => `${key} ${value.length} ${value.slice(0, 8)}`).sort()
}

export type PowerLossOptions = {
  readonly folder: string
  readonly chance: () => number
  readonly commits: number
  /** One of so many moments is tried; while there are two WALs, one of four. */
  readonly every: number
  readonly writeBufferBytes: number
  readonly memtableBytes?: number
  /** The share of commits that ask for a sync. */
  readonly syncShare: number
  readonly maxValueBytes: number
  /** Whether bytes that were not synced may survive. */
  readonly keepsUnsynced: boolean
}

export type PowerLossCounts = { losses: number; wals: number }

/** Runs a workload, and at many moments looks at what a loss of power would leave. Returns how many moments, and how many WALs there were. */
export async function losePowerAtManyMoments(options: PowerLossOptions): Promise<PowerLossCounts> {
  const { folder, chance, commits, every, syncShare, writeBufferBytes, memtableBytes } = options
  const path = join(folder, 'store')
  const notes = notingFiles()
  const store = await openRocksStore(path, {
    files: notes,
    writeBufferBytes,
    ...(memtableBytes === undefined ? {} : { memtableBytes }),
  })
  const workload = new Workload(chance, options.maxValueBytes)
  const captures: { path: string; synced: number }[] = []
  const capture = (): void => {
    if (options.keepsUnsynced) assertOlderLogsAreWhole(path, notes)
    const isSwitching = fs.readdirSync(path).filter(isWal).length > 1
    if (chance() * (isSwitching ? 4 : every) >= 1) return
    const target = join(folder, `loss-${captures.length}`)
    captures.push({ path: target, synced: workload.synced })
    captureDisk(path, target, notes, !options.keepsUnsynced || chance() < 0.3 ? undefined : chance)
  }
  notes.onSync = capture
  let inFlight: Promise<void>[] = []
  while (workload.committed < commits) {
    inFlight.push(workload.commit(store, chance() < syncShare))
    capture()
    if (chance() < 0.6) {
      await Promise.all(inFlight)
      inFlight = []
      capture()
    }
  }
  await Promise.all(inFlight)
  notes.onSync = () => {}
  await store.close()
  for (const { path: left, synced } of captures) await recover(left, workload, synced)
  return { losses: captures.length, wals: [...notes.syncedBytes.keys()].filter(isWal).length }
}

// Recovery does not notice when the end of an older WAL is missing, cleanly cut, and a newer one is there. So that must not be possible.
function assertOlderLogsAreWhole(path: string, notes: NotingFiles): void {
  const sizeOf = (name: string): number => fs.statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0
  const wals = fs.readdirSync(path).filter(isWal).sort()
  const newest = wals.pop()
  if (newest === undefined || sizeOf(newest) === 0) return
  for (const name of wals)
    ok(sizeOf(name) <= (notes.syncedBytes.get(name) ?? 0), `${name} is not whole, and ${newest} has commits`)
}

// What survived is a prefix; and it survives the next two starts as well.
async function recover(path: string, workload: Workload, synced: number): Promise<void> {
  const store = await openRocksStore(path)
  const count = await workload.verify(store, synced)
  const batch = store.batch()
  batch.put(Buffer.from('\xfe', 'latin1'), Buffer.alloc(0))
  batch.delete(Buffer.from('\xfe', 'latin1'))
  await store.commit(batch, { sync: true })
  await store.close()
  const again = await openRocksStore(path)
  equal(await workload.verify(again, count), count)
  await again.close()
  fs.rmSync(path, { recursive: true })
  fs.rmSync(join(dirname(path), `${basename(path)}.tmp`), { force: true })
}
