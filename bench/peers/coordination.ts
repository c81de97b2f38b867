// What is measured of coordinators: offset commits, rebalances and transactions, by a client that speaks the protocol by hand and is the same
// for both systems. Sizes are chosen so that one measurement takes about a second.
import { setTimeout as sleep } from 'node:timers/promises'
import { tcpTransport } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { ErrorCode } from '../../broker/protocol/errors.ts'
import { EndTxn } from '../../broker/protocol/messages/end-txn.ts'
import { Fetch } from '../../broker/protocol/messages/fetch.ts'
import { FindCoordinator } from '../../broker/protocol/messages/find-coordinator.ts'
import { IncrementalAlterConfigs } from '../../broker/protocol/messages/incremental-alter-configs.ts'
import { InitProducerId } from '../../broker/protocol/messages/init-producer-id.ts'
import { OffsetCommit } from '../../broker/protocol/messages/offset-commit.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { buildBatch } from '../../broker/records/batch.ts'
import { ask, createTopic, until } from './admin.ts'
import { RawMember } from './members.ts'
import type { Measured, Scenario } from './scenarios.ts'
import type { System } from './systems.ts'

export const TOPIC = 'orders'
const PARTITIONS = 10
const MEASURED_MS = 1000
const IN_FLIGHT = 10
const MEMBERS = 100
const REBALANCES = 5
const LATENCY_TRANSACTIONS = 300
const LATENCY_PAUSE_MS = 5
/** Who is told that the last transaction still ends asks again after this. */
const RETRY_MS = 2
const TOPIC_RESOURCE = 2
const SET = 0
const LEFT_TO_THE_SYSTEM = '9223372036854775807'

let names = 0

export async function open({ host, port }: System): Promise<BrokerConnection> {
  return BrokerConnection.open(tcpTransport, { host, port }, 'bench')
}

/** The topic, both coordinators, and everybody ready to answer. */
export async function prepare(system: System): Promise<void> {
  await createTopic(system, TOPIC, PARTITIONS)
  for (const keyType of [0, 1]) {
    await until('there are coordinators', async () => {
      const { coordinators } = await ask(system, FindCoordinator, 4, { keyType, coordinatorKeys: ['x'] })
      return coordinators[0]!.errorCode === ErrorCode.NONE
    })
  }
  const connection = await open(system)
  await until('offsets can be committed', async () => (await commit(connection, 'warm-up', 1)) === ErrorCode.NONE)
  const producer = await TransactionalProducer.open(system)
  await producer.transaction()
  producer.connection.close()
  connection.close()
}

/** Every acknowledgement is on the disk, or flushing is left to the operating system; for records, offsets and transactions. */
async function setFlushed(system: System, isFlushed: boolean): Promise<void> {
  const value = isFlushed ? '1' : LEFT_TO_THE_SYSTEM
  const configs = [{ name: 'flush.messages', configOperation: SET, value }]
  const { responses } = await ask(system, IncrementalAlterConfigs, 1, {
    resources: [TOPIC, '__consumer_offsets', '__transaction_state'].map(resourceName => ({
      resourceType: TOPIC_RESOURCE,
      resourceName,
      configs,
    })),
    validateOnly: false,
  })
  for (const { errorCode } of responses) if (errorCode !== 0) throw new Error(`cannot set flush.messages: ${errorCode}`)
  await sleep(200)
}

/** Commits one offset of each partition, and returns the first error. */
export async function commit(
  connection: BrokerConnection,
  groupId: string,
  offset: number,
  partitions = PARTITIONS,
  topic = TOPIC,
): Promise<number> {
  const committed = Array.from({ length: partitions }, (_, partitionIndex) => ({
    partitionIndex,
    committedOffset: offset,
    committedMetadata: '',
  }))
  const request = { groupId, memberId: '', topics: [{ name: topic, partitions: committed }] }
  const { topics } = await connection.request(OffsetCommit, 8, request)
  return topics[0]!.partitions.find(({ errorCode }) => errorCode !== 0)?.errorCode ?? ErrorCode.NONE
}

