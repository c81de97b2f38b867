// Topics and configurations: create, describe, grow, change, delete records, delete.
import { deepEqual, equal, match, ok } from 'node:assert/strict'
import {
  check,
  Code,
  codeFor,
  consume,
  eventually,
  newTopic,
  produce,
  refused,
  sameRecords,
  textRecord,
  topicName,
} from './check.ts'
import type { Suite } from './check.ts'

export function administrationChecks(suite: Suite): void {
  clusterChecks(suite)
  topicChecks(suite)
  configChecks(suite)
  deletionChecks(suite)
}

function clusterChecks(suite: Suite): void {
  const { bench } = suite

  check(suite, 'sees a cluster of one broker at the address it was given', [], async () => {
    const { broker, client } = bench()
    const { clusterId, controllerId, brokers } = await client.run('describeCluster', {})
    deepEqual(brokers, [{ id: controllerId, host: broker.host, port: broker.port }])
    if (clusterId !== null) match(clusterId, /^[\w-]{22}$/)
  })

  check(suite, 'sees the partitions of a topic, each with its leader, replicas and in-sync replicas', [], async () => {
    const topic = await newTopic(bench(), 'described', { partitions: 4 })
    const { controllerId: id } = await bench().client.run('describeCluster', {})
    const { partitions } = await bench().client.run('describeTopic', { topic })
    deepEqual(
      partitions,
      [0, 1, 2, 3].map(partition => ({ partition, leader: id, replicas: [id], isr: [id] })),
    )
  })
}

function topicChecks(suite: Suite): void {
  const { kind, bench } = suite
  const needs = ['administration'] as const
  const create = async (
    topic: string,
    more: {
      partitions?: number
      replicationFactor?: number
      configs?: Record<string, string>
      validateOnly?: boolean
    } = {},
  ) =>
    bench().client.run('createTopic', {
      topic,
      partitions: 1,
      replicationFactor: 1,
      configs: {},
      validateOnly: false,
      ...more,
    })
  // A topic that was created a moment ago may not be in the broker's metadata yet.
  const partitionsOf = async (topic: string) => {
    const { partitions } = await eventually(() => bench().client.run('describeTopic', { topic }))
    return partitions.length
  }

  check(suite, 'creates a topic with partitions and configurations', needs, async () => {
    const topic = topicName('created')
    await create(topic, { partitions: 3, configs: { 'retention.ms': '86400000', 'cleanup.policy': 'compact,delete' } })
    equal(await partitionsOf(topic), 3)
    const { configs } = await bench().client.run('describeConfigs', { topic })
    const set = Object.entries(configs).filter(([, { isSet }]) => isSet)
    deepEqual(Object.fromEntries(set.map(([name, { value }]) => [name, value])), {
      'retention.ms': '86400000',
      'cleanup.policy': 'compact,delete',
    })
    deepEqual(configs['max.message.bytes'], { value: '1048588', isSet: false })
  })

  check(suite, 'creates a topic with the defaults of the broker for partitions and replicas', needs, async () => {
    const topic = topicName('defaults')
    await create(topic, { partitions: -1, replicationFactor: -1 })
    equal(await partitionsOf(topic), 1)
  })

  check(
    suite,
    'validateOnly says whether a topic could be created and creates nothing',
    [...needs, 'validateOnly'],
    async () => {
      const topic = topicName('validated')
      await create(topic, { partitions: 3, validateOnly: true })
      await refused(create(topic, { partitions: 0, validateOnly: true }), Code.INVALID_PARTITIONS)
      await refused(
        bench().client.run('describeTopic', { topic }),
        codeFor(kind, 'describe an unknown topic', Code.UNKNOWN_TOPIC_OR_PARTITION),
      )
    },
  )

  check(suite, 'a topic name may have 249 characters and all that Kafka allows', needs, async () => {
    const topic = `${topicName('long')}._-`.padEnd(249, 'x')
    await create(topic)
    equal(await partitionsOf(topic), 1)
    await refused(create(`${topic}x`), Code.INVALID_TOPIC_EXCEPTION)
  })

  for (const name of ['with space', 'dollar$', 'ümlaut', '.', '..', 'slash/']) {
    check(suite, `'${name}' is refused as a topic name`, needs, () =>
      refused(create(name), Code.INVALID_TOPIC_EXCEPTION),
    )
  }

  check(suite, 'a name that differs only in . and _ from an existing one is refused', needs, async () => {
    const topic = topicName('one.two')
    await create(topic)
    await refused(create(topic.replace('.', '_')), Code.INVALID_TOPIC_EXCEPTION)
  })

  check(suite, 'a topic that exists is not created again', needs, async () => {
    const topic = topicName('existing')
    await create(topic, { partitions: 2 })
    await refused(create(topic), Code.TOPIC_ALREADY_EXISTS)
    equal(await partitionsOf(topic), 2)
  })

  check(suite, 'a topic needs a partition, and a replication factor that the cluster can hold', needs, async () => {
    await refused(create(topicName('none'), { partitions: 0 }), Code.INVALID_PARTITIONS)
    await refused(create(topicName('none'), { replicationFactor: 0 }), Code.INVALID_REPLICATION_FACTOR)
    await refused(create(topicName('none'), { replicationFactor: 3 }), Code.INVALID_REPLICATION_FACTOR)
  })

  check(suite, 'a negative number of partitions is refused', [...needs, 'negative partitions'], () =>
    refused(create(topicName('none'), { partitions: -5 }), Code.INVALID_PARTITIONS),
  )

  check(suite, 'a topic gets more partitions, and keeps the records of the old ones', needs, async () => {
    const topic = await newTopic(bench(), 'growing', { partitions: 2 })
    await produce(bench().helper, topic, [textRecord('old', 'record')], { partition: 1 })
    await bench().client.run('createPartitions', { topic, count: 5 })
    await eventually(async () => equal(await partitionsOf(topic), 5))
    await produce(bench().helper, topic, [textRecord('new', 'record')], { partition: 4 })
    sameRecords(await consume(bench().client, topic, 'earliest', 1, 1), [textRecord('old', 'record')])
    sameRecords(await consume(bench().client, topic, 'earliest', 1, 4), [textRecord('new', 'record')])
  })

  check(suite, 'a topic cannot get fewer partitions, nor as many as it has', needs, async () => {
    const topic = await newTopic(bench(), 'shrinking', { partitions: 2 })
    await refused(bench().client.run('createPartitions', { topic, count: 1 }), Code.INVALID_PARTITIONS)
    await refused(bench().client.run('createPartitions', { topic, count: 2 }), Code.INVALID_PARTITIONS)
  })
}

