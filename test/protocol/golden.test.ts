// Frames as real clients and Apache Kafka 4.4 exchanged them, recorded by a proxy between the two: in golden/, one file
// per client, one frame of an API, version and direction a line, without its size. kafka-tools are Kafka's own command
// line tools, kcat and confluent-kafka are librdkafka. What we read from them must be all there is in them, so we must
// write the same bytes again.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'vitest'
import { decodeRequest, decodeResponse } from '../../broker/protocol/compile.ts'
import { encodeRequest, encodeResponse, readRequestHeader, readResponseHeader } from '../../broker/protocol/header.ts'
import { ApiVersions } from '../../broker/protocol/messages/api-versions.ts'
import { Fetch } from '../../broker/protocol/messages/fetch.ts'
import { messages } from '../../broker/protocol/messages/index.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import type { Api } from '../../broker/protocol/schema.ts'
import { interpretDecode } from './interpreter.ts'

type Golden = {
  readonly api: Api
  readonly version: number
  readonly direction: 'request' | 'response'
  readonly frame: Buffer
}

const folder = new URL('golden/', import.meta.url)
const lookup = (key: number): Api | undefined => messages.get(key)

function framesOf(file: string): Golden[] {
  const lines = readFileSync(new URL(file, folder), 'utf8').trimEnd().split('\n')
  return lines.map(line => {
    const [name, version, direction, frame] = line.split(' ')
    const api = [...messages.values()].find(candidate => candidate.name === name)!
    return {
      api,
      version: Number(version),
      direction: direction as Golden['direction'],
      frame: Buffer.from(frame!, 'hex'),
    }
  })
}

const all = readdirSync(folder).flatMap(framesOf)

function find(api: Api, version: number, direction: Golden['direction']): Buffer {
  return all.find(golden => golden.api === api && golden.version === version && golden.direction === direction)!.frame
}

describe('what was recorded', () => {
  for (const file of readdirSync(folder)) {
    test(`of ${file.replace('.txt', '')} is read, and written again to the byte`, () => {
      for (const { api, version, direction, frame } of framesOf(file)) {
        const what = `${api.name} ${direction} v${version}`
        equal(written(api, version, direction, frame).toString('hex'), frame.toString('hex'), what)
      }
    })
  }
})

function written(api: Api, version: number, direction: Golden['direction'], frame: Buffer): Buffer {
  if (direction === 'request') {
    const header = readRequestHeader(frame, lookup)
    equal(header.apiKey, api.key)
    equal(header.apiVersion, version)
    const body = decodeRequest(api, version, frame, header.bodyAt)
    deepEqual(body, interpretDecode(api, direction, version, frame, header.bodyAt))
    return Buffer.concat(encodeRequest(api, version, header.correlationId, header.clientId, body)).subarray(4)
  }
  const { correlationId, bodyAt } = readResponseHeader(api, version, frame)
  const body = decodeResponse(api, version, frame, bodyAt)
  return Buffer.concat(encodeResponse(api, version, correlationId, body)).subarray(4)
}

describe('a recorded frame means what its client meant', () => {
  test('librdkafka produces two records to a topic by its name', () => {
    const frame = find(Produce, 10, 'request')
    const { bodyAt, clientId } = readRequestHeader(frame, lookup)
    const { acks, timeoutMs, topicData, transactionalId } = decodeRequest(Produce, 10, frame, bodyAt)
    deepEqual(
      { clientId, acks, timeoutMs, transactionalId },
      { clientId: 'rdkafka', acks: -1, timeoutMs: 30_000, transactionalId: null },
    )
    equal(topicData.length, 1)
    const [{ name, topicId, partitionData }] = topicData as [(typeof topicData)[0]]
    deepEqual({ name, topicId }, { name: 'orders-confluentkafka', topicId: 'AAAAAAAAAAAAAAAAAAAAAA' })
    const [{ index, records }] = partitionData as [(typeof partitionData)[0]]
    deepEqual({ index, sizeBytes: records!.length }, { index: 0, sizeBytes: 114 })
    ok(records!.includes('value 1') && records!.includes('value 2'))
  })

  test("Kafka's console consumer fetches two partitions of a topic by its id, with a new session", () => {
    const frame = find(Fetch, 18, 'request')
    const { bodyAt, clientId } = readRequestHeader(frame, lookup)
    const { maxWaitMs, minBytes, maxBytes, sessionId, sessionEpoch, topics, rackId } = decodeRequest(
      Fetch,
      18,
      frame,
      bodyAt,
    )
    deepEqual(
      { clientId, maxWaitMs, minBytes, maxBytes, sessionId, sessionEpoch, rackId },
      {
        clientId: 'console-consumer',
        maxWaitMs: 500,
        minBytes: 1,
        maxBytes: 52_428_800,
        sessionId: 0,
        sessionEpoch: 0,
        rackId: '',
      },
    )
    deepEqual(
      topics.map(({ topicId, partitions }) => ({ topicId, partitions: partitions.map(({ partition }) => partition) })),
      [{ topicId: 'a8Q9tmlrRz2ovq1Y3tc7xQ', partitions: [0, 1] }],
    )
  })

  test('Kafka says in a tag of its ApiVersions answer which features it has', () => {
    const frame = find(ApiVersions, 3, 'response')
    const { errorCode, apiKeys, finalizedFeatures } = decodeResponse(ApiVersions, 3, frame, 4)
    equal(errorCode, 0)
    deepEqual(apiKeys[0], { apiKey: 0, minVersion: 0, maxVersion: 13 })
    ok(finalizedFeatures.some(({ name }) => name === 'metadata.version'))
  })
})
