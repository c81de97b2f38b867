// Runs the contract of a store on every implementation.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMemoryStore } from '../../broker/storage/memory-store.ts'
import { openRocksStore } from '../../broker/storage/rocks-store.ts'
import { CrashingStoreDisk } from '../broker/storage/crashing-store.ts'
import { storeContract } from './store.ts'

let folder = ''
const openRocks = async (writeBufferBytes?: number) => {
  folder = await mkdtemp(join(tmpdir(), 'flotilla-store-'))
  return openRocksStore(join(folder, 'store'), writeBufferBytes === undefined ? {} : { writeBufferBytes })
}
const removeRocks = () => rm(folder, { recursive: true })
const nothing = () => Promise.resolve()

storeContract('RocksDB', openRocks, removeRocks)
// With a write buffer that is full all the time, so that everything also goes through table files.
storeContract('RocksDB with tiny write buffers', () => openRocks(32 * 1024), removeRocks)
storeContract('memory', () => Promise.resolve(openMemoryStore()), nothing)
storeContract('the store that loses power', () => new CrashingStoreDisk().open(), nothing)