type Way = 'flushed' | 'unflushed'

function commitScenario(groups: number, way: Way): Scenario {
  const name = `offset commits of ${groups} group${groups === 1 ? '' : 's'}, ${PARTITIONS} partitions each, ${way}`
  return {
    name,
    async run(system) {
      await setFlushed(system, way === 'flushed')
      const connections = await Promise.all(Array.from({ length: groups }, () => open(system)))
      const runName = `${way}-${++names}`
      const value = await perSecond(connections.length * IN_FLIGHT, async (worker, count) => {
        const at = worker % connections.length
        const errorCode = await commit(connections[at]!, `${runName}-${at}`, count)
        if (errorCode !== 0) throw new Error(`a commit was answered with ${errorCode}`)
      })
      for (const connection of connections) connection.close()
      return [{ name, value, unit: '/s', isBetter: 'more' }]
    },
  }
}

/** Runs `once` again and again in so many workers. */
async function perSecond(workers: number, once: (worker: number, count: number) => Promise<void>): Promise<number> {
  let done = 0
  const startMs = performance.now()
  const work = async (worker: number): Promise<void> => {
    while (performance.now() - startMs < MEASURED_MS) {
      await once(worker, done)
      done++
    }
  }
  await Promise.all(Array.from({ length: workers }, (_, worker) => work(worker)))
  return done / ((performance.now() - startMs) / 1000)
}

const rebalanceScenario: Scenario = {
  name: `rebalance of ${MEMBERS} members, from another one's first request to the last assignment`,
  async run(system) {
    await setFlushed(system, true)
    const groupId = `rebalance-${++names}`
    const members = await RawMember.openMany(system, new Array<string>(MEMBERS).fill(groupId), [TOPIC])
    const one = await RawMember.open(system, groupId, [TOPIC])
    const enterAgain = async (member: RawMember): Promise<void> => {
      await member.untilRebalance()
      await member.enter()
    }
    await Promise.all(members.map(member => member.enter()))
    const values: number[] = []
    for (let round = 0; round < REBALANCES; round++) {
      const startMs = performance.now()
      await Promise.all([one.enter(), ...members.map(enterAgain)])
      values.push(performance.now() - startMs)
      await one.leave()
      await Promise.all(members.map(enterAgain))
    }
    for (const { connection } of [...members, one]) connection.close()
    return [{ name: this.name, value: values.sort((a, b) => a - b)[REBALANCES >> 1]!, unit: 'ms', isBetter: 'less' }]
  },
}

export class TransactionalProducer {
  readonly connection: BrokerConnection
  readonly #transactionalId: string
  #producerId: number
  #producerEpoch: number

  private constructor(connection: BrokerConnection, transactionalId: string, producerId: number, epoch: number) {
    this.connection = connection
    this.#transactionalId = transactionalId
    this.#producerId = producerId
    this.#producerEpoch = epoch
  }

  static async open(system: System): Promise<TransactionalProducer> {
    const connection = await open(system)
    const transactionalId = `producer-${++names}`
    for (;;) {
      const request = { transactionalId, transactionTimeoutMs: 60_000 }
      const { errorCode, producerId, producerEpoch } = await connection.request(InitProducerId, 5, request)
      if (errorCode === 0) return new TransactionalProducer(connection, transactionalId, producerId, producerEpoch)
      await sleep(RETRY_MS)
    }
  }

