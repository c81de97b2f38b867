// The program for @platformatic/kafka. Its stream of messages always joins a group, so reading by assignment uses the fetch()
// of its consumer.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DEADLINE_MS, decode, encode, require, serve } from './lines.mjs'
import { groupCommands } from './platformatic-groups.mjs'
import { transactionCommands } from './platformatic-transactions.mjs'

const platformatic = await import(pathToFileURL(require.resolve('@platformatic/kafka')))
const { Admin, Consumer, Producer, ConfigResourceTypes, IncrementalAlterConfigOperationTypes, ProduceAcks } =
  platformatic

const admins = new Map()
const connection = ({ bootstrap }) => ({
  clientId: 'platformatic-program',
  bootstrapBrokers: [bootstrap],
  autocreateTopics: false,
  retries: 5,
  retryDelay: 200,
})
const acks = { 0: ProduceAcks.NO_RESPONSE, 1: ProduceAcks.LEADER, all: ProduceAcks.ALL }

function adminOf(command) {
  if (!admins.has(command.bootstrap)) admins.set(command.bootstrap, new Admin(connection(command)))
  return admins.get(command.bootstrap)
}

const topicResource = command => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName: command.topic })

const commands = {
  hello: async () => ({
    client: `@platformatic/kafka ${JSON.parse(await readFile(join(process.argv[2], 'node_modules/@platformatic/kafka/package.json'))).version}`,
  }),

  async describeCluster(command) {
    const { id, brokers, controllerId } = await adminOf(command).metadata({ topics: [], forceUpdate: true })
    return {
      clusterId: id,
      controllerId,
      brokers: [...brokers].map(([nodeId, { host, port }]) => ({ id: nodeId, host, port })),
    }
  },

  async createTopic({ topic, partitions, replicationFactor: replicas, ...command }) {
    const configs = Object.entries(command.configs).map(([name, value]) => ({ name, value }))
    await adminOf(command).createTopics({ topics: [{ topic, partitions, replicas }], configs })
    return {}
  },

  async deleteTopic(command) {
    await adminOf(command).deleteTopics({ topics: [command.topic] })
    return {}
  },

  async describeTopic(command) {
    const { topics } = await adminOf(command).metadata({ topics: [command.topic], forceUpdate: true })
    const partitions = topics.get(command.topic).partitions
    return {
      partitions: partitions.map(({ leader, replicas, isr }, partition) => ({ partition, leader, replicas, isr })),
    }
  },

  async createPartitions(command) {
    await adminOf(command).createPartitions({
      topics: [{ name: command.topic, count: command.count, assignments: null }],
    })
    return {}
  },

  async alterConfig(command) {
    const { SET, DELETE } = IncrementalAlterConfigOperationTypes
    const name = command.key
    const config =
      command.value === null ? { name, configOperation: DELETE } : { name, configOperation: SET, value: command.value }
    await adminOf(command).incrementalAlterConfigs({ resources: [{ ...topicResource(command), configs: [config] }] })
    return {}
  },

  async describeConfigs(command) {
    const [{ configs }] = await adminOf(command).describeConfigs({ resources: [topicResource(command)] })
    // Source 1: set on the topic itself.
    return {
      configs: Object.fromEntries(
        configs.map(({ name, value, configSource }) => [name, { value, isSet: configSource === 1 }]),
      ),
    }
  },

  async deleteRecords(command) {
    const partitions = [{ partition: command.partition, offset: BigInt(command.before) }]
    const [deleted] = await adminOf(command).deleteRecords({ topics: [{ name: command.topic, partitions }] })
    return { lowWatermark: deleted.partitions[0].lowWatermark }
  },

  async listOffsets(command) {
    const special = { latest: -1n, earliest: -2n, 'max-timestamp': -3n }
    const timestamp = special[command.at] ?? BigInt(command.at)
    const topics = [{ name: command.topic, partitions: [{ partitionIndex: command.partition, timestamp }] }]
    const [listed] = await adminOf(command).listOffsets({ topics })
    return { offset: listed.partitions[0].offset }
  },

  async produce(command) {
    const producer = new Producer({
      ...connection(command),
      idempotent: command.idempotent,
      autocreateTopics: command.autoCreate,
    })
    try {
      const messages = command.records.map(({ key, value, headers, timestamp }) => ({
        topic: command.topic,
        partition: command.partition,
        key: decode(key),
        value: decode(value),
        // A Map by identity of the Buffers, so a name may come twice.
        headers: new Map(headers.map(([name, each]) => [Buffer.from(name), decode(each)])),
        ...(timestamp === undefined ? {} : { timestamp: BigInt(timestamp) }),
      }))
      const sent = await producer.send({ messages, acks: acks[command.acks], compression: command.compression })
      return {
        offsets: messages.map((_, index) => (command.acks === '0' ? null : Number(sent.offsets[0].offset) + index)),
      }
    } finally {
      await producer.close()
    }
  },

  async consume(command) {
    const { topic, partition, from, count } = command
    const consumer = new Consumer({ ...connection(command), groupId: 'not-a-member' })
    try {
      const metadata = await consumer.metadata({ topics: [topic], forceUpdate: true })
      const { id: topicId, partitions } = metadata.topics.get(topic)
      let next = from
      if (from === 'earliest') next = Number((await commands.listOffsets({ ...command, at: 'earliest' })).offset)
      else if (typeof from === 'object')
        next = Number((await commands.listOffsets({ ...command, at: from.timestamp })).offset)
      const records = []
      const deadline = performance.now() + DEADLINE_MS
      while (records.length < count) {
        if (performance.now() > deadline) throw new Error(`${records.length} of ${count} records in time`)
        const { responses } = await consumer.fetch({
          node: partitions[partition].leader,
          maxWaitTime: 500,
          minBytes: 1,
          maxBytes: 10_485_760,
          topics: [
            {
              topicId,
              partitions: [
                {
                  partition,
                  fetchOffset: BigInt(next),
                  partitionMaxBytes: 1_048_576,
                  currentLeaderEpoch: -1,
                  lastFetchedEpoch: -1,
                },
              ],
            },
          ],
        })
        for (const batch of responses.flatMap(response => response.partitions[0].records ?? [])) {
          for (const record of batch.records) {
            const offset = Number(batch.firstOffset) + record.offsetDelta
            // A fetch answers whole batches: the first may begin before the offset that was asked for.
            if (offset < next || records.length === count) continue
            next = offset + 1
            records.push(json(batch, record, offset))
          }
        }
      }
      return { records }
    } finally {
      await consumer.close()
    }
  },
}

const LOG_APPEND_TIME = 0b1000

function json(batch, record, offset) {
  const timestamp =
    batch.attributes & LOG_APPEND_TIME ? batch.maxTimestamp : batch.firstTimestamp + record.timestampDelta
  const headers = record.headers.map(([name, value]) => [String(name), encode(value)])
  return { offset, timestamp, key: encode(record.key), value: encode(record.value), headers }
}

// -1 stands for a record in a list of refused records; the code of its partition is next to it.
const codeOf = error => (error.apiCode > 0 ? error.apiCode : null)

await serve(
  { ...commands, ...transactionCommands(Producer, connection, acks), ...groupCommands(Consumer, connection, codeOf) },
  codeOf,
)
