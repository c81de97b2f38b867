// Whole frames: what stands in front of a body, in requests and responses, and how a frame is made of chunks.
import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { test } from 'vitest'
import { decodeRequest, decodeResponse } from '../../broker/protocol/compile.ts'
import { encodeRequest, encodeResponse, readRequestHeader, readResponseHeader } from '../../broker/protocol/header.ts'
import { ApiVersions } from '../../broker/protocol/messages/api-versions.ts'
import { Fetch } from '../../broker/protocol/messages/fetch.ts'
import { Heartbeat } from '../../broker/protocol/messages/heartbeat.ts'
import { messages } from '../../broker/protocol/messages/index.ts'
import { Produce } from '../../broker/protocol/messages/produce.ts'
import { ProtocolError } from '../../broker/protocol/reader.ts'
import type { Api } from '../../broker/protocol/schema.ts'
import { EncodeError } from '../../broker/protocol/writer.ts'

const lookup = (key: number): Api | undefined => messages.get(key)
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex')

test('the header of a version that is not flexible ends with the client id', () => {
  const header = readRequestHeader(hex('0000 0008 00000007 0003 6b6361 ffff'), lookup)
  deepEqual(header, { apiKey: 0, apiVersion: 8, correlationId: 7, clientId: 'kca', bodyAt: 13 })
})

test('the header of a flexible version has a tag buffer, whose fields are passed over', () => {
  const frame = hex('0000 0009 00000007 0003 6b6361  02 00 01 ff 07 02 aabb  00')
  equal(readRequestHeader(frame, lookup).bodyAt, 21)
})

test('the client id may be null or empty', () => {
  equal(readRequestHeader(hex('000c 0000 fffffff0 ffff'), lookup).clientId, null)
  equal(readRequestHeader(hex('000c 0000 fffffff0 0000'), lookup).clientId, '')
  equal(readRequestHeader(hex('000c 0000 fffffff0 ffff'), lookup).correlationId, -16)
})

test('the header of an API that is not known is read as far as it is certain', () => {
  const header = readRequestHeader(hex('03e7 0063 00000005 0001 78 cafe'), lookup)
  deepEqual(header, { apiKey: 999, apiVersion: 99, correlationId: 5, clientId: 'x', bodyAt: 11 })
  equal(readRequestHeader(hex('ffff 0000 00000005 ffff'), lookup).apiKey, -1)
})

test('a version beyond the declared ones is taken for a flexible one, and a negative one is not', () => {
  equal(readRequestHeader(hex('0012 0063 00000005 ffff 00'), lookup).bodyAt, 11)
  equal(readRequestHeader(hex('0003 ffff 00000005 ffff 00'), lookup).bodyAt, 10)
})

test('a header that ends early is refused, wherever that is', () => {
  const whole = hex('0000 0009 00000007 0003 6b6361 01 00 02 aabb')
  for (let length = 0; length < whole.length; length++) {
    throws(() => readRequestHeader(whole.subarray(0, length), lookup), ProtocolError)
  }
})

test('a client id longer than the frame and tags that never end are refused', () => {
  throws(() => readRequestHeader(hex('0000 0000 00000007 7fff 6162'), lookup), ProtocolError)
  throws(() => readRequestHeader(hex('0000 0009 00000007 ffff ffffffff0f'), lookup), ProtocolError)
  throws(() => readRequestHeader(hex('0000 0009 00000007 ffff 01 00 ffffffff0f'), lookup), ProtocolError)
  throws(() => readRequestHeader(hex('0000 0009 00000007 ffff ffffffffff0f'), lookup), ProtocolError)
})

test('ApiVersions is answered with a header that every client can read', () => {
  const value = { errorCode: 0, apiKeys: [] }
  equal(
    Buffer.concat(encodeResponse(ApiVersions, 3, 5, value)).toString('hex'),
    '0000000c' + '00000005' + '0000' + '01' + '00000000' + '00',
  )
  equal(readResponseHeader(ApiVersions, 3, hex('00000005 0000')).bodyAt, 4)
})

