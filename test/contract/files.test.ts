// Runs the contract of files on every implementation.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nodeFiles } from '../../broker/storage/files.ts'
import { CrashingFiles } from '../broker/storage/crashing-files.ts'
import { filesContract } from './files.ts'

let folder = ''

filesContract(
  "the machine's file system",
  async () => {
    folder = await mkdtemp(join(tmpdir(), 'flotilla-files-'))
    return { files: nodeFiles, folder }
  },
  () => rm(folder, { recursive: true }),
)

filesContract(
  'the file system that loses power',
  async () => {
    const files = new CrashingFiles()
    await files.makeFolder('/data')
    return { files, folder: '/data' }
  },
  () => Promise.resolve(),
)
