// A file system in memory that loses power (power.ts). After `crash` it has the bytes that were datasync'ed and the names whose
// folder was synced, and of the rest nothing or, given chance (seededNumbers), a part: of the bytes any pages, of the names of each folder
// the first changes. That is as hostile as POSIX allows, and more than most file systems are.
//
// A write takes effect when it resolves, and a datasync covers what had effect when it was called: code that does not wait for
// its writes before it syncs loses them here.
import { basename, dirname, join } from 'node:path'
import type { File, Files, FileStat, OpenMode, Space } from '../../../broker/storage/files.ts'
import { StorageError } from '../../../broker/storage/storage-error.ts'
import { Power, PowerLoss } from './power.ts'

const PAGE_BYTES = 4096

/** Throws to let an operation fail, for example `diskError('ENOSPC', ...)`. */
export type Fault = (operation: string, path: string) => void

export function diskError(code: string, operation: string, path: string): StorageError {
  return new StorageError(`${operation} ${path}: ${code}`, { code })
}

export class CrashingFiles implements Files {
  readonly power: Power
  /** Called before every operation. */
  fault: Fault = () => {}
  /** How long an operation takes; it has its effect when this resolves. */
  pace: (operation: string, path: string) => Promise<void> = () => Promise.resolve()
  freeBytes = 1e12
  totalBytes = 2e12
  #names = new Names()
  #durableNames = new Names()
  #changes: NameChange[] = []
  // Grows with every crash: handles from before are dead.
  #epoch = 0

  constructor(power = new Power()) {
    this.power = power
  }

