// What Produce and Fetch cost inside one process, from the bytes of a request to the bytes of its answer: microseconds a request, the
// best of several rounds. Real partition logs in a temporary folder over the store in memory, no sockets; for changes to
// broker/api, broker/replication and the log's writer.
//
//   node bench/data-path.ts [--only TEXT] [--rounds 5]
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fetch } from '../broker/api/fetch.ts'
import type { Call, Handler } from '../broker/api/handler.ts'
import { produce } from '../broker/api/produce.ts'
import { silentLogger } from '../broker/base/log.ts'
import { decodeRequest } from '../broker/protocol/compile.ts'
import { encodeRequest, encodeResponse, readRequestHeader } from '../broker/protocol/header.ts'
import { Fetch, type FetchResponse } from '../broker/protocol/messages/fetch.ts'
import { Produce, type ProduceResponse } from '../broker/protocol/messages/produce.ts'
import type { Api } from '../broker/protocol/schema.ts'
import { buildBatch } from '../broker/records/batch.ts'
import { nodeFiles } from '../broker/storage/files.ts'
import { defaultLogLimits, LogDirectory } from '../broker/storage/log-directory.ts'
import { openMemoryStore } from '../broker/storage/memory-store.ts'
import { testBroker } from '../test/broker/api/fixture.ts'
import { manualClock } from '../test/manual-clock.ts'

const { values: flags } = parseArgs({
  options: { only: { type: 'string', default: '' }, rounds: { type: 'string', default: '5' } },
})
const ROUND_MS = 150
const PARTITIONS = 1000
const NOW = 1_700_000_000_000

const path = await mkdtemp(join(tmpdir(), 'flotilla-bench-'))
const clock = manualClock()
const logs = await LogDirectory.open({
  directory: { path, isCleanStart: true },
  store: openMemoryStore(),
  files: nodeFiles,
  clock,
  log: silentLogger,
  limits: { ...defaultLogLimits, diskReserveBytes: 0 },
})
const { context, createTopic } = await testBroker({ clock, logDirectory: logs })
// Relaxed flushing: this is about our own work, not about the disk.
const topicId = await createTopic('bench', { partitions: PARTITIONS, configs: { 'flush.messages': '1000000' } })
const signal = new AbortController().signal

/** From a request without its size to the chunks of its answer. */
async function serve(handler: Handler, version: number, frame: Buffer): Promise<unknown> {
  const api: Api = handler.api
  const call: Call = {
    apiKey: api.key,
    apiVersion: version,
    clientId: 'bench',
    connection: {
      id: 'bench',
      remoteAddress: '127.0.0.1',
      remotePort: 1,
      listenerName: 'PLAINTEXT',
      principal: 'User:ANONYMOUS',
      throttle: () => {},
      close: reason => console.error(reason),
    },
    signal,
    reserveResponse: wantBytes => wantBytes,
    throttleMs: 0,
  }
  const { bodyAt } = readRequestHeader(frame, () => api)
  const answer = await handler.handle(decodeRequest(api, version, frame, bodyAt), context, call)
  if (answer !== null) encodeResponse(api, version, 1, answer as never)
  return answer
}

async function measure(name: string, work: () => Promise<unknown>): Promise<void> {
  if (!name.includes(flags.only)) return
  let best = Infinity
  for (let round = 0; round <= Number(flags.rounds); round++) {
    const startMs = performance.now()
    let count = 0
    for (; performance.now() - startMs < ROUND_MS; count++) await work()
    if (round > 0) best = Math.min(best, (performance.now() - startMs) / count)
  }
  console.log(`${name.padEnd(48)} ${(best * 1000).toFixed(1).padStart(9)} us`)
}

const frameOf = (chunks: readonly Buffer[]): Buffer => Buffer.concat(chunks).subarray(4)

function produceFrame(partitions: number, records: number, valueBytes: number, acks = -1): Buffer {
  const batch = buildBatch({
    records: Array.from({ length: records }, () => ({ timestamp: NOW, value: Buffer.alloc(valueBytes, 'x') })),
  })
  const partitionData = Array.from({ length: partitions }, (_, index) => ({ index, records: batch }))
  const request = { acks, timeoutMs: 1000, topicData: [{ topicId, partitionData }] }
  return frameOf(encodeRequest(Produce, 13, 1, 'bench', request))
}

async function sendOnce(frame: Buffer): Promise<void> {
  // The header of a produced batch is patched in its frame.
  const { responses } = (await serve(produce, 13, Buffer.from(frame))) as ProduceResponse
  if (responses[0]!.partitionResponses[0]!.errorCode !== 0) throw new Error(JSON.stringify(responses))
}

const endOf = (partition: number): number => logs.log(topicId, partition)!.endOffset

function fetchFrame(partitions: number, back: number, session = [0, -1], maxWaitMs = 0): Buffer {
  const asked = Array.from({ length: partitions }, (_, partition) => ({
    partition,
    fetchOffset: Math.max(0, endOf(partition) - back),
    partitionMaxBytes: 1 << 20,
  }))
  const [sessionId, sessionEpoch] = session
  const topics = partitions === 0 ? [] : [{ topicId, partitions: asked }]
  const limits = { maxWaitMs, minBytes: 1, maxBytes: 50 << 20, replicaState: {} }
  const request = { ...limits, sessionId, sessionEpoch, topics, forgottenTopicsData: [], rackId: '' }
  return frameOf(encodeRequest(Fetch, 18, 1, 'bench', request as never))
}

for (const acks of [0, 1, -1]) {
  const frame = produceFrame(1, 1, 100, acks)
  await measure(`produce 1 x 100 B, acks=${acks}`, () =>
    acks === 0 ? serve(produce, 13, Buffer.from(frame)) : sendOnce(frame),
  )
}
for (const partitions of [1, 6, 100]) {
  const frame = produceFrame(partitions, 10, 1024)
  await measure(`produce ${partitions} x 10 KiB, acks=-1`, () => sendOnce(frame))
}
await sendOnce(produceFrame(PARTITIONS, 1, 100))
for (const partitions of [1, 6, 100, PARTITIONS]) {
  const frame = fetchFrame(partitions, 1)
  await measure(`fetch of ${partitions} partitions with one batch each`, () => serve(fetch, 18, frame))
}
for (const partitions of [1, 100, PARTITIONS]) {
  const opened = (await serve(fetch, 18, fetchFrame(partitions, 0, [0, 0]))) as FetchResponse
  let epoch = 1
  await measure(`fetch on an idle session of ${partitions}`, () =>
    serve(fetch, 18, fetchFrame(0, 0, [opened.sessionId, epoch++])),
  )
  const frame = produceFrame(1, 1, 100)
  await measure(`fetch that waits on ${partitions}, woken by an append`, async () => {
    const waiting = serve(fetch, 18, fetchFrame(1, 0, [opened.sessionId, epoch++], 500))
    await Promise.all([waiting, sendOnce(frame)])
  })
}
await logs.close()
await rm(path, { recursive: true, force: true })
