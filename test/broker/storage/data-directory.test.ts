// Whose a data directory is, who may use it, and what is refused before anything in it has changed.
import { deepEqual, equal, notEqual, ok, rejects } from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, test } from 'vitest'
import { systemRandom } from '../../../broker/base/random.ts'
import { UserError } from '../../../broker/base/user-error.ts'
import { uuidBytes } from '../../../broker/base/uuid.ts'
import { openDataDirectory, type DataDirectoryOptions } from '../../../broker/storage/data-directory.ts'
import { nodeFiles } from '../../../broker/storage/files.ts'
import { CrashingFiles, diskError } from './crashing-files.ts'

const options: DataDirectoryOptions = { files: nodeFiles, random: systemRandom, nodeId: 1 }

let folder = ''
let path = ''
const children: ChildProcess[] = []
beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'flotilla-directory-'))
  path = join(folder, 'data')
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
  }
  fs.rmSync(folder, { recursive: true })
})

/** A process that has the directory open; says what it found. */
async function holder(): Promise<{ child: ChildProcess; directoryId: string; isCleanStart: boolean }> {
  const script = fileURLToPath(new URL('holding-process.ts', import.meta.url))
  const child = spawn(process.execPath, [script, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const [line] = (await once(child.stdout!, 'data')) as [Buffer]
  const [directoryId, isCleanStart] = String(line).trim().split(' ')
  return { child, directoryId: directoryId!, isCleanStart: isCleanStart === 'true' }
}

/** Everything in the directory, to see that nothing changed. */
function contents(): string[] {
  const paths = fs.readdirSync(path, { recursive: true }).map(String).sort()
  return paths.map(name => {
    const stat = fs.statSync(join(path, name))
    // To open and close the lock file would set it free, if it is this process that holds it.
    const hasBytes = stat.isFile() && name !== 'lock'
    return `${name} ${stat.mtimeMs} ${hasBytes ? fs.readFileSync(join(path, name), 'base64') : ''}`
  })
}

async function refuses(expected: RegExp, use: Partial<DataDirectoryOptions> = {}): Promise<void> {
  const before = contents()
  await rejects(openDataDirectory(path, { ...options, ...use }), (error: unknown) => {
    ok(error instanceof UserError, String(error))
    ok(error.message.includes(path), error.message)
    ok(expected.test(error.message), error.message)
    ok(error.fix !== '')
    return true
  })
  deepEqual(contents(), before)
}

test('a directory that does not exist is made, with those above it, and gets an id for good', async () => {
  path = join(folder, 'a/b/data')
  const first = await openDataDirectory(path, options)
  equal(uuidBytes(first.directoryId).length, 16)
  equal(uuidBytes(first.clusterId).length, 16)
  deepEqual([first.path, first.storePath, first.nodeId, first.isCleanStart], [path, join(path, 'store'), 1, true])
  ok((await first.freeBytes()) > 0)
  await first.close(true)
  const second = await openDataDirectory(path, options)
  deepEqual([second.directoryId, second.clusterId], [first.directoryId, first.clusterId])
  await second.close(true)
})

test('an empty directory is taken, also one with what file systems put there and traces of a first start that failed', async () => {
  fs.mkdirSync(join(path, 'lost+found'), { recursive: true })
  fs.writeFileSync(join(path, '.hidden'), '')
  fs.writeFileSync(join(path, 'meta.properties.tmp'), 'half')
  await (await openDataDirectory(path, options)).close(true)
})

test('the cluster id is the one that is asked for, or a fresh one', async () => {
  const named = await openDataDirectory(path, { ...options, clusterId: 'abcdefghijklmnopqrstuv' })
  equal(named.clusterId, 'abcdefghijklmnopqrstuv')
  await named.close(true)
  const other = await openDataDirectory(join(folder, 'other'), options)
  notEqual(other.clusterId, named.clusterId)
  await other.close(true)
})

test('a start is clean after a clean stop, and only then', async () => {
  const found: boolean[] = []
  for (const isClean of [true, false, true, true]) {
    const directory = await openDataDirectory(path, options)
    found.push(directory.isCleanStart)
    await directory.close(isClean)
    await directory.close(true)
  }
  deepEqual(found, [true, true, false, true])
})

test('meta.properties says cluster, node and directory in the words of Kafka', async () => {
  const directory = await openDataDirectory(path, options)
  const lines = fs.readFileSync(join(path, 'meta.properties'), 'utf8').split('\n')
  for (const line of [
    'version=1',
    `cluster.id=${directory.clusterId}`,
    'node.id=1',
    `directory.id=${directory.directoryId}`,
  ]) {
    ok(lines.includes(line), line)
  }
  await directory.close(true)
})

test('a second process is refused and told who has the directory, and gets it after a clean stop', async () => {
  const { child, directoryId, isCleanStart } = await holder()
  equal(isCleanStart, true)
  await refuses(new RegExp(`in use by process ${child.pid}\\.`))
  child.kill('SIGTERM')
  await once(child, 'exit')
  const directory = await openDataDirectory(path, options)
  deepEqual([directory.directoryId, directory.isCleanStart], [directoryId, true])
  await directory.close(true)
})

test('a process that was killed holds nothing, and its stop was not clean', async () => {
  for (let kill = 0; kill < 3; kill++) {
    const { child, isCleanStart } = await holder()
    equal(isCleanStart, kill === 0)
    await refuses(/in use by process/)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const directory = await openDataDirectory(path, options)
  equal(directory.isCleanStart, false)
  await directory.close(true)
})

test('of many processes that start at once, one gets a fresh directory', async () => {
  const script = fileURLToPath(new URL('holding-process.ts', import.meta.url))
  const started = Array.from({ length: 4 }, () => spawn(process.execPath, [script, path], { stdio: 'pipe' }))
  children.push(...started)
  const outcomes = await Promise.all(
    started.map(child =>
      Promise.race([once(child.stdout, 'data').then(() => 'holds'), once(child, 'exit').then(() => 'refused')]),
    ),
  )
  deepEqual(outcomes.sort(), ['holds', 'refused', 'refused', 'refused'])
})

test('the same process does not get it twice either, and trying does not set it free', async () => {
  const directory = await openDataDirectory(path, options)
  await refuses(/in use/)
  const script = fileURLToPath(new URL('holding-process.ts', import.meta.url))
  const child = spawn(process.execPath, [script, path], { stdio: 'pipe' })
  children.push(child)
  const [code] = (await once(child, 'exit')) as [number]
  equal(code, 1)
  await directory.close(true)
})

test('a directory of another cluster or node is refused', async () => {
  await (await openDataDirectory(path, options)).close(true)
  await refuses(/belongs to cluster .*, and this broker is of cluster abcdefghijklmnopqrstuv/, {
    clusterId: 'abcdefghijklmnopqrstuv',
  })
  await refuses(/belongs to node 1, and this broker is of node 2/, { nodeId: 2 })
})

test('a directory of a newer version is refused', async () => {
  await (await openDataDirectory(path, options)).close(true)
  const file = join(path, 'meta.properties')
  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('flotilla.version=1', 'flotilla.version=2'))
  await refuses(/has version 2; this program knows versions up to 1/)
})

test("Apache Kafka's own directory is refused", async () => {
  fs.mkdirSync(join(path, 'topic-0'), { recursive: true })
  const kafka =
    '#\n#Mon Nov 23\nnode.id=1\ndirectory.id=x_OHYdxTRJSVS_xIUhJFpQ\nversion=1\ncluster.id=5L6g3nShT-eMCtK--X86sw\n'
  fs.writeFileSync(join(path, 'meta.properties'), kafka)
  await refuses(/made by another program, such as Apache Kafka/)
})

test('a directory with files of somebody else is refused', async () => {
  fs.mkdirSync(path)
  for (const name of ['d.txt', 'a.txt', 'b.txt', 'c.txt']) fs.writeFileSync(join(path, name), '')
  await refuses(/not empty and has no meta.properties.*\(a.txt, b.txt, c.txt, \.\.\.\)/)
})

test('a damaged meta.properties is refused, not replaced', async () => {
  await (await openDataDirectory(path, options)).close(true)
  fs.writeFileSync(join(path, 'meta.properties'), 'flotilla.version=1\ncluster.id=x\nnode.id=one\n')
  await refuses(/meta.properties is damaged/)
})

test('a path that is a file, or that cannot be used, is refused', async () => {
  fs.writeFileSync(path, '')
  const isRefusal = (error: unknown): boolean => error instanceof UserError && error.message.includes(path)
  await rejects(openDataDirectory(path, options), isRefusal)
  await rejects(openDataDirectory(join(path, 'below'), options), isRefusal)
  if (fs.existsSync('/proc/self')) {
    await rejects(openDataDirectory('/proc/flotilla', options), /cannot be used: mkdir .*: ENOENT/)
  }
})

test.skipIf(process.getuid?.() === 0)(
  'a directory without the right to write is refused (root may write it)',
  async () => {
    fs.mkdirSync(path, { mode: 0o555 })
    await refuses(/cannot be used/)
  },
)

test('a disk without room for the first files is refused, and the fix is room', async () => {
  const files = new CrashingFiles()
  files.fault = (operation, at) => {
    if (operation === 'write') throw diskError('ENOSPC', operation, at)
  }
  const lock = () => Promise.resolve({ release: () => {} })
  await rejects(openDataDirectory('/data', { ...options, files, lock }), (error: unknown) => {
    return error instanceof UserError && error.message.includes('ENOSPC') && error.fix.includes('room')
  })
})

test('whatever moment the power goes at, the next start finds one directory id or none, never half of one', async () => {
  const lock = () => Promise.resolve({ release: () => {} })
  for (let operation = 0; ; operation++) {
    const files = new CrashingFiles()
    files.power.cutAt(operation, 'after')
    const use = { ...options, files, lock }
    const ids: string[] = []
    const run = async (): Promise<void> => {
      const directory = await openDataDirectory('/data', use)
      ids.push(directory.directoryId)
      await directory.close(true)
    }
    await run().catch(() => {})
    const isWhole = !files.power.isOff
    files.crash()
    files.power.restore()
    await run()
    equal(new Set(ids).size, 1)
    if (isWhole) break
  }
})
