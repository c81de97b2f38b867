// Starts of `flotilla broker` that must fail: somebody else's data, damaged data, a directory that cannot be written, a taken port, a wrong
// command line. Exit codes and texts are part of what is promised, and so is that nothing has changed.
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { beforeAll, test } from 'vitest'
import { tcpTransport } from '../../broker/base/transport.ts'
import { answersMetadata, Wire } from '../clients/wire.ts'
import { contentOf, copyOf, newFolder, outcome } from './broker-process.ts'
import {
  cleanUpAfterTests,
  flip,
  isForPeople,
  leaveData,
  newDataDir,
  start,
  startBroker,
  type Left,
} from './operations.ts'
import { smallDisk } from './small-disk.ts'

cleanUpAfterTests()

let left: Left
beforeAll(async () => void (left = await leaveData()))

test('a second start on a directory in use names the directory and its holder, and the first goes on', async () => {
  const dataDir = await newDataDir()
  const first = await startBroker(dataDir)
  const { end, err } = await start(dataDir)
  equal(end, 1)
  isForPeople(err, new RegExp(dataDir), new RegExp(`process ${first.pid}\\b`))
  ok(await answersMetadata(first))
  equal(await first.stop(), 0)
  equal(await (await startBroker(dataDir)).stop(), 0)
})

test('a taken port is named, for clients and for HTTP, and a directory that was not there is not made for clients', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const dataDir = await newDataDir()
  const clients = await outcome(['broker', '--port', String(port), '--data', dataDir])
  equal(clients.end, 1)
  isForPeople(clients.err, new RegExp(`PLAINTEXT.*:${port}: the port is taken`))
  deepEqual(await readdir(join(dataDir, '..')), [])
  const flags = ['flotilla.http.host=127.0.0.1', `flotilla.http.port=${port}`].flatMap(text => ['--set', text])
  const http = await outcome(['broker', '--port', '0', '--data', dataDir, ...flags])
  equal(http.end, 1)
  isForPeople(http.err, new RegExp(`HTTP.*127\\.0\\.0\\.1:${port}.*taken`))
  server.close()
  const broker = await startBroker(dataDir)
  match(broker.out(), /"recovered":0/)
})

test('a directory of somebody else is refused and left as it is', async () => {
  const foreign = await newFolder('foreign')
  await writeFile(join(foreign, 'photo.jpg'), 'not ours')
  const kafka = await newFolder('kafka')
  const kafkaProperties =
    'version=1\ncluster.id=MkU3OEVBNTcwNTJENDM2Qg\nnode.id=1\ndirectory.id=AAAAAAAAAAAAAAAAAAAAAg\n'
  await writeFile(join(kafka, 'meta.properties'), kafkaProperties)
  await mkdir(join(kafka, 'orders-0'))
  const file = join(await newFolder('file'), 'data')
  await writeFile(file, 'a file')
  for (const [dataDir, pattern] of [
    [foreign, /photo\.jpg/],
    [kafka, /Apache Kafka/],
    [file, /is a file/],
  ] as const) {
    const before = dataDir === file ? null : await contentOf(dataDir)
    const { end, err } = await start(dataDir)
    equal(end, 1)
    isForPeople(err, new RegExp(dataDir), pattern)
    if (before !== null) deepEqual(await contentOf(dataDir), before)
  }
})

test('the directory of another cluster, another node or a newer version is refused and left as it is', async () => {
  const dataDir = await copyOf(left.dataDir)
  const properties = await readFile(join(dataDir, 'meta.properties'), 'utf8')
  const cases = [
    { change: properties, flags: ['--node-id', '7'], pattern: /node 1\b.*node 7\b/ },
    {
      change: properties,
      flags: ['--set', 'flotilla.cluster.id=AAAAAAAAAAAAAAAAAAAAAg'],
      pattern: /cluster AAAAAAAAAAAAAAAAAAAAAg/,
    },
    {
      change: properties.replace('flotilla.version=1', 'flotilla.version=2'),
      flags: [],
      pattern: /version 2;.*versions up to 1/,
    },
    {
      change: properties.replace(/directory.id=.*/, 'directory.id=?'),
      flags: [],
      pattern: /meta\.properties is damaged/,
    },
  ]
  for (const { change, flags, pattern } of cases) {
    await writeFile(join(dataDir, 'meta.properties'), change)
    const before = await contentOf(dataDir)
    const { end, err } = await start(dataDir, ...flags)
    equal(end, 1)
    isForPeople(err, new RegExp(dataDir), pattern)
    deepEqual(await contentOf(dataDir), before)
  }
})

