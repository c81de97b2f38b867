// Record batches that no client sends, and what Kafka answers to each.
import { deepEqual, equal } from 'node:assert/strict'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, test } from 'vitest'
import { batchBytes, messageSetBytes, newProducerId, produceBytes } from './batch-bytes.ts'
import { brokerKind, startBroker } from './broker.ts'
import type { TestBroker } from './broker.ts'
import { eventually, newTopic } from './checks/check.ts'
import { helperKind } from './client-kinds.ts'
import { installed } from './installation.ts'
import type { Client } from './program.ts'
import { Wire } from './wire.ts'

const timeout = 120_000
let broker: TestBroker
let helper: Client
let wire: Wire
let topic: string

beforeAll(async () => {
  const installation = await installed('go')
  broker = await startBroker({ 'auto.create.topics.enable': 'false' })
  helper = helperKind.start(installation, broker.bootstrap)
  topic = await newTopic({ broker, client: helper, helper }, 'batches')
  await eventually(() => helper.run('listOffsets', { topic, partition: 0, at: 'latest' }))
}, 600_000)
afterAll(async () => {
  await helper?.stop()
  await broker?.remove()
}, timeout)
beforeEach(async () => {
  wire = await Wire.open(broker)
})
afterEach(() => wire.destroy())

const endOffset = async () => (await helper.run('listOffsets', { topic, partition: 0, at: 'latest' })).offset

const MIB = 1_048_576

const CORRUPT_MESSAGE = 2
const UNKNOWN_TOPIC_OR_PARTITION = 3
const MESSAGE_TOO_LARGE = 10
const RECORD_LIST_TOO_LARGE = 18
const INVALID_REQUIRED_ACKS = 21
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45
const INVALID_PRODUCER_EPOCH = 47
const UNSUPPORTED_COMPRESSION_TYPE = 76
const INVALID_RECORD = 87

test('a batch written by hand is stored like any other', { timeout }, async () => {
  const before = await endOffset()
  deepEqual(await produceBytes(wire, topic, batchBytes({ values: ['a', 'b', 'c'] })), {
    errorCode: 0,
    baseOffset: before,
  })
  equal(await endOffset(), before + 3)
})

describe('nothing is stored of', { timeout }, () => {
  const refused = (
    title: string,
    errorCode: number,
    records: () => Buffer | null,
    options: { version?: number; acks?: number; partition?: number } = {},
  ) =>
    test(`${title} (error ${errorCode})`, async () => {
      const before = await endOffset()
      deepEqual(await produceBytes(wire, topic, records(), options), { errorCode, baseOffset: -1 })
      equal(await endOffset(), before)
    })

  refused('a batch with a wrong checksum', CORRUPT_MESSAGE, () => batchBytes({ crcError: 1 }))
  refused('a batch with magic 1', INVALID_RECORD, () => batchBytes({ magic: 1 }))
  refused('a message set of the old format', INVALID_RECORD, () => messageSetBytes('old'))
  refused('a batch whose base offset is not 0', INVALID_RECORD, () => batchBytes({ baseOffset: 5 }))
  refused('two batches for one partition', INVALID_RECORD, () => Buffer.concat([batchBytes(), batchBytes()]))
  refused('a batch with more offsets than records', INVALID_RECORD, () => batchBytes({ lastOffsetDelta: 4 }))
  refused('a batch with fewer records than its count says', INVALID_RECORD, () =>
    batchBytes({ count: 2, lastOffsetDelta: 1 }),
  )
  refused('a batch with more records than its count says', INVALID_RECORD, () =>
    batchBytes({ count: 1, lastOffsetDelta: 0, values: ['a', 'b'] }),
  )
  refused('a batch without records', INVALID_RECORD, () => batchBytes({ values: [], lastOffsetDelta: 0 }))
  refused('a control batch', INVALID_RECORD, () => batchBytes({ attributes: 0b100000 }))
  refused('no bytes at all', INVALID_RECORD, () => Buffer.alloc(0))
  refused('half a batch', INVALID_RECORD, () => batchBytes().subarray(0, 40))
  refused('a batch that claims to be longer than it is', INVALID_RECORD, () => batchBytes({ batchLength: 5_000 }))
  refused('a batch that claims to be shorter than a header', CORRUPT_MESSAGE, () => batchBytes({ batchLength: 10 }))
  refused('zstd in a request older than version 7', UNSUPPORTED_COMPRESSION_TYPE, () => batchBytes({ attributes: 4 }), {
    version: 6,
  })
  // Kafka lets an exception of its library escape here (UNKNOWN_SERVER_ERROR); with bytes that end early it says what is wrong.
  refused('gzip that is none', brokerKind === 'kafka' ? -1 : INVALID_RECORD, () =>
    batchBytes({ attributes: 1, payload: Buffer.from('this is not gzip') }),
  )
  refused('gzip that ends early', INVALID_RECORD, () =>
    batchBytes({ attributes: 1, payload: gzipSync(Buffer.alloc(1_000)).subarray(0, 20) }),
  )
  refused('a valid batch with acks=2', INVALID_REQUIRED_ACKS, () => batchBytes(), { acks: 2 })
  refused('a valid batch for a partition that does not exist', UNKNOWN_TOPIC_OR_PARTITION, () => batchBytes(), {
    partition: 9,
  })
})

