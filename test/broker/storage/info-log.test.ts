// What RocksDB writes about itself stays small.
import { deepEqual, equal, ok } from 'node:assert/strict'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'vitest'
import { nodeFiles } from '../../../broker/storage/files.ts'
import { InfoLog } from '../../../broker/storage/info-log.ts'
import { openRocksStore } from '../../../broker/storage/rocks-store.ts'

let folder = ''
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'flotilla-info-log-'))
})
afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

test('of the logs of earlier starts the last two stay, and nothing else goes', async () => {
  for (const name of ['LOG', 'LOG.old.3', 'LOG.old.1', 'LOG.old.2', 'LOG.old.4', '000012.log']) {
    fs.writeFileSync(join(folder, name), '')
  }
  await new InfoLog(folder, nodeFiles).removeOld()
  deepEqual(fs.readdirSync(folder).sort(), ['000012.log', 'LOG', 'LOG.old.3', 'LOG.old.4'])
})

test('a log that RocksDB writes to is emptied when it has grown by the bound, again and again', async () => {
  const store = await openRocksStore(folder, { writeBufferBytes: 1000 })
  const infoLog = new InfoLog(folder, nodeFiles, 20_000)
  const path = join(folder, 'LOG')
  // RocksDB may write between the trimming and our look, at its old position: the size says nothing, the blocks do.
  for (let commit = 0, trims = 0, last = 0; trims < 3; commit++) {
    const batch = store.batch()
    batch.put(Buffer.from('key'), Buffer.alloc(2000, commit))
    await store.commit(batch, { sync: false })
    await infoLog.trim()
    const { blocks } = fs.statSync(path)
    if (blocks < last) trims++
    ok(blocks * 512 <= 100_000, `${blocks} blocks`)
    last = blocks
  }
  await store.close()
})

test('a log that nobody has written yet needs no trimming', async () => {
  await new InfoLog(folder, nodeFiles, 0).trim()
  equal(fs.readdirSync(folder).length, 0)
})
