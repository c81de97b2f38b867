import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { FilePool } from '../../../broker/storage/file-pool.ts'
import type { File } from '../../../broker/storage/files.ts'
import { CrashingFiles } from './crashing-files.ts'

/** A pool of two over files /f0 to /f9, and the paths that were opened. */
async function pool(): Promise<{ pool: FilePool; opened: string[] }> {
  const files = new CrashingFiles()
  for (let at = 0; at < 10; at++) await files.open(`/f${at}`, 'create')
  const opened: string[] = []
  files.fault = (operation, path) => {
    if (operation === 'open') opened.push(path)
  }
  return { pool: new FilePool(files, 2), opened }
}

const size = (file: File): Promise<number> => file.sizeBytes()

test('a file stays open for the next one who uses it', async () => {
  const { pool: files, opened } = await pool()
  await Promise.all([files.use('/f1', 'read', size), files.use('/f1', 'read', size)])
  await files.use('/f1', 'read', size)
  deepEqual(opened, ['/f1'])
})

test('at the bound the file unused longest is closed', async () => {
  const { pool: files, opened } = await pool()
  for (const path of ['/f1', '/f2', '/f1', '/f3', '/f1', '/f2']) await files.use(path, 'read', size)
  deepEqual(opened, ['/f1', '/f2', '/f3', '/f2'])
  equal(files.size, 2)
})

test('a file in use is not closed under its user', async () => {
  const { pool: files } = await pool()
  await files.use('/f1', 'read', async file => {
    for (const path of ['/f2', '/f3', '/f4']) await files.use(path, 'read', size)
    await files.close('/f1')
    equal(await file.sizeBytes(), 0)
  })
})

test('a reader never makes a writer write through its descriptor', async () => {
  const { pool: files, opened } = await pool()
  await files.use('/f1', 'read', size)
  await files.use('/f1', 'write', file => file.write([Buffer.from('x')], 0))
  deepEqual(opened, ['/f1', '/f1'])
})

test('a file that could not be opened is tried again', async () => {
  const { pool: files, opened } = await pool()
  await rejects(files.use('/none', 'read', size), { code: 'ENOENT' })
  await rejects(files.use('/none', 'read', size), { code: 'ENOENT' })
  deepEqual(opened, ['/none', '/none'])
})