  /** One record in a transaction of its own. */
  async transaction(value = Buffer.alloc(100), partition = 0): Promise<void> {
    const of = { producerId: this.#producerId, producerEpoch: this.#producerEpoch }
    const batch = {
      ...of,
      isTransactional: true,
      baseSequence: 0,
      records: [{ timestamp: Date.now(), key: null, value }],
    }
    await untilNone(async () => {
      const { responses } = await this.connection.request(Produce, 12, {
        transactionalId: this.#transactionalId,
        acks: -1,
        timeoutMs: 30_000,
        topicData: [{ name: TOPIC, partitionData: [{ index: partition, records: buildBatch(batch) }] }],
      })
      return responses[0]!.partitionResponses[0]!
    })
    const request = { transactionalId: this.#transactionalId, ...of, committed: true }
    const ended = await untilNone(() => this.connection.request(EndTxn, 5, request))
    this.#producerId = ended.producerId
    this.#producerEpoch = ended.producerEpoch
  }
}

async function untilNone<T extends { readonly errorCode: number }>(request: () => Promise<T>): Promise<T> {
  for (let triesLeft = 5000; ; triesLeft--) {
    const answer = await request()
    if (answer.errorCode === ErrorCode.NONE) return answer
    if (triesLeft === 0) throw new Error(`error ${answer.errorCode} does not go away`)
    await sleep(RETRY_MS)
  }
}

function transactionScenario(producers: number, way: Way): Scenario {
  const name = `transactions of one record, ${producers} producer${producers === 1 ? '' : 's'}, ${way}`
  return {
    name,
    async run(system) {
      await setFlushed(system, way === 'flushed')
      const open = await Promise.all(Array.from({ length: producers }, () => TransactionalProducer.open(system)))
      const value = await perSecond(producers, worker => open[worker]!.transaction(undefined, worker % PARTITIONS))
      for (const { connection } of open) connection.close()
      return [{ name, value, unit: '/s', isBetter: 'more' }]
    },
  }
}

function exactlyOnceScenario(way: Way): Scenario {
  const name = `exactly-once, from produce to a read_committed consumer, ${way}`
  return {
    name,
    async run(system) {
      await setFlushed(system, way === 'flushed')
      const producer = await TransactionalProducer.open(system)
      const reader = await open(system)
      await producer.transaction()
      let offset = await stableEnd(reader)
      const values: number[] = []
      for (let count = 0; count < LATENCY_TRANSACTIONS; count++) {
        await sleep(LATENCY_PAUSE_MS)
        const startMs = performance.now()
        const [seenAtMs] = await Promise.all([untilBeyond(reader, offset), producer.transaction()])
        values.push(seenAtMs - startMs)
        offset = await stableEnd(reader)
      }
      producer.connection.close()
      reader.close()
      return percentiles(name, values)
    },
  }
}

function percentiles(name: string, values: number[]): Measured[] {
  const sorted = values.sort((a, b) => a - b)
  const at = (share: number): number => sorted[Math.floor(sorted.length * share)]!
  return [
    { name: `${name}: p50`, value: at(0.5), unit: 'ms', isBetter: 'less' },
    { name: `${name}: p99`, value: at(0.99), unit: 'ms', isBetter: 'less' },
  ]
}

/** When a read_committed consumer that waits at `offset` has got a record. */
async function untilBeyond(connection: BrokerConnection, offset: number): Promise<number> {
  for (;;) {
    const { records } = await fetchCommitted(connection, offset, 500)
    if ((records?.length ?? 0) > 0) return performance.now()
  }
}

/** The last stable offset once nothing is open. */
async function stableEnd(connection: BrokerConnection): Promise<number> {
  for (;;) {
    const { highWatermark, lastStableOffset } = await fetchCommitted(connection, 0, 0)
    if (highWatermark === lastStableOffset) return lastStableOffset
  }
}

async function fetchCommitted(connection: BrokerConnection, fetchOffset: number, maxWaitMs: number) {
  const partitionMaxBytes = 1_000
  const { responses } = await connection.request(Fetch, 11, {
    maxWaitMs,
    minBytes: 1,
    maxBytes: partitionMaxBytes,
    isolationLevel: 1,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [{ topic: TOPIC, partitions: [{ partition: 0, fetchOffset, partitionMaxBytes }] }],
    forgottenTopicsData: [],
  })
  return responses[0]!.partitions[0]!
}

const WAYS: readonly Way[] = ['unflushed', 'flushed']

export const coordination: readonly Scenario[] = [
  ...[1, 10, 100].flatMap(groups => WAYS.map(way => commitScenario(groups, way))),
  rebalanceScenario,
  ...[1, 10].flatMap(producers => WAYS.map(way => transactionScenario(producers, way))),
  ...WAYS.map(exactlyOnceScenario),
]
