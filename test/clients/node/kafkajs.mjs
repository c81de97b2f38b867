// The program for kafkajs. It brings gzip only; snappy is the usual package, lz4 and zstd are plugged in as its documentation
// describes. Its consumer knows only groups, so reading by assignment goes through the classes underneath it: the same
// connections, requests and decoders, without the group.
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { groupCommands } from './kafkajs-groups.mjs'
import { transactionCommands } from './kafkajs-transactions.mjs'
import { DEADLINE_MS, decode, encode, require, serve } from './lines.mjs'

const {
  Kafka,
  KafkaJSProtocolError,
  CompressionTypes,
  CompressionCodecs,
  ConfigResourceTypes,
  logLevel,
} = require('kafkajs')
const Cluster = require('kafkajs/src/cluster')
const { createLogger } = require('kafkajs/src/loggers')
const socketFactory = require('kafkajs/src/network/socketFactory')
const Batch = require('kafkajs/src/consumer/batch')
const lz4 = require('lz4-napi')

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: encoder => lz4.compressFrame(encoder.buffer),
  decompress: buffer => lz4.decompressFrame(buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: encoder => promisify(zstdCompress)(encoder.buffer),
  decompress: buffer => promisify(zstdDecompress)(buffer),
})
const compressions = { none: 'None', gzip: 'GZIP', snappy: 'Snappy', lz4: 'LZ4', zstd: 'ZSTD' }

const retry = { initialRetryTime: 20, retries: 8 }
const silent = { logLevel: logLevel.NOTHING, retry }
const admins = new Map()

const connect = bootstrap => new Kafka({ clientId: 'kafkajs-program', brokers: [bootstrap], ...silent })

async function adminOf({ bootstrap }) {
  if (!admins.has(bootstrap)) {
    const admin = new Kafka({ clientId: 'kafkajs-program', brokers: [bootstrap], ...silent }).admin()
    await admin.connect()
    admins.set(bootstrap, admin)
  }
  return admins.get(bootstrap)
}

const topicResource = command => ({ type: ConfigResourceTypes.TOPIC, name: command.topic })

