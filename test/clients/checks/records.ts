// Records: every compression and acks, nulls, headers, sizes, order, timestamps.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { ClientKind } from '../client-kinds.ts'
import type { ClientRecord } from '../program.ts'
import { Code, check, consume, newTopic, produce, refused, sameRecords, textRecord } from './check.ts'
import type { Suite } from './check.ts'

/** The records that every client sends: text, bytes that are no text, empty and missing keys and values, headers. */
export function variedRecords(kind: ClientKind): ClientRecord[] {
  const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  const headers: [string, Buffer | null][] = [
    ['trace', Buffer.from('a=b, c')],
    ['Größe', Buffer.from('€')],
    ['empty', Buffer.alloc(0)],
    ['trace', Buffer.from('again')],
  ]
  // kafkajs keeps headers by name, so those of one name stand together when it reads or writes them.
  headers.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  if (!kind.cannot['null headers']) headers.push(['null', null])
  return [
    textRecord('key', 'value'),
    textRecord('schlüssel', 'wért €'),
    { key: everyByte, value: everyByte, headers: [] },
    textRecord('no value', null),
    textRecord(null, 'no key'),
    ...(kind.cannot['records of nothing'] ? [] : [textRecord(null, null)]),
    textRecord('', 'empty key'),
    textRecord('empty value', ''),
    textRecord('', ''),
    { ...textRecord('with headers', 'value'), headers },
    textRecord('repetitive', 'abcdefgh'.repeat(4_000)),
  ]
}

// 61 bytes of batch header and 11 around the value of the only record, so the batch has exactly max.message.bytes.
const MAX_MESSAGE_BYTES = 1_048_588
const LARGEST_VALUE = MAX_MESSAGE_BYTES - 72

export function recordChecks(suite: Suite): void {
  contentChecks(suite)
  sizeChecks(suite)
  timestampChecks(suite)
}

function contentChecks(suite: Suite): void {
  const { kind, bench } = suite

  for (const compression of kind.compressions) {
    check(suite, `what it produces with compression ${compression} it reads back byte for byte`, [], async () => {
      const topic = await newTopic(bench(), `compression-${compression}`)
      const records = variedRecords(kind)
      const offsets = await produce(bench().client, topic, records, { compression })
      deepEqual(offsets, [...records.keys()])
      sameRecords(await consume(bench().client, topic, 'earliest', records.length), records)
    })
  }

  for (const acks of ['0', '1', 'all'] as const) {
    check(suite, `acks=${acks} stores every record`, [], async () => {
      const topic = await newTopic(bench(), `acks-${acks}`)
      const records = Array.from({ length: 50 }, (_, index) => textRecord('key', `value ${index}`))
      const offsets = await produce(bench().client, topic, records, { acks })
      deepEqual(offsets, acks === '0' ? records.map(() => null) : [...records.keys()])
      sameRecords(await consume(bench().client, topic, 'earliest', records.length), records)
    })
  }

  for (const compression of kind.compressions) {
    check(suite, `an idempotent producer stores every record once, in order (${compression})`, [], async () => {
      const topic = await newTopic(bench(), `idempotent-${compression}`)
      const records = Array.from({ length: 200 }, (_, index) => textRecord('key', `value ${index}`))
      await produce(bench().client, topic, records, { idempotent: true, compression })
      sameRecords(await consume(bench().client, topic, 'earliest', records.length), records)
      equal((await bench().helper.run('listOffsets', { topic, partition: 0, at: 'latest' })).offset, records.length)
    })
  }
}

function sizeChecks(suite: Suite): void {
  const { kind, bench } = suite

  for (const compression of kind.compressions) {
    check(suite, `one megabyte of random bytes goes through in one record (${compression})`, [], async () => {
      const topic = await newTopic(bench(), `megabyte-${compression}`)
      const records = [
        textRecord('before', '1'),
        { key: null, value: randomBytes(1_000_000), headers: [] },
        textRecord('after', '2'),
      ]
      // One call each: together they would be one batch, and larger than the limit.
      for (const record of records) await produce(bench().client, topic, [record], { compression })
      sameRecords(await consume(bench().client, topic, 'earliest', records.length), records)
    })
  }

  check(
    suite,
    'a batch of exactly max.message.bytes is stored and can be read, one byte more is refused',
    [],
    async () => {
      const topic = await newTopic(bench(), 'limit')
      const largest = { key: null, value: randomBytes(LARGEST_VALUE), headers: [] }
      await produce(bench().client, topic, [largest])
      const tooLarge = { key: null, value: randomBytes(LARGEST_VALUE + 1), headers: [] }
      await refused(produce(bench().client, topic, [tooLarge]), Code.MESSAGE_TOO_LARGE)
      sameRecords(await consume(bench().client, topic, 'earliest', 1), [largest])
    },
  )

  for (const compression of kind.compressions.filter(each => each !== 'none')) {
    check(suite, `a batch counts with its compressed size, so compression ${compression} lets it in`, [], async () => {
      const topic = await newTopic(bench(), `compressed-${compression}`)
      const records = [{ key: null, value: Buffer.alloc(5_000_000, 'compressible '), headers: [] }]
      await produce(bench().client, topic, records, { compression })
      sameRecords(await consume(bench().client, topic, 'earliest', 1), records)
    })
  }

  check(suite, 'ten thousand records come back in order, over as many fetches as it takes', [], async () => {
    const topic = await newTopic(bench(), 'many')
    const records = Array.from({ length: 10_000 }, (_, index) => textRecord(`key ${index % 7}`, `${index} `.repeat(60)))
    for (let at = 0; at < records.length; at += 1_000)
      await produce(bench().client, topic, records.slice(at, at + 1_000))
    sameRecords(await consume(bench().client, topic, 'earliest', records.length), records)
  })
}

function timestampChecks(suite: Suite): void {
  const { kind, bench } = suite

  check(suite, 'a record keeps the timestamp its producer gave it', ['own timestamps'], async () => {
    const topic = await newTopic(bench(), 'create-time')
    const timestamps = [5_000, 1_000, 9_000].map(ageMs => Date.now() - ageMs)
    await produce(
      bench().client,
      topic,
      timestamps.map(timestamp => textRecord('key', 'value', { timestamp })),
    )
    const consumed = await consume(bench().client, topic, 'earliest', timestamps.length)
    deepEqual(
      consumed.map(record => record.timestamp),
      timestamps,
    )
  })

  check(suite, 'with message.timestamp.type=LogAppendTime the broker sets the timestamp', [], async () => {
    const topic = await newTopic(bench(), 'log-append-time', { configs: { 'message.timestamp.type': 'LogAppendTime' } })
    const before = Date.now()
    const timestamp = before - 500_000
    const records = [textRecord('key', 'a', { timestamp }), textRecord('key', 'b', { timestamp })]
    for (const compression of kind.compressions) await produce(bench().client, topic, records, { compression })
    const consumed = await consume(bench().client, topic, 'earliest', records.length * kind.compressions.length)
    const after = Date.now()
    for (const record of consumed) ok(record.timestamp >= before && record.timestamp <= after, String(record.timestamp))
  })
}
