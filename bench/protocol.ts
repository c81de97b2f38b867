// What the compiled codecs cost, next to the reference interpreter on the same messages: microseconds an operation, the
// fastest of several alternating rounds. No broker and no sockets; for changes to broker/protocol.
//
//   node bench/protocol.ts [--only TEXT] [--rounds 7]
import { parseArgs } from 'node:util'
import { decodeRequest, decodeResponse } from '../broker/protocol/compile.ts'
import { encodeRequest, encodeResponse, readRequestHeader, readResponseHeader } from '../broker/protocol/header.ts'
import { Fetch } from '../broker/protocol/messages/fetch.ts'
import { messages } from '../broker/protocol/messages/index.ts'
import { Metadata } from '../broker/protocol/messages/metadata.ts'
import { Produce } from '../broker/protocol/messages/produce.ts'
import type { RequestInit, ResponseInit } from '../broker/protocol/schema.ts'
import { interpretDecode, interpretEncode } from '../test/protocol/interpreter.ts'

const { values: flags } = parseArgs({
  options: { only: { type: 'string', default: '' }, rounds: { type: 'string', default: '7' } },
})

type Case = { readonly name: string; readonly compiled: () => unknown; readonly interpreted: () => unknown }

const SIZE_BYTES = 4
const ROUND_MS = 60
const topicId = 'kRTbN1XSQ2mJ9vKfE0aLwg'

const metadata: ResponseInit<typeof Metadata> = {
  brokers: [0, 1, 2].map(nodeId => ({ nodeId, host: `broker-${nodeId}.broker.kafka.svc`, port: 9092, rack: null })),
  clusterId: topicId,
  controllerId: 0,
  topics: numbers(100).map(topic => ({
    errorCode: 0,
    name: `a-topic-with-a-name-${topic}`,
    topicId,
    partitions: numbers(6).map(partitionIndex => ({
      errorCode: 0,
      partitionIndex,
      leaderId: partitionIndex % 3,
      leaderEpoch: 7,
      replicaNodes: [0, 1, 2],
      isrNodes: [0, 1, 2],
      offlineReplicas: [],
    })),
  })),
}

const produce: RequestInit<typeof Produce> = {
  acks: -1,
  timeoutMs: 30_000,
  topicData: [
    { name: 'orders', partitionData: numbers(6).map(index => ({ index, records: Buffer.alloc(16_384, 1) })) },
  ],
}

const produced: ResponseInit<typeof Produce> = {
  responses: [
    {
      name: 'orders',
      partitionResponses: numbers(6).map(index => ({ index, errorCode: 0, baseOffset: 1_234_567, logStartOffset: 0 })),
    },
  ],
}

const fetch: RequestInit<typeof Fetch> = {
  maxWaitMs: 500,
  minBytes: 1,
  topics: [
    {
      topicId,
      partitions: numbers(6).map(partition => ({
        partition,
        currentLeaderEpoch: 7,
        fetchOffset: 1_234_567,
        partitionMaxBytes: 1_048_576,
      })),
    },
  ],
}

const fetched: ResponseInit<typeof Fetch> = {
  responses: [
    {
      topicId,
      partitions: numbers(6).map(partitionIndex => ({
        partitionIndex,
        errorCode: 0,
        highWatermark: 1_234_567,
        lastStableOffset: 1_234_567,
        logStartOffset: 0,
        abortedTransactions: null,
        records: [Buffer.alloc(8192, 1), Buffer.alloc(8192, 2)],
      })),
    },
  ],
}

const cases: Case[] = [
  ...responseCases('Metadata v12, 600 partitions', Metadata, 12, metadata),
  ...requestCases('Produce v12 request, 6 partitions', Produce, 12, produce),
  ...responseCases('Produce v12 response, 6 partitions', Produce, 12, produced),
  ...requestCases('Fetch v17 request, 6 partitions', Fetch, 17, fetch),
  ...responseCases('Fetch v17 response, 6 partitions', Fetch, 17, fetched),
]

console.log(
  `${'microseconds an operation'.padEnd(46)}${'compiled'.padStart(12)}${'interpreted'.padStart(13)}${'ratio'.padStart(8)}`,
)
for (const { name, compiled, interpreted } of cases.filter(({ name }) => name.includes(flags.only))) {
  let [fast, slow] = [Infinity, Infinity]
  for (let round = 0; round < Number(flags.rounds); round++) {
    fast = Math.min(fast, measure(compiled))
    slow = Math.min(slow, measure(interpreted))
  }
  console.log(
    `${name.padEnd(46)}${fast.toFixed(2).padStart(12)}${slow.toFixed(2).padStart(13)}${(slow / fast).toFixed(1).padStart(8)}`,
  )
}

function requestCases<A extends typeof Produce | typeof Fetch>(
  name: string,
  api: A,
  version: number,
  value: RequestInit<A>,
): Case[] {
  const frame = Buffer.concat(encodeRequest(api, version, 1, 'client', value)).subarray(SIZE_BYTES)
  const { bodyAt } = readRequestHeader(frame, key => messages.get(key))
  return [
    {
      name: `${name}, decode`,
      compiled: () => decodeRequest(api, version, frame, bodyAt),
      interpreted: () => interpretDecode(api, 'request', version, frame, bodyAt),
    },
    {
      name: `${name}, encode`,
      compiled: () => encodeRequest(api, version, 1, 'client', value),
      interpreted: () => interpretEncode(api, 'request', version, value),
    },
  ]
}

function responseCases<A extends typeof Metadata | typeof Produce | typeof Fetch>(
  name: string,
  api: A,
  version: number,
  value: ResponseInit<A>,
): Case[] {
  const frame = Buffer.concat(encodeResponse(api, version, 1, value)).subarray(SIZE_BYTES)
  const { bodyAt } = readResponseHeader(api, version, frame)
  return [
    {
      name: `${name}, decode`,
      compiled: () => decodeResponse(api, version, frame, bodyAt),
      interpreted: () => interpretDecode(api, 'response', version, frame, bodyAt),
    },
    {
      name: `${name}, encode`,
      compiled: () => encodeResponse(api, version, 1, value),
      interpreted: () => interpretEncode(api, 'response', version, value),
    },
  ]
}

/** Microseconds an operation. */
function measure(operation: () => unknown): number {
  const startedMs = performance.now()
  let count = 0
  let elapsedMs = 0
  do {
    for (let i = 0; i < 10; i++) operation()
    count += 10
    elapsedMs = performance.now() - startedMs
  } while (elapsedMs < ROUND_MS)
  return (elapsedMs * 1000) / count
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}
