// A process that commits until it is killed: `node committing-process.ts <store path> <write buffer bytes>`. Goes on behind the last
// commit that it finds, and writes the number of each commit to its output once that is acknowledged with sync.
import { writeSync } from 'node:fs'
import { openRocksStore } from '../../../broker/storage/rocks-store.ts'

const [, , path, writeBufferBytes] = process.argv
const store = await openRocksStore(path!, { writeBufferBytes: Number(writeBufferBytes) })
const last = await store.get(Buffer.from('last'))
const value = Buffer.alloc(2000, 'v')

async function commit(number: number): Promise<void> {
  const batch = store.batch()
  batch.put(Buffer.from('last'), Buffer.from(String(number)))
  batch.put(Buffer.from(`commit/${String(number).padStart(9, '0')}`), value)
  await store.commit(batch, { sync: number % 3 > 0 })
  if (number % 3 > 0) writeSync(1, `${number}\n`)
}

// Three at a time, as they come from different callers.
for (let number = last === null ? 0 : Number(last) + 1; ; number += 3) {
  await Promise.all([commit(number), commit(number + 1), commit(number + 2)])
}
