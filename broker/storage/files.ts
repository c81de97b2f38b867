// The file operations that storage needs, as an interface: `nodeFiles` is the machine's file system,
// test/broker/storage/crashing-files.ts a twin that loses power. Positions and sizes are bytes. Nothing here buffers or caches:
// a write is in the page cache when it resolves, and on the disk after `datasync` (bytes and size of the file) and, for a
// name that was created, renamed or removed, after `syncFolder` of the folder that holds it.
import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { StorageError } from './storage-error.ts'

/**
 * read: must exist. write: read and write, must exist. create: read and write, must not exist yet.
 */
export type OpenMode = 'read' | 'write' | 'create'

export type File = {
  readonly path: string
  /** Writes all of `buffers`, one behind the other, from `position` on. Callers do not let two writes of one range overlap. */
  write(buffers: readonly Buffer[], position: number): Promise<void>
  /** Fills `buffer` from `position` on; resolves with the bytes read, which are fewer only at the end of the file. */
  read(buffer: Buffer, position: number): Promise<number>
  /** Everything written before the call is on the disk, and the file's size with it. Never retry one that failed. */
  datasync(): Promise<void>
  /** Cuts or zero-extends the file. */
  truncate(sizeBytes: number): Promise<void>
  sizeBytes(): Promise<number>
  /** Does not sync. Idempotent. */
  close(): Promise<void>
}

export type FileStat = { readonly sizeBytes: number; readonly modifiedMs: number; readonly isFolder: boolean }

export type Space = { readonly freeBytes: number; readonly totalBytes: number }

/** Every operation rejects with a StorageError that names the operation and the path; its `code` is the errno name. */
export type Files = {
  open(path: string, mode: OpenMode): Promise<File>
  /** The whole file as one buffer. */
  readWhole(path: string): Promise<Buffer>
  /** Puts `bytes` under `path` so that after a crash the file is the old one or the new one, and syncs file and folder. */
  replace(path: string, bytes: Buffer): Promise<void>
  /** Atomic; replaces what is at `to`. */
  rename(from: string, to: string): Promise<void>
  /** Removes a file; resolves too when there is none. */
  unlink(path: string): Promise<void>
  /** Creates a folder and those above it; resolves too when it exists. Syncs nothing. */
  makeFolder(path: string): Promise<void>
  /** Removes an empty folder; resolves too when there is none. */
  removeFolder(path: string): Promise<void>
  /** The names in a folder, unsorted. */
  list(path: string): Promise<string[]>
  /** null when there is nothing at `path`. */
  stat(path: string): Promise<FileStat | null>
  /** The names created, renamed and removed in this folder are on the disk. */
  syncFolder(path: string): Promise<void>
  /** Of the file system that holds `path`; `freeBytes` is what this process may still use. */
  space(path: string): Promise<Space>
}

const FLAGS = { read: 'r', write: 'r+', create: 'wx+' } as const

// IOV_MAX of Linux and macOS: a longer vector is EINVAL.
const MAX_VECTOR = 1024

/** The file system of this machine. */
export const nodeFiles: Files = {
  open: (path, mode) =>
    call<File>('open', path, done =>
      fs.open(path, FLAGS[mode], (error, fd) => done(error, error ? undefined! : new NodeFile(path, fd))),
    ),
  readWhole: path => call('read', path, done => fs.readFile(path, done)),
  replace,
  rename: (from, to) => call('rename', `${from} to ${to}`, done => fs.rename(from, to, done)),
  unlink: path => call('unlink', path, done => fs.unlink(path, unless('ENOENT', done))),
  makeFolder,
  removeFolder: path => call('rmdir', path, done => fs.rmdir(path, unless('ENOENT', done))),
  list: path => call('list', path, done => fs.readdir(path, done)),
  stat: path =>
    call<FileStat | null>('stat', path, done =>
      fs.stat(path, (error, stat) => {
        if (error?.code === 'ENOENT') done(null, null)
        else if (error) done(error)
        else done(null, { sizeBytes: stat.size, modifiedMs: stat.mtimeMs, isFolder: stat.isDirectory() })
      }),
    ),
  syncFolder,
  space: path =>
    call<Space>('statfs', path, done =>
      fs.statfs(path, (error, space) => {
        if (error) done(error)
        else done(null, { freeBytes: space.bavail * space.bsize, totalBytes: space.blocks * space.bsize })
      }),
    ),
}

class NodeFile implements File {
  readonly path: string
  #fd: number

  constructor(path: string, fd: number) {
    this.path = path
    this.#fd = fd
  }

