// What the tests of Fetch share: a request in few words, and what its answer holds.
import { fetch } from '../../../broker/api/fetch.ts'
import { Fetch, type FetchRequest, type FetchResponse } from '../../../broker/protocol/messages/fetch.ts'
import { eachBatch, sizeOf } from '../../../broker/records/batch.ts'
import { readRecords } from '../../../broker/records/record.ts'
import { batchOf, testBroker, type AskOptions, type TestBroker } from './fixture.ts'

export const LATEST = 18

/** A partition to fetch from. */
export type Wanted = {
  topic: string
  partition?: number
  offset?: number
  maxBytes?: number
  epoch?: number
  lastFetchedEpoch?: number
}
export type Options = AskOptions & {
  version?: number
  maxWaitMs?: number
  minBytes?: number
  maxBytes?: number
  isolationLevel?: number
  replicaId?: number
  session?: [id: number, epoch: number]
  forgotten?: { topic: string; partitions: number[] }[]
}

/** Fetches by name up to v12, by id from v13 on; `topic` may be an id that nobody has. */
export function get(broker: TestBroker, wanted: readonly Wanted[], options: Options = {}): Promise<FetchResponse> {
  const { version = LATEST, maxWaitMs = 0, minBytes = 1, maxBytes = 1 << 20, isolationLevel = 0 } = options
  const { session = [0, -1], forgotten = [], replicaId = -1 } = options
  const { topics } = broker.context.image()
  const idOf = (topic: string) => topics.get(topic)?.topicId ?? (topic.length === 22 ? topic : undefined)
  const request = {
    maxWaitMs,
    minBytes,
    maxBytes,
    isolationLevel,
    ...(version < 15 ? { replicaId } : { replicaState: { replicaId, replicaEpoch: -1 } }),
    sessionId: session[0],
    sessionEpoch: session[1],
    topics: wanted.map(
      ({ topic, partition = 0, offset = 0, maxBytes: most = 1 << 20, epoch = -1, lastFetchedEpoch = -1 }) => ({
        topic,
        topicId: idOf(topic),
        partitions: [
          { partition, currentLeaderEpoch: epoch, fetchOffset: offset, lastFetchedEpoch, partitionMaxBytes: most },
        ],
      }),
    ),
    forgottenTopicsData: forgotten.map(({ topic, partitions }) => ({ topic, topicId: idOf(topic), partitions })),
  }
  return broker.ask(Fetch, fetch, version, request as unknown as FetchRequest, options)
}

export const partitionsOf = (response: FetchResponse): FetchResponse['responses'][number]['partitions'][number][] =>
  response.responses.flatMap(topic => topic.partitions)
export const errorsOf = (response: FetchResponse): number[] =>
  partitionsOf(response).map(partition => partition.errorCode)

/** The values of the records of each partition. */
export function valuesOf(response: FetchResponse): string[][] {
  return partitionsOf(response).map(({ records }) => {
    const values: string[] = []
    for (const at of eachBatch(records!)) {
      for (const { value } of readRecords(records!.subarray(at, at + sizeOf(records!, at)))) values.push(String(value))
    }
    return values
  })
}

/** Appends each value as a batch of its own. */
export async function fill(broker: TestBroker, topic: string, values: readonly string[], partition = 0): Promise<void> {
  const leader = broker.context.replicas.leader(broker.context.image().topics.get(topic)!.topicId, partition)
  if (typeof leader === 'number') throw new Error(`no leader: ${leader}`)
  for (const value of values) await leader.append(batchOf([value]), 1, broker.clock.now()).stored
}

/** A broker with the topic 'orders', whose partition 0 has `values`. */
export async function ordersTopic(values: readonly string[] = [], partitions = 1): Promise<TestBroker> {
  const broker = await testBroker()
  await broker.createTopic('orders', { partitions })
  await fill(broker, 'orders', values)
  return broker
}
