// The part of the native binding that rocks-store.ts uses: npm `rocksdb-native`, installed under the name `rocksdb`.
// The package has no types of its own; its options and their defaults are in its lib/state.js and lib/column-family.js.
declare module 'rocksdb' {
  type Options = {
    readonly createIfMissing?: boolean
    readonly maxBackgroundJobs?: number
    readonly bytesPerSync?: number
    readonly maxOpenFiles?: number
    readonly skipStatsUpdateOnOpen?: boolean
    readonly walRecoveryMode?: number
    readonly writeBufferSize?: number
    readonly maxWriteBufferNumber?: number
    readonly tableBlockSize?: number
    readonly tableCacheIndexAndFilterBlocks?: boolean
    readonly optimizeFiltersForMemory?: boolean
    readonly enableBlobFiles?: boolean
    readonly minBlobSize?: number
    readonly blobFileSize?: number
  }

  type WalFile = { readonly path: string; readonly number: number; readonly size: number }

  type ReadBatch = {
    /** Settles with the batch's flush. */
    get(key: Buffer): Promise<Buffer | null>
    flush(): Promise<void>
  }

  type WriteBatch = {
    tryPut(key: Buffer, value: Buffer): void
    tryDelete(key: Buffer): void
    tryDeleteRange(start: Buffer, end: Buffer): void
    /** Rejects with an error whose `cause` is what RocksDB said. */
    flush(): Promise<void>
  }

  /** A streamx Readable of objects; holds a view of one moment. */
  type Iterator = {
    on(event: 'data', listener: (entry: { key: Buffer; value: Buffer | null }) => void): Iterator
    on(event: 'end' | 'close', listener: () => void): Iterator
    on(event: 'error', listener: (error: Error) => void): Iterator
  }

  type Range = { readonly gte: Buffer; readonly lt: Buffer }

  class RocksDB {
    static readonly constants: { readonly walRecoveryMode: { readonly POINT_IN_TIME: number } }

    constructor(path: string, options?: Options)
    ready(): Promise<void>
    close(): Promise<void>
    read(options: { capacity: number; autoDestroy: true }): ReadBatch
    write(options: { capacity: number; autoDestroy: true }): WriteBatch
    iterator(range: Range, options: { reverse: boolean; limit: number; values: boolean; capacity: number }): Iterator
    /** Switches to a fresh memtable and write-ahead log, writes the old one to a table file; resolves when that is durable. */
    flush(): Promise<void>
    currentWalFile(): Promise<WalFile>
    getProperty(name: string): Promise<string | undefined>
  }

  export default RocksDB
}
