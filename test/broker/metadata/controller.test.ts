import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { parseBrokerConfig, type BrokerConfig } from '../../../broker/config/broker-config.ts'
import { StateLostError } from '../../../broker/machine/runtime.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import type { MemoryLog } from '../replication/memory-log.ts'
import { imageOf, plain, seededRandom } from './images.ts'
import { openLocalMetadata } from './local-metadata.ts'

function config(): BrokerConfig {
  const parsed = parseBrokerConfig(new Map([['num.partitions', '2']]))
  ok('config' in parsed)
  return parsed.config
}

function open(log?: MemoryLog, over: { clusterId?: string; epoch?: number } = {}) {
  return openLocalMetadata({
    random: seededRandom(1),
    config: config(),
    clusterId: 'c',
    brokerId: 1,
    ...(log === undefined ? {} : { log }),
    ...over,
  })
}

const registration = {
  brokerId: 1,
  incarnation: 'i',
  directoryId: 'd',
  rack: null,
  listeners: [{ name: 'PLAINTEXT', host: 'h', port: 1, securityProtocol: 'PLAINTEXT' }],
  isFenced: false,
  previousBrokerEpoch: -1,
}

const topic = (name: string) => ({ name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] })

async function running() {
  const metadata = await open()
  await metadata.controller.registerBroker(registration)
  return metadata
}

test('a new cluster has an id, the feature levels it starts with, and a controller', async () => {
  const { loader } = await open()
  equal(loader.image.clusterId, 'c')
  equal(loader.image.controllerId, 1)
  equal(loader.image.controllerEpoch, 1)
  deepEqual(
    [...loader.image.features],
    [
      ['metadata.version', 33],
      ['transaction.version', 2],
    ],
  )
})

test('what was decided is there after a restart', async () => {
  const { controller, log } = await running()
  await controller.createTopics([topic('a'), topic('b')])
  await controller.deleteTopics([{ name: 'b', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }])
  const again = await open(log.afterCrash(true), { epoch: 2 })
  deepEqual([...again.loader.image.topics.keys()], ['a'])
  equal(again.loader.image.topics.get('a')!.partitions.length, 2)
  equal(again.loader.image.controllerEpoch, 2)
})

test('the log of another cluster, or one that was led in a later epoch, is refused', async () => {
  const { log } = await running()
  await rejects(
    open(log.afterCrash(true), { clusterId: 'other' }),
    /belongs to the cluster c, but this broker is of other/,
  )
  await rejects(open(log.afterCrash(true), { epoch: 0 }), /was led in epoch 1, but the election record says 0/)
})

test('a feature level that this version does not support stops the broker with what to do', async () => {
  const { log, metadataLog } = await running()
  metadataLog.append([{ kind: 'feature-level-set', name: 'metadata.version', level: 99 }])
  await rejects(open(log.afterCrash(true), { epoch: 2 }), /level 99 of the feature metadata\.version.*newer one/)
})

test('subscribers see a change before its answer, and never one that is not committed', async () => {
  const { controller, loader, log } = await running()
  const seen: string[] = []
  loader.subscribe(delta => seen.push(...delta.changedTopics))
  const release = log.hold()
  const creation = controller.createTopics([topic('a')])
  await new Promise(resolve => setImmediate(resolve))
  deepEqual(seen, [])
  equal(loader.image.topics.size, 0)
  release()
  const [created] = await creation
  deepEqual(seen, [created!.topicId])
})

test('decisions that overlap build on each other', async () => {
  const { controller, log } = await running()
  const release = log.hold()
  const first = controller.createTopics([topic('a')])
  const second = controller.createTopics([topic('a')])
  release()
  equal((await first)[0]!.errorCode, ErrorCode.NONE)
  equal((await second)[0]!.errorCode, ErrorCode.TOPIC_ALREADY_EXISTS)
})

test('when the log fails the answer is that nobody knows, and the next request finds what was kept', async () => {
  const { controller, loader, log } = await running()
  await controller.createTopics([topic('kept')])
  const changes: string[] = []
  loader.subscribe((_, image) => changes.push([...image.topics.keys()].sort().join()))
  log.refusesNext = true
  const lost = controller.createTopics([topic('lost')])
  const behind = controller.createTopics([topic('behind')])
  await rejects(lost, StateLostError)
  await rejects(behind, StateLostError)
  deepEqual([...loader.image.topics.keys()], ['kept'])
  equal((await controller.createTopics([topic('later')]))[0]!.errorCode, ErrorCode.NONE)
  deepEqual([...loader.image.topics.keys()].sort(), ['kept', 'later'])
  deepEqual(changes.at(-1), 'kept,later')
})

test('a log that stays broken refuses every request', async () => {
  const { controller, log } = await running()
  log.refusesNext = true
  await rejects(controller.createTopics([topic('a')]), StateLostError)
  log.refusesNext = true
  await rejects(controller.createTopics([topic('a')]), StateLostError)
})

test('producer ids are given to this broker unless another is named, and never twice', async () => {
  const { controller, log } = await running()
  const first = await controller.allocateProducerIds()
  equal(first.first, 0)
  const again = await open(log.afterCrash(true), { epoch: 2 })
  equal((await again.controller.allocateProducerIds()).first, first.first + first.count)
  equal((await again.controller.allocateProducerIds(9)).errorCode, ErrorCode.BROKER_ID_NOT_REGISTERED)
})

test('a log that has grown far beyond its content is replaced by a snapshot', async () => {
  const metadata = await running()
  const { controller, loader, log } = metadata
  await controller.createTopics([topic('a')])
  for (let index = 0; index < 101; index++) {
    const names = Array.from({ length: 99 }, (_, at) => `t${index}-${at}`)
    await controller.createTopics(names.map(topic))
    await controller.deleteTopics(names.map(name => ({ name, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' })))
  }
  await metadata.controller.createTopics([])
  const records = await metadata.records()
  ok(records.length < 1_500)
  equal(records[0]!.kind, 'snapshot-started')
  deepEqual(plain(imageOf(...records)), plain(loader.image))
  const again = await open(log.afterCrash(true), { epoch: 2 })
  deepEqual([...again.loader.image.topics.keys()], ['a'])
})

test('a broker that does not lead decides nothing, and whoever waits learns that nobody knows', async () => {
  const { controller, metadataLog, log } = await running()
  log.hold()
  const waiting = controller.createTopics([topic('a')])
  metadataLog.resign('another leads')
  controller.resign()
  await rejects(waiting, StateLostError)
  await rejects(controller.createTopics([topic('b')]), StateLostError)
  equal(controller.epoch, null)
})

test('a new leader decides only when all that it found in its log is committed', async () => {
  const { controller, metadataLog, loader, log } = await running()
  const release = log.hold()
  const lost = controller.createTopics([topic('a')])
  metadataLog.resign('another leads')
  controller.resign()
  await rejects(lost, StateLostError)
  metadataLog.lead(2)
  const led = controller.lead(2)
  const creation = controller.createTopics([topic('a')])
  equal(controller.epoch, null)
  equal(loader.image.topics.size, 0)
  release()
  await led
  equal((await creation)[0]!.errorCode, ErrorCode.TOPIC_ALREADY_EXISTS)
})