test('any other flexible response has a tag buffer in its header', () => {
  equal(
    Buffer.concat(encodeResponse(Heartbeat, 4, 5, { errorCode: 27 })).toString('hex'),
    '0000000c' + '00000005' + '00' + '00000000' + '001b' + '00',
  )
  equal(
    Buffer.concat(encodeResponse(Heartbeat, 3, 5, { errorCode: 27 })).toString('hex'),
    '0000000a' + '00000005' + '00000000' + '001b',
  )
  deepEqual(readResponseHeader(Heartbeat, 4, hex('00000005 01 07 01 ff 00000000')), { correlationId: 5, bodyAt: 8 })
})

test('a request frame that was written is read back', () => {
  for (const version of [0, 4]) {
    for (const clientId of [null, '', 'producer-1', 'größer']) {
      const request = { groupId: 'g', generationId: 1, memberId: 'm' }
      const frame = Buffer.concat(encodeRequest(Heartbeat, version, -7, clientId, request))
      equal(frame.readInt32BE(0), frame.length - 4)
      const header = readRequestHeader(frame.subarray(4), lookup)
      deepEqual({ ...header, bodyAt: 0 }, { apiKey: 12, apiVersion: version, correlationId: -7, clientId, bodyAt: 0 })
    }
  }
})

test('records are passed on as they are, and what stands between them is one chunk', () => {
  const pieces = [Buffer.alloc(3, 1), Buffer.alloc(0), Buffer.alloc(5, 2), Buffer.alloc(7, 3)]
  const partition = { errorCode: 0, highWatermark: 9, abortedTransactions: null }
  const chunks = encodeResponse(Fetch, 12, 1, {
    responses: [
      {
        topic: 't',
        partitions: [
          { ...partition, partitionIndex: 0, records: pieces.slice(0, 3) },
          { ...partition, partitionIndex: 1, records: pieces[3]! },
          { ...partition, partitionIndex: 2, records: null },
        ],
      },
    ],
  })
  equal(chunks.length, 6)
  ok(chunks[1] === pieces[0] && chunks[2] === pieces[2] && chunks[4] === pieces[3])
  const frame = Buffer.concat(chunks).subarray(4)
  const { partitions } = decodeResponse(Fetch, 12, frame, 5).responses[0]!
  deepEqual(
    partitions.map(({ records }) => records),
    [Buffer.concat(pieces.slice(0, 3)), pieces[3], null],
  )
})

test('decoded records and bytes are slices of the frame', () => {
  const records = Buffer.from('batch')
  const request = { acks: 1, timeoutMs: 1, topicData: [{ name: 't', partitionData: [{ index: 0, records }] }] }
  const frame = Buffer.concat(encodeRequest(Produce, 9, 1, null, request)).subarray(4)
  const { bodyAt } = readRequestHeader(frame, lookup)
  const decoded = decodeRequest(Produce, 9, frame, bodyAt).topicData[0]!.partitionData[0]!.records!
  frame.fill(0x78)
  equal(decoded.toString(), 'xxxxx')
})

test('a value that the version cannot carry is refused and named', () => {
  const topicData = [{ name: 't', partitionData: [{ index: 2 ** 31, records: null }] }]
  throws(() => encodeRequest(Produce, 9, 1, null, { acks: 1, timeoutMs: 1, topicData }), {
    name: 'Error',
    message: 'Produce.topicData[].partitionData[].index must be an int32, not 2147483648',
  })
  const heartbeat = { groupId: 'g', generationId: 1, memberId: 'm', groupInstanceId: 'static' }
  throws(() => encodeRequest(Heartbeat, 2, 1, null, heartbeat), /Heartbeat.groupInstanceId is not in version 2/)
  throws(() => encodeRequest(Heartbeat, 4, 1, 'x'.repeat(32_768), heartbeat), EncodeError)
  throws(() => encodeRequest(Heartbeat, 4, 1, null, { ...heartbeat, groupId: 'é'.repeat(16_384) }), EncodeError)
})

test('a value that an ignorable field cannot carry in this version is left out', () => {
  const request = { maxWaitMs: 1, minBytes: 1, topics: [] }
  const plain = Buffer.concat(encodeRequest(Fetch, 4, 1, null, request))
  const withSession = Buffer.concat(encodeRequest(Fetch, 4, 1, null, { ...request, sessionId: 5, rackId: 'a' }))
  equal(withSession.toString('hex'), plain.toString('hex'))
})