const commands = {
  hello: () => ({ client: `kafkajs ${require('kafkajs/package.json').version}` }),

  async describeCluster(command) {
    const { clusterId, controller, brokers } = await (await adminOf(command)).describeCluster()
    return {
      clusterId,
      controllerId: controller,
      brokers: brokers.map(({ nodeId, host, port }) => ({ id: nodeId, host, port })),
    }
  },

  async createTopic(command) {
    const { topic, partitions: numPartitions, replicationFactor, validateOnly } = command
    const configEntries = Object.entries(command.configs).map(([name, value]) => ({ name, value }))
    const topics = [{ topic, numPartitions, replicationFactor, configEntries }]
    const isNew = await (await adminOf(command)).createTopics({ validateOnly, waitForLeaders: !validateOnly, topics })
    // This client's word for TOPIC_ALREADY_EXISTS.
    if (!isNew) throw new KafkaJSProtocolError({ message: 'createTopics() resolved to false', code: 36 })
    return {}
  },

  async deleteTopic(command) {
    await (await adminOf(command)).deleteTopics({ topics: [command.topic] })
    return {}
  },

  async describeTopic(command) {
    const { topics } = await (await adminOf(command)).fetchTopicMetadata({ topics: [command.topic] })
    const partitions = topics[0].partitions.map(({ partitionId, leader, replicas, isr }) => ({
      partition: partitionId,
      leader,
      replicas,
      isr,
    }))
    return { partitions: partitions.sort((a, b) => a.partition - b.partition) }
  },

  async createPartitions(command) {
    const topicPartitions = [{ topic: command.topic, count: command.count }]
    await (await adminOf(command)).createPartitions({ topicPartitions })
    return {}
  },

  // AlterConfigs, not the incremental request: it replaces all that was set, which is the same where nothing else was.
  async alterConfig(command) {
    const configEntries = command.value === null ? [] : [{ name: command.key, value: command.value }]
    await (
      await adminOf(command)
    ).alterConfigs({ validateOnly: false, resources: [{ ...topicResource(command), configEntries }] })
    return {}
  },

  async describeConfigs(command) {
    const { resources } = await (
      await adminOf(command)
    ).describeConfigs({ resources: [topicResource(command)], includeSynonyms: false })
    const entries = resources[0].configEntries
    // Source 1: set on the topic itself.
    return {
      configs: Object.fromEntries(
        entries.map(entry => [entry.configName, { value: entry.configValue, isSet: entry.configSource === 1 }]),
      ),
    }
  },

  async deleteRecords(command) {
    const partitions = [{ partition: command.partition, offset: String(command.before) }]
    const admin = await adminOf(command)
    // It looks for the leader in the metadata it has, and asks for none itself.
    await admin.fetchTopicOffsets(command.topic)
    await admin.deleteTopicRecords({ topic: command.topic, partitions })
    return { lowWatermark: null }
  },

  async listOffsets(command) {
    const admin = await adminOf(command)
    const ofPartition = list => list.find(each => each.partition === command.partition)
    if (typeof command.at === 'number') {
      return { offset: Number(ofPartition(await admin.fetchTopicOffsetsByTimestamp(command.topic, command.at)).offset) }
    }
    const { low, high } = ofPartition(await admin.fetchTopicOffsets(command.topic))
    return { offset: Number(command.at === 'earliest' ? low : high) }
  },

  async produce(command) {
    const kafka = new Kafka({ clientId: 'kafkajs-program', brokers: [command.bootstrap], ...silent })
    const producer = kafka.producer({
      createPartitioner: () => () => command.partition,
      idempotent: command.idempotent,
      allowAutoTopicCreation: command.autoCreate,
      maxInFlightRequests: command.idempotent ? 1 : null,
      retry,
    })
    await producer.connect()
    try {
      const messages = command.records.map(({ key, value, headers, timestamp }) => ({
        key: decode(key),
        value: decode(value),
        headers: grouped(headers),
        ...(timestamp === undefined ? {} : { timestamp: String(timestamp) }),
      }))
      const sent = await producer.send({
        topic: command.topic,
        messages,
        acks: command.acks === 'all' ? -1 : Number(command.acks),
        compression: CompressionTypes[compressions[command.compression]],
      })
      const baseOffset = command.acks === '0' ? null : Number(sent[0].baseOffset)
      return { offsets: messages.map((_, index) => (baseOffset === null ? null : baseOffset + index)) }
    } finally {
      await producer.disconnect()
    }
  },

  async consume(command) {
    const { bootstrap, topic, partition, from, count } = command
    const isolationLevel = command.isolation === 'read_committed' ? 1 : 0
    let next = from
    if (from === 'earliest') next = (await commands.listOffsets({ ...command, at: 'earliest' })).offset
    else if (typeof from === 'object') next = (await commands.listOffsets({ ...command, at: from.timestamp })).offset
    const cluster = new Cluster({
      logger: createLogger({ level: logLevel.NOTHING, logCreator: require('kafkajs/src/loggers/console') }),
      socketFactory: socketFactory(),
      brokers: [bootstrap],
      clientId: 'kafkajs-program',
      connectionTimeout: 10_000,
      enforceRequestTimeout: true,
      metadataMaxAge: 300_000,
      allowAutoTopicCreation: false,
      maxInFlightRequests: null,
      isolationLevel,
      offsets: new Map(),
      retry,
    })
    await cluster.connect()
    try {
      await cluster.addTargetTopic(topic)
      const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
      const broker = await cluster.findBroker({ nodeId })
      const records = []
      const deadline = performance.now() + DEADLINE_MS
      while (records.length < count) {
        if (performance.now() > deadline) throw new Error(`${records.length} of ${count} records in time`)
        const topics = [{ topic, partitions: [{ partition, fetchOffset: next, maxBytes: 1_048_576 }] }]
        const { responses } = await broker.fetch({
          isolationLevel,
          maxWaitTime: 500,
          minBytes: 1,
          maxBytes: 10_485_760,
          topics,
        })
        // As its consumer does: without what lies before the offset that was asked for, control records and aborted ones.
        const batch = new Batch(topic, String(next), responses[0].partitions[0])
        for (const message of batch.messages) if (records.length < count) records.push(record(message))
        if (batch.rawMessages.length > 0) next = Number(batch.lastOffset()) + 1
      }
      return { records }
    } finally {
      await cluster.disconnect()
    }
  },
}

function grouped(headers) {
  const byName = {}
  for (const [name, value] of headers) (byName[name] ??= []).push(decode(value))
  return byName
}

function record({ offset, timestamp, key, value, headers }) {
  return {
    offset: Number(offset),
    timestamp: Number(timestamp),
    key: encode(key),
    value: encode(value),
    headers: Object.entries(headers).flatMap(([name, values]) => [values].flat().map(each => [name, encode(each)])),
  }
}

const codeOf = error => (error.name.startsWith('KafkaJS') && typeof error.code === 'number' ? error.code : null)

await serve({ ...commands, ...transactionCommands(connect, retry), ...groupCommands(connect, codeOf) }, codeOf)