  /** Loses what was not synced: all of it, or what `chance` picks. Then `power.restore()` and open again. */
  crash(chance?: () => number): void {
    this.#epoch++
    for (const change of survivors(this.#changes, chance)) this.#durableNames.apply(change)
    this.#changes = []
    this.#names = this.#durableNames.copy()
    for (const content of this.#names.contents()) content.crash(chance)
  }

  /** What a crash without chance would leave, for assertions: path -> bytes. */
  durableFiles(): Map<string, Buffer> {
    return new Map([...this.#durableNames.files].map(([path, content]) => [path, content.durable()]))
  }

  async open(path: string, mode: OpenMode): Promise<File> {
    await this.#turn('open', path)
    const known = this.#names.files.get(path)
    if (mode !== 'create') {
      if (known === undefined) throw diskError('ENOENT', 'open', path)
      return this.#handle(path, known)
    }
    if (known !== undefined || this.#names.folders.has(path)) throw diskError('EEXIST', 'open', path)
    if (!this.#names.folders.has(dirname(path))) throw diskError('ENOENT', 'open', path)
    const content = new Content()
    this.#change({ kind: 'create', path, content }, `create ${path}`)
    return this.#handle(path, content)
  }

  async readWhole(path: string): Promise<Buffer> {
    await this.#turn('read', path)
    const content = this.#names.files.get(path)
    if (content === undefined) throw diskError('ENOENT', 'read', path)
    return Buffer.from(content.bytes())
  }

  async replace(path: string, bytes: Buffer): Promise<void> {
    const temporary = `${path}.tmp`
    await this.unlink(temporary)
    const file = await this.open(temporary, 'create')
    await file.write([bytes], 0)
    await file.datasync()
    await file.close()
    await this.rename(temporary, path)
    await this.syncFolder(dirname(path))
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#turn('rename', from)
    const content = this.#names.files.get(from)
    if (content === undefined) throw diskError('ENOENT', 'rename', from)
    this.#change({ kind: 'rename', path: to, from, content }, `rename ${from} ${to}`)
  }

  async unlink(path: string): Promise<void> {
    await this.#turn('unlink', path)
    if (this.#names.files.has(path)) this.#change({ kind: 'unlink', path }, `unlink ${path}`)
  }

  async makeFolder(path: string): Promise<void> {
    await this.#turn('mkdir', path)
    const missing: string[] = []
    for (let folder = path; !this.#names.folders.has(folder); folder = dirname(folder)) missing.push(folder)
    for (const folder of missing.reverse()) this.#change({ kind: 'mkdir', path: folder }, `mkdir ${folder}`)
  }

  async removeFolder(path: string): Promise<void> {
    await this.#turn('rmdir', path)
    if (!this.#names.folders.has(path)) return
    if (this.#names.list(path).length > 0) throw diskError('ENOTEMPTY', 'rmdir', path)
    this.#change({ kind: 'rmdir', path }, `rmdir ${path}`)
  }

  async list(path: string): Promise<string[]> {
    await this.#turn('list', path)
    if (!this.#names.folders.has(path)) throw diskError('ENOENT', 'list', path)
    return this.#names.list(path)
  }

  async stat(path: string): Promise<FileStat | null> {
    await this.#turn('stat', path)
    if (this.#names.folders.has(path)) return { sizeBytes: 0, modifiedMs: 0, isFolder: true }
    const content = this.#names.files.get(path)
    return content === undefined ? null : { sizeBytes: content.sizeBytes, modifiedMs: 0, isFolder: false }
  }

  async syncFolder(path: string): Promise<void> {
    if (!this.#names.folders.has(path)) throw diskError('ENOENT', 'fsync', path)
    const covered = this.#changes.length
    await this.#turn('fsync', path)
    this.power.perform(`fsync ${path}`, () => {
      const touches = (change: NameChange, index: number): boolean =>
        index < covered &&
        (dirname(change.path) === path || (change.kind === 'rename' && dirname(change.from) === path))
      for (const change of this.#changes.filter(touches)) this.#durableNames.apply(change)
      this.#changes = this.#changes.filter((change, index) => !touches(change, index))
    })
  }

  async space(path: string): Promise<Space> {
    await this.#turn('statfs', path)
    return { freeBytes: this.freeBytes, totalBytes: this.totalBytes }
  }

  #change(change: NameChange, operation: string): void {
    this.power.perform(operation, () => {
      this.#names.apply(change)
      this.#changes.push(change)
    })
  }

  // Every operation lets others go first, as the thread pool would.
  async #turn(operation: string, path: string): Promise<void> {
    const epoch = this.#epoch
    await this.pace(operation, path)
    if (epoch !== this.#epoch) throw new PowerLoss()
    this.power.assertOn()
    this.fault(operation, path)
  }

  #handle(path: string, content: Content): File {
    const turn = (operation: string): Promise<void> => this.#turn(operation, path)
    return new CrashingFile(path, content, this.power, this.#aliveUntilCrash(turn))
  }

  #aliveUntilCrash(turn: (operation: string) => Promise<void>): (operation: string) => Promise<void> {
    const epoch = this.#epoch
    return operation => (epoch === this.#epoch ? turn(operation) : Promise.reject(new PowerLoss()))
  }
}

class CrashingFile implements File {
  readonly path: string
  readonly #content: Content
  readonly #power: Power
  readonly #turn: (operation: string) => Promise<void>
  #isClosed = false

  constructor(path: string, content: Content, power: Power, turn: (operation: string) => Promise<void>) {
    this.path = path
    this.#content = content
    this.#power = power
    this.#turn = turn
  }

  async write(buffers: readonly Buffer[], position: number): Promise<void> {
    const bytes = Buffer.concat(buffers)
    await this.#start('write')
    this.#power.perform(`write ${this.path}`, () => this.#content.write(bytes, position))
  }

  async read(buffer: Buffer, position: number): Promise<number> {
    await this.#start('read')
    return position < this.#content.sizeBytes ? this.#content.bytes().copy(buffer, 0, position) : 0
  }

  async datasync(): Promise<void> {
    const covered = this.#content.snapshot()
    await this.#start('fdatasync')
    this.#power.perform(`fdatasync ${this.path}`, () => this.#content.keep(covered))
  }

  async truncate(sizeBytes: number): Promise<void> {
    await this.#start('truncate')
    this.#power.perform(`truncate ${this.path}`, () => this.#content.truncate(sizeBytes))
  }

  async sizeBytes(): Promise<number> {
    await this.#start('stat')
    return this.#content.sizeBytes
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  async #start(operation: string): Promise<void> {
    if (this.#isClosed) throw diskError('EBADF', operation, this.path)
    await this.#turn(operation)
  }
}

type Snapshot = { readonly sizeBytes: number; readonly pages: readonly (readonly [number, Buffer])[] }

// The bytes of one file: as processes see them and as they are on the disk.
class Content {
  sizeBytes = 0
  #seen: Buffer = Buffer.alloc(0)
  #disk: Buffer = Buffer.alloc(0)
  #diskSizeBytes = 0
  #dirty = new Set<number>()

  bytes(): Buffer {
    return this.#seen.subarray(0, this.sizeBytes)
  }

  durable(): Buffer {
    return Buffer.from(this.#disk.subarray(0, this.#diskSizeBytes))
  }

  write(bytes: Buffer, position: number): void {
    const end = position + bytes.length
    this.#seen = grown(this.#seen, end)
    bytes.copy(this.#seen, position)
    this.sizeBytes = Math.max(this.sizeBytes, end)
    this.#touch(position, end)
  }

  truncate(sizeBytes: number): void {
    this.#seen = grown(this.#seen, sizeBytes)
    if (sizeBytes < this.sizeBytes) {
      this.#seen.fill(0, sizeBytes, this.sizeBytes)
      this.#touch(sizeBytes, this.sizeBytes)
    }
    this.sizeBytes = sizeBytes
  }

  snapshot(): Snapshot {
    const pages = [...this.#dirty].map(page => [page, Buffer.from(pageOf(this.#seen, page))] as const)
    this.#dirty = new Set()
    return { sizeBytes: this.sizeBytes, pages }
  }

  keep({ sizeBytes, pages }: Snapshot): void {
    for (const [page, bytes] of pages) this.#keepPage(page, bytes)
    this.#setDiskSize(sizeBytes)
  }

  crash(chance?: () => number): void {
    if (chance !== undefined) {
      for (let page = 0; page * PAGE_BYTES < this.sizeBytes; page++) {
        if (chance() < 0.5) this.#keepPage(page, pageOf(this.#seen, page))
      }
      const choice = chance()
      if (choice < 0.3) this.#setDiskSize(this.sizeBytes)
      else if (choice < 0.7) this.#setDiskSize(between(chance, this.#diskSizeBytes, this.sizeBytes))
      else this.#setDiskSize(this.#diskSizeBytes)
    }
    this.#seen = Buffer.from(this.#disk)
    this.sizeBytes = this.#diskSizeBytes
    this.#dirty = new Set()
  }

  #keepPage(page: number, bytes: Buffer): void {
    this.#disk = grown(this.#disk, (page + 1) * PAGE_BYTES)
    pageOf(this.#disk, page).fill(0)
    bytes.copy(this.#disk, page * PAGE_BYTES)
  }

  // What lies behind the end reads as zeros when the file grows again.
  #setDiskSize(sizeBytes: number): void {
    this.#disk = grown(this.#disk, sizeBytes)
    this.#disk.fill(0, sizeBytes)
    this.#diskSizeBytes = sizeBytes
  }

  #touch(start: number, end: number): void {
    for (let page = Math.floor(start / PAGE_BYTES); page * PAGE_BYTES < end; page++) this.#dirty.add(page)
  }
}

function pageOf(bytes: Buffer, page: number): Buffer {
  return bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
}

function grown(bytes: Buffer, sizeBytes: number): Buffer {
  if (bytes.length >= sizeBytes) return bytes
  const larger = Buffer.alloc(Math.max(sizeBytes, 2 * bytes.length, PAGE_BYTES))
  bytes.copy(larger)
  return larger
}

function between(chance: () => number, a: number, b: number): number {
  return Math.min(a, b) + Math.floor(chance() * (Math.abs(a - b) + 1))
}

type NameChange =
  | { readonly kind: 'create'; readonly path: string; readonly content: Content }
  | { readonly kind: 'rename'; readonly path: string; readonly from: string; readonly content: Content }
  | { readonly kind: 'unlink' | 'mkdir' | 'rmdir'; readonly path: string }

class Names {
  readonly files: Map<string, Content>
  readonly folders: Set<string>

  constructor(files: Iterable<[string, Content]> = [], folders: Iterable<string> = ['/']) {
    this.files = new Map(files)
    this.folders = new Set(folders)
  }

  copy(): Names {
    return new Names(this.files, this.folders)
  }

  contents(): Set<Content> {
    return new Set(this.files.values())
  }

  list(folder: string): string[] {
    const isHere = (path: string): boolean => path !== folder && join(folder, basename(path)) === path
    return [...this.files.keys(), ...this.folders].filter(isHere).map(path => basename(path))
  }

  apply(change: NameChange): void {
    switch (change.kind) {
      case 'create':
        this.files.set(change.path, change.content)
        return
      case 'rename':
        this.files.delete(change.from)
        this.files.set(change.path, change.content)
        return
      case 'unlink':
        this.files.delete(change.path)
        return
      case 'mkdir':
        this.folders.add(change.path)
        return
      case 'rmdir':
        this.folders.delete(change.path)
        return
      default:
        change satisfies never
    }
  }
}

// Changes of one folder reach the disk in their order; those of different folders do not wait for each other.
function survivors(changes: readonly NameChange[], chance?: () => number): NameChange[] {
  if (chance === undefined) return []
  const left = new Map<string, number>()
  for (const { path } of changes) left.set(dirname(path), (left.get(dirname(path)) ?? 0) + 1)
  for (const [folder, count] of left) left.set(folder, between(chance, 0, count))
  return changes.filter(({ path }) => {
    const count = left.get(dirname(path))!
    left.set(dirname(path), count - 1)
    return count > 0
  })
}
