import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { silentLogger } from '../../../broker/base/log.ts'
import { parseBrokerConfig, type BrokerConfig } from '../../../broker/config/broker-config.ts'
import { memoryJournal, type MemoryJournal } from '../../../broker/machine/journal.ts'
import { StateLostError } from '../../../broker/machine/runtime.ts'
import { Controller } from '../../../broker/metadata/controller.ts'
import type { MetadataDelta } from '../../../broker/metadata/publisher.ts'
import type { MetadataRecord } from '../../../broker/metadata/records.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { imageOf, plain, seededRandom } from './images.ts'

function config(): BrokerConfig {
  const parsed = parseBrokerConfig(new Map([['num.partitions', '2']]))
  ok('config' in parsed)
  return parsed.config
}

function open(journal: MemoryJournal<MetadataRecord>, over: { clusterId?: string; epoch?: number } = {}) {
  return Controller.open({
    journal,
    random: seededRandom(1),
    log: silentLogger,
    config: config(),
    clusterId: 'c',
    brokerId: 1,
    epoch: 1,
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

async function running(journal = memoryJournal<MetadataRecord>()) {
  const controller = await open(journal)
  await controller.registerBroker(registration)
  return { controller, journal }
}

test('a new cluster has an id, the feature levels it starts with, and a controller', async () => {
  const controller = await open(memoryJournal())
  equal(controller.image.clusterId, 'c')
  equal(controller.image.controllerId, 1)
  equal(controller.image.controllerEpoch, 1)
  deepEqual(
    [...controller.image.features],
    [
      ['metadata.version', 33],
      ['transaction.version', 2],
    ],
  )
})

test('what was decided is there after a restart', async () => {
  const { controller, journal } = await running()
  await controller.createTopics([topic('a'), topic('b')])
  await controller.deleteTopics([{ name: 'b', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' }])
  const again = await open(journal, { epoch: 2 })
  deepEqual([...again.image.topics.keys()], ['a'])
  equal(again.image.topics.get('a')!.partitions.length, 2)
  equal(again.image.controllerEpoch, 2)
})

test('the journal of another cluster, or one that was led in a later epoch, is refused', async () => {
  const { journal } = await running()
  await rejects(open(journal, { clusterId: 'other' }), /belongs to the cluster c, but this broker is of other/)
  await rejects(open(journal, { epoch: 0 }), /was led in epoch 1, but the election record says 0/)
})

test('a feature level that this version does not support stops the broker with what to do', async () => {
  const { journal } = await running()
  await journal.append([{ kind: 'feature-level-set', name: 'metadata.version', level: 99 }])
  await rejects(open(journal, { epoch: 2 }), /level 99 of the feature metadata\.version.*newer one/)
})

test('subscribers see a change before its answer, and never one that is not committed', async () => {
  const { controller, journal } = await running()
  const seen: string[] = []
  controller.subscribe((delta: MetadataDelta) => seen.push(...delta.changedTopics))
  const release = journal.hold()
  const creation = controller.createTopics([topic('a')])
  await new Promise(resolve => setImmediate(resolve))
  deepEqual(seen, [])
  equal(controller.image.topics.size, 0)
  release()
  const [created] = await creation
  deepEqual(seen, [created!.topicId])
})

test('decisions that overlap build on each other', async () => {
  const { controller, journal } = await running()
  const release = journal.hold()
  const first = controller.createTopics([topic('a')])
  const second = controller.createTopics([topic('a')])
  release()
  equal((await first)[0]!.errorCode, ErrorCode.NONE)
  equal((await second)[0]!.errorCode, ErrorCode.TOPIC_ALREADY_EXISTS)
})

test('when the journal fails the answer is that nobody knows, and the next request finds what was kept', async () => {
  const { controller, journal } = await running()
  await controller.createTopics([topic('kept')])
  const changes: string[] = []
  controller.subscribe((_, image) => changes.push([...image.topics.keys()].sort().join()))
  journal.failNext(new Error('disk'))
  const lost = controller.createTopics([topic('lost')])
  const behind = controller.createTopics([topic('behind')])
  await rejects(lost, StateLostError)
  await rejects(behind, StateLostError)
  deepEqual([...controller.image.topics.keys()], ['kept'])
  equal((await controller.createTopics([topic('later')]))[0]!.errorCode, ErrorCode.NONE)
  deepEqual([...controller.image.topics.keys()].sort(), ['kept', 'later'])
  deepEqual(changes.at(-1), 'kept,later')
})

test('a journal that stays broken refuses every request', async () => {
  const { controller, journal } = await running()
  journal.failNext(new Error('disk'))
  await rejects(controller.createTopics([topic('a')]), StateLostError)
  journal.failNext(new Error('disk'))
  await rejects(controller.createTopics([topic('a')]), StateLostError)
})

test('producer ids are given to this broker unless another is named, and never twice', async () => {
  const { controller, journal } = await running()
  const first = await controller.allocateProducerIds()
  equal(first.first, 0)
  const again = await open(journal, { epoch: 2 })
  equal((await again.allocateProducerIds()).first, first.first + first.count)
  equal((await again.allocateProducerIds(9)).errorCode, ErrorCode.BROKER_ID_NOT_REGISTERED)
})

test('a journal that has grown far beyond its content is replaced by a snapshot', async () => {
  const { controller, journal } = await running()
  await controller.createTopics([topic('a')])
  for (let index = 0; index < 101; index++) {
    const names = Array.from({ length: 99 }, (_, at) => `t${index}-${at}`)
    await controller.createTopics(names.map(topic))
    await controller.deleteTopics(names.map(name => ({ name, topicId: 'AAAAAAAAAAAAAAAAAAAAAA' })))
  }
  while (journal.records.length > 1_500) await new Promise(resolve => setImmediate(resolve))
  equal(journal.records[0]!.kind, 'snapshot-started')
  deepEqual(plain(imageOf(...journal.records)), plain(controller.image))
  const again = await open(journal, { epoch: 2 })
  deepEqual([...again.image.topics.keys()], ['a'])
})