describe('a topic whose segments are smaller than its largest batch', { timeout }, () => {
  const batchOf = (sizeBytes: number) => {
    const overhead = batchBytes({ values: ['x'.repeat(sizeBytes - 80)] }).length - (sizeBytes - 80)
    return batchBytes({ values: ['x'.repeat(sizeBytes - overhead)] })
  }

  test('takes a batch that fills a segment, and RECORD_LIST_TOO_LARGE is the answer to more', async () => {
    const configs = { 'segment.bytes': String(MIB), 'max.message.bytes': String(2 * MIB) }
    const small = await newTopic({ broker, client: helper, helper }, 'small-segments', { configs })
    deepEqual(
      [MIB, MIB + 1, 2 * MIB].map(size => batchOf(size).length),
      [MIB, MIB + 1, 2 * MIB],
    )
    await eventually(async () => equal((await produceBytes(wire, small, batchOf(MIB)))?.errorCode, 0))
    equal((await produceBytes(wire, small, batchOf(MIB + 1)))?.errorCode, RECORD_LIST_TOO_LARGE)
    equal((await produceBytes(wire, small, batchOf(2 * MIB)))?.errorCode, RECORD_LIST_TOO_LARGE)
    equal((await produceBytes(wire, small, batchOf(2 * MIB + 1)))?.errorCode, MESSAGE_TOO_LARGE)
  })
})

describe('an idempotent producer', { timeout }, () => {
  const send = (producerId: number, baseSequence: number, values: readonly string[], producerEpoch = 0) =>
    produceBytes(wire, topic, batchBytes({ producerId, producerEpoch, baseSequence, values }))

  test('gets success and the old offset for a batch that it sends again, for each of its last five', async () => {
    const producerId = await newProducerId(wire)
    const first = await endOffset()
    for (let i = 0; i < 5; i++)
      deepEqual(await send(producerId, i * 2, ['a', 'b']), { errorCode: 0, baseOffset: first + i * 2 })
    for (let i = 0; i < 5; i++)
      deepEqual(await send(producerId, i * 2, ['a', 'b']), { errorCode: 0, baseOffset: first + i * 2 })
    equal(await endOffset(), first + 10)
  })

  test('may not leave a gap in its sequence, nor send a batch older than its last five again', async () => {
    const producerId = await newProducerId(wire)
    const first = await endOffset()
    for (let i = 0; i < 6; i++) equal((await send(producerId, i, ['a']))?.errorCode, 0)
    equal((await send(producerId, 9, ['a']))?.errorCode, OUT_OF_ORDER_SEQUENCE_NUMBER)
    equal((await send(producerId, 0, ['a']))?.errorCode, OUT_OF_ORDER_SEQUENCE_NUMBER)
    equal(await endOffset(), first + 6)
  })

  test('starts a new epoch at sequence 0, and its old epoch is refused', async () => {
    const producerId = await newProducerId(wire)
    equal((await send(producerId, 0, ['a', 'b']))?.errorCode, 0)
    equal((await send(producerId, 2, ['a'], 1))?.errorCode, OUT_OF_ORDER_SEQUENCE_NUMBER)
    equal((await send(producerId, 0, ['a'], 1))?.errorCode, 0)
    equal((await send(producerId, 2, ['a'], 0))?.errorCode, INVALID_PRODUCER_EPOCH)
  })

  test('goes on where it was after the broker has been killed', async () => {
    const producerId = await newProducerId(wire)
    const first = await endOffset()
    deepEqual(await send(producerId, 0, ['a', 'b']), { errorCode: 0, baseOffset: first })
    await broker.killAndRestart()
    wire = await Wire.open(broker)
    // Kafka may name itself the leader of a partition a moment later (NOT_LEADER_OR_FOLLOWER until then).
    await eventually(async () => deepEqual(await send(producerId, 0, ['a', 'b']), { errorCode: 0, baseOffset: first }))
    deepEqual(await send(producerId, 2, ['c']), { errorCode: 0, baseOffset: first + 2 })
    equal((await send(producerId, 7, ['d']))?.errorCode, OUT_OF_ORDER_SEQUENCE_NUMBER)
  })
})
