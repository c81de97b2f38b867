// Topics for a benchmark, made over the wire with the project's own protocol declarations: the same for both systems.
import { tcpTransport } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { CreateTopics } from '../../broker/protocol/messages/create-topics.ts'
import { DeleteTopics } from '../../broker/protocol/messages/delete-topics.ts'
import { ListOffsets } from '../../broker/protocol/messages/list-offsets.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import type { Api, RequestInit, ResponseOf } from '../../broker/protocol/schema.ts'
import { buildBatch } from '../../broker/records/batch.ts'
import type { System } from './systems.ts'

type Target = Pick<System, 'host' | 'port'>

export async function createTopic(
  target: Target,
  name: string,
  numPartitions: number,
  configs: Readonly<Record<string, string>> = {},
): Promise<void> {
  const response = await ask(target, CreateTopics, 5, {
    topics: [
      {
        name,
        numPartitions,
        replicationFactor: 1,
        assignments: [],
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      },
    ],
    timeoutMs: 120_000,
  })
  const topic = response.topics[0]!
  if (topic.errorCode !== 0) throw new Error(`could not create ${name}: error ${topic.errorCode} ${topic.errorMessage}`)
  await until(`partitions of ${name} have leaders`, () => allLed(target, name, numPartitions))
}

export async function deleteTopic(target: Target, name: string): Promise<void> {
  await ask(target, DeleteTopics, 4, { topicNames: [name], timeoutMs: 120_000 })
}

/** Produces one small record to partition 0; true when it was acknowledged by all in-sync replicas. */
export async function produceOne(target: Target, topic: string): Promise<boolean> {
  const batch = buildBatch({ records: [{ timestamp: Date.now(), key: null, value: Buffer.from('x') }] })
  const response = await ask(target, Produce, 8, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 30_000,
    topicData: [{ name: topic, partitionData: [{ index: 0, records: batch }] }],
  })
  return response.responses[0]!.partitionResponses[0]!.errorCode === 0
}

async function allLed(target: Target, name: string, numPartitions: number): Promise<boolean> {
  const partitions = Array.from({ length: numPartitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1 }))
  const response = await ask(target, ListOffsets, 5, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name, partitions }],
  })
  return response.topics[0]!.partitions.every(partition => partition.errorCode === 0)
}

/** Waits for a condition, asking every 20 ms; an error while asking counts as "not yet". */
export async function until(what: string, isTrue: () => Promise<boolean>, timeoutMs = 120_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    if (await isTrue().catch(() => false)) return
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** One request on a connection of its own. */
export async function ask<A extends Api>(
  { host, port }: Target,
  api: A,
  version: number,
  body: RequestInit<A>,
): Promise<ResponseOf<A>> {
  const connection = await BrokerConnection.open(tcpTransport, { host, port }, 'bench')
  try {
    return await connection.request(api, version, body)
  } finally {
    connection.close()
  }
}