function configChecks(suite: Suite): void {
  const { bench } = suite
  const needs = ['administration'] as const
  const alter = (topic: string, key: string, value: string | null) =>
    bench().client.run('alterConfig', { topic, key, value })
  const valueOf = async (topic: string, key: string) =>
    (await bench().client.run('describeConfigs', { topic })).configs[key]

  check(suite, 'a changed configuration is in force, and so is its removal', needs, async () => {
    const topic = await newTopic(bench(), 'altered')
    const record = textRecord('key', 'x'.repeat(5_000))
    await produce(bench().client, topic, [record])
    await alter(topic, 'max.message.bytes', '2000')
    await eventually(async () => deepEqual(await valueOf(topic, 'max.message.bytes'), { value: '2000', isSet: true }))
    await refused(produce(bench().client, topic, [record]), Code.MESSAGE_TOO_LARGE)
    await alter(topic, 'max.message.bytes', null)
    await eventually(async () =>
      deepEqual(await valueOf(topic, 'max.message.bytes'), { value: '1048588', isSet: false }),
    )
    deepEqual(await produce(bench().client, topic, [record]), [1])
  })

  check(
    suite,
    'a configuration that Kafka does not know, or a value that it cannot have, is refused',
    needs,
    async () => {
      const topic = await newTopic(bench(), 'config')
      await refused(alter(topic, 'retention.mss', '1000'), Code.INVALID_CONFIG)
      await refused(alter(topic, 'retention.ms', 'long'), Code.INVALID_CONFIG)
      await refused(alter(topic, 'retention.ms', '-2'), Code.INVALID_CONFIG)
      await refused(alter(topic, 'cleanup.policy', 'keep'), Code.INVALID_CONFIG)
      deepEqual(await valueOf(topic, 'retention.ms'), { value: '604800000', isSet: false })
      const create = (configs: Record<string, string>) =>
        bench().client.run('createTopic', {
          topic: topicName('config'),
          partitions: 1,
          replicationFactor: 1,
          configs,
          validateOnly: false,
        })
      await refused(create({ 'no.such.key': '1' }), Code.INVALID_CONFIG)
      await refused(create({ 'segment.bytes': 'many' }), Code.INVALID_CONFIG)
    },
  )
}

function deletionChecks(suite: Suite): void {
  const { kind, bench } = suite
  const needs = ['administration'] as const

  check(suite, 'deleted records are gone for readers, and offsets go on', needs, async () => {
    const { client, helper } = bench()
    const topic = await newTopic(bench(), 'delete-records')
    const records = Array.from({ length: 20 }, (_, index) => textRecord('key', String(index)))
    await produce(helper, topic, records)
    const deleted = await client.run('deleteRecords', { topic, partition: 0, before: 7 })
    ok(deleted.lowWatermark === null || deleted.lowWatermark === 7)
    equal((await client.run('listOffsets', { topic, partition: 0, at: 'earliest' })).offset, 7)
    sameRecords(await consume(client, topic, 'earliest', 13), records.slice(7), 7)
    await client.run('deleteRecords', { topic, partition: 0, before: -1 })
    equal((await client.run('listOffsets', { topic, partition: 0, at: 'earliest' })).offset, 20)
    deepEqual(await produce(client, topic, [textRecord('key', 'next')]), [20])
  })

  check(suite, 'records beyond the end cannot be deleted', needs, async () => {
    const topic = await newTopic(bench(), 'delete-beyond')
    await refused(bench().client.run('deleteRecords', { topic, partition: 0, before: 1 }), Code.OFFSET_OUT_OF_RANGE)
  })

  check(suite, 'a deleted topic is gone, and one of the same name begins at offset 0', needs, async () => {
    const { client, helper } = bench()
    const topic = await newTopic(bench(), 'deleted')
    await produce(helper, topic, [textRecord('key', 'old'), textRecord('key', 'old')])
    await client.run('deleteTopic', { topic })
    const unknown = codeFor(kind, 'describe an unknown topic', Code.UNKNOWN_TOPIC_OR_PARTITION)
    await eventually(() => refused(client.run('describeTopic', { topic }), unknown))
    await client.run('createTopic', { topic, partitions: 1, replicationFactor: 1, configs: {}, validateOnly: false })
    deepEqual(await produce(client, topic, [textRecord('key', 'new')]), [0])
    sameRecords(await consume(client, topic, 'earliest', 1), [textRecord('key', 'new')])
  })

  check(suite, 'a topic that does not exist cannot be deleted', needs, () =>
    refused(bench().client.run('deleteTopic', { topic: topicName('missing') }), Code.UNKNOWN_TOPIC_OR_PARTITION),
  )
}