test('a directory on a read-only file system is refused in words', async () => {
  const disk = await smallDisk(16)
  try {
    disk.failToReadOnly()
    const { end, err } = await start(join(disk.path, 'data'))
    equal(end, 1)
    isForPeople(err, new RegExp(disk.path), /read-only|EROFS/)
  } finally {
    await disk.remove()
  }
})

const inStore = (dataDir: string, name: RegExp): Promise<string[]> =>
  readdir(join(dataDir, 'store')).then(names =>
    names.filter(found => name.test(found)).map(found => join(dataDir, 'store', found)),
  )

const damages: Readonly<Record<string, (dataDir: string) => Promise<void>>> = {
  'an empty CURRENT file': dataDir => truncate(join(dataDir, 'store', 'CURRENT'), 0),
  'flipped bytes in its table files': async dataDir => {
    for (const path of await inStore(dataDir, /\.sst$/)) await flip(path, 60, 20_000)
  },
  'a flipped byte in its manifest': async dataDir => {
    for (const path of await inStore(dataDir, /^MANIFEST/)) await flip(path, 50)
  },
  'a missing table file': async dataDir => {
    for (const path of await inStore(dataDir, /\.sst$/)) await rm(path)
  },
  'no store at all': dataDir => rm(join(dataDir, 'store'), { recursive: true }),
  'an empty store': async dataDir => {
    await rm(join(dataDir, 'store'), { recursive: true })
    await mkdir(join(dataDir, 'store'))
  },
  'a damaged election epoch': dataDir => writeFile(join(dataDir, 'election-epoch'), 'x'),
  'a damaged election record': dataDir => writeFile(join(dataDir, 'election'), 'x'),
}

for (const [name, damage] of Object.entries(damages)) {
  test(`a start with ${name} is refused in words, and no record is touched`, async () => {
    const dataDir = await copyOf(left.dataDir)
    await damage(dataDir)
    const records = async (): Promise<[string, string][]> =>
      [...(await contentOf(dataDir))].filter(([path]) => /\/(segments|staging)\/|\.sst$|clean-stop$/.test(path))
    const before = await records()
    const { end, err } = await start(dataDir)
    equal(end, 1)
    isForPeople(err, new RegExp(dataDir))
    deepEqual(await records(), before)
  })
}

test('a start that fails ends, although a client has connected meanwhile', async () => {
  const { startBroker: startHere } = await import('../../broker/broker.ts')
  const { parseBrokerConfig } = await import('../../broker/config/broker-config.ts')
  const { systemClock } = await import('../../broker/base/clock.ts')
  const { systemRandom } = await import('../../broker/base/random.ts')
  const { silentLogger } = await import('../../broker/base/log.ts')
  const foreign = await newFolder('foreign')
  await writeFile(join(foreign, 'photo.jpg'), 'not ours')
  const parsed = parseBrokerConfig(
    new Map([
      ['listeners', 'PLAINTEXT://127.0.0.1:0'],
      ['log.dirs', foreign],
    ]),
  )
  ok('config' in parsed)
  const clients: Wire[] = []
  const transport = {
    ...tcpTransport,
    async listen(...args: Parameters<typeof tcpTransport.listen>) {
      const isHeld = Promise.withResolvers<void>()
      const listening = await tcpTransport.listen(args[0], socket => {
        args[1](socket)
        isHeld.resolve()
      })
      clients.push(await Wire.open(listening))
      await isHeld.promise
      return listening
    },
  }
  const parts = { config: parsed.config, clock: systemClock, random: systemRandom, log: silentLogger, transport }
  const failure = await startHere(parts).then(
    () => null,
    (error: unknown) => error,
  )
  match(String(failure), /photo\.jpg/)
  for (const client of clients) equal((await client.closed()).length, 0)
})

test('an unknown flag, key or command says what is meant, with exit codes 2 and 1', async () => {
  const flag = await outcome(['broker', '--dta', 'x'])
  equal(flag.end, 2)
  isForPeople(flag.err, /--dta/)
  const key = await outcome(['broker', '--set', 'log.retention.hour=1'])
  equal(key.end, 1)
  match(key.err, /Did you mean log\.retention\.hours\?/)
  const commandLine = await outcome(['brokr'])
  equal(commandLine.end, 2)
  isForPeople(commandLine.err, /brokr/)
})