  async write(buffers: readonly Buffer[], position: number): Promise<void> {
    if (buffers.length === 0) return
    let rest = buffers.length <= MAX_VECTOR ? buffers : buffers.slice(0, MAX_VECTOR)
    let next = rest.length
    for (;;) {
      const written = await this.#writeSome(rest, position)
      position += written
      const left = skip(rest, written)
      if (left.length === 0 && next === buffers.length) return
      const room = MAX_VECTOR - left.length
      rest = left.concat(buffers.slice(next, next + room))
      next = Math.min(next + room, buffers.length)
    }
  }

  #writeSome(buffers: readonly Buffer[], position: number): Promise<number> {
    return call<number>('write', this.path, done => {
      if (buffers.length === 1) fs.write(this.#fd, buffers[0]!, 0, buffers[0]!.length, position, done)
      else fs.writev(this.#fd, buffers, position, done)
    })
  }

  async read(buffer: Buffer, position: number): Promise<number> {
    let length = 0
    while (length < buffer.length) {
      const read = await call<number>('read', this.path, done =>
        fs.read(this.#fd, buffer, length, buffer.length - length, position + length, done),
      )
      if (read === 0) break
      length += read
    }
    return length
  }

  // Linux (6.18, ext4) answers an fdatasync with success when the file system gives up and turns read-only while the sync waits for
  // the journal, although the commit it waited for was thrown away. A write of nothing goes on as far as the file system's own check and
  // changes nothing, so it tells: tried with three threads that append and sync, 11 of 120 lost what was acknowledged, and none with it.
  async datasync(): Promise<void> {
    await call('fdatasync', this.path, done => fs.fdatasync(this.#fd, done))
    await call<number>('write after fdatasync', this.path, done => fs.writev(this.#fd, NOTHING, 0, done))
  }

  truncate(sizeBytes: number): Promise<void> {
    return call('truncate', this.path, done => fs.ftruncate(this.#fd, sizeBytes, done))
  }

  sizeBytes(): Promise<number> {
    return call<number>('stat', this.path, done =>
      fs.fstat(this.#fd, (error, stat) => done(error, error ? 0 : stat.size)),
    )
  }

  close(): Promise<void> {
    const fd = this.#fd
    if (fd === CLOSED) return Promise.resolve()
    this.#fd = CLOSED
    return call('close', this.path, done => fs.close(fd, done))
  }
}

// Passed on to the system after `close`, so that it answers EBADF instead of touching a file that got the number since.
const CLOSED = 2 ** 31 - 1

// One empty buffer is one pwrite; fs.write does not ask the system to write nothing.
const NOTHING = [Buffer.alloc(0)]

// The part of `buffers` behind the first `length` bytes.
function skip(buffers: readonly Buffer[], length: number): readonly Buffer[] {
  let at = 0
  while (at < buffers.length && length >= buffers[at]!.length) length -= buffers[at++]!.length
  if (at === buffers.length) return []
  return length === 0 ? buffers.slice(at) : [buffers[at]!.subarray(length), ...buffers.slice(at + 1)]
}

async function replace(path: string, bytes: Buffer): Promise<void> {
  const temporary = `${path}.tmp`
  await nodeFiles.unlink(temporary)
  const file = await nodeFiles.open(temporary, 'create')
  try {
    await file.write([bytes], 0)
    await file.datasync()
  } finally {
    await file.close()
  }
  await nodeFiles.rename(temporary, path)
  await syncFolder(dirname(path))
}

// Not fs.mkdir with `recursive`: that one loops for ever where the parent exists and a folder still cannot be made (/proc).
async function makeFolder(path: string): Promise<void> {
  const make = (): Promise<void> => call('mkdir', path, done => fs.mkdir(path, unless('EEXIST', done)))
  try {
    await make()
  } catch (error) {
    if (!(error instanceof StorageError && error.code === 'ENOENT') || dirname(path) === path) throw error
    await makeFolder(dirname(path))
    await make()
  }
}

async function syncFolder(path: string): Promise<void> {
  const fd = await call<number>('open', path, done => fs.open(path, 'r', done))
  try {
    await call('fsync', path, done => fs.fsync(fd, done))
  } finally {
    await call('close', path, done => fs.close(fd, done))
  }
}

type Done<T> = (error: Error | null, value?: T) => void

// One promise and one closure per operation: cheaper than util.promisify, and the error says what was done to what.
function call<T = void>(operation: string, path: string, run: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    run((error, value) => {
      if (error) reject(new StorageError(`${operation} ${path}: ${reasonOf(error)}`, { cause: error }))
      else resolve(value as T)
    })
  })
}

// "ENOSPC: no space left on device, write": what follows the comma repeats what we say ourselves.
function reasonOf(error: Error): string {
  return error.message.replace(/, [a-z]+( '.*')?$/, '')
}

function unless(code: string, done: Done<void>): (error: NodeJS.ErrnoException | null) => void {
  return error => done(error?.code === code ? null : error)
}
