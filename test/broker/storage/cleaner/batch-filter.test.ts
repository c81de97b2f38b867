import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { deleteHorizonMs, isCrcValid, readHeader } from '../../../../broker/records/batch.ts'
import { readRecords } from '../../../../broker/records/record.ts'
import { contentsOf, History, recordOf } from './history.ts'

const producer = { producerId: 7, producerEpoch: 0 }
const transactional = { ...producer, isTransactional: true }

test('the newest record of every key stays, at its offset', () => {
  const log = new History()
  log.put(['a=1', 'b=1', 'a=2'])
  log.put(['c=1', 'a=3'])
  log.put(['d=1'])
  log.clean(5000)
  deepEqual(contentsOf(log.batches), ['1 b=1', '3 c=1', '4 a=3', '5 d=1'])
})

test('a batch that loses nothing is the same, byte for byte', () => {
  const log = new History()
  const batches = [log.put(['a=1', 'b=1']), log.put(['c=1'])]
  log.clean(5000)
  ok(log.batches[0]!.equals(batches[0]!))
})

test('a batch that loses records keeps its offsets, epoch, sequence and producer, and has a good checksum', () => {
  const log = new History()
  const before = readHeader(log.put(['a=1', 'b=1', 'c=1'], { ...producer, baseSequence: 40, leaderEpoch: 9 }, 2000))
  log.put(['a=2', 'c=2'])
  log.clean(5000)
  const after = readHeader(log.batches[0]!)
  const same = { ...before, sizeBytes: after.sizeBytes, crc: after.crc, recordCount: 1 }
  deepEqual(after, same)
  deepEqual([after.baseOffset, after.lastOffset, after.baseSequence, after.lastSequence], [0, 2, 40, 42])
  ok(isCrcValid(log.batches[0]!))
})

test('the largest timestamp of a batch is that of the records it has left', () => {
  const log = new History()
  log.append({ records: [recordOf('a=1', 1000), recordOf('b=1', 3000), recordOf('c=1', 2000)] })
  log.put(['b=2'])
  log.clean(5000)
  equal(readHeader(log.batches[0]!).maxTimestamp, 2000)
})

test('the time of a batch that the broker stamped stays', () => {
  const log = new History()
  log.append({ timestampType: 'LogAppendTime', records: [recordOf('a=1', 1000), recordOf('b=1', 3000)] })
  log.put(['b=2'])
  log.clean(5000)
  deepEqual(readRecords(log.batches[0]!).map(({ timestamp }) => timestamp), [3000]) // prettier-ignore
})

for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
  test(`a batch compressed with ${compression} is cleaned and compressed so again`, () => {
    const log = new History()
    log.put(['a=1', 'b=1', 'gone', 'c=1'], { compression })
    log.put(['a=2'])
    log.clean(5000)
    equal(readHeader(log.batches[0]!).compression, compression)
    deepEqual(contentsOf(log.batches), ['1 b=1', '2 gone', '3 c=1', '4 a=2'])
  })
}

test('a large batch is cleaned in turns', () => {
  const log = new History()
  const texts = Array.from({ length: 2000 }, (_, at) => `key-${at % 700}=${at}`)
  log.put(texts)
  log.put(['end=1'])
  log.clean(5000)
  equal(contentsOf(log.batches).length, 701)
})

test('headers of records survive', () => {
  const log = new History()
  const headers = [{ key: 'trace', value: Buffer.from('1') }]
  log.append({ records: [recordOf('a=1'), { ...recordOf('tombstone'), headers }, { ...recordOf('b=1'), headers }] })
  log.put(['a=2'])
  log.clean(5000)
  deepEqual(readRecords(log.batches[0]!).map(record => record.headers.length), [1, 1]) // prettier-ignore
})

test('records without a key go, wherever they come from', () => {
  const log = new History()
  log.put(['=1', 'a=1'])
  log.put(['b=1'])
  log.clean(5000)
  deepEqual(contentsOf(log.batches), ['1 a=1', '2 b=1'])
})

test('records above what the map knows stay, and the cleaned part ends there', () => {
  const log = new History()
  log.put(['a=1', 'b=1'])
  log.put(['a=2', 'b=2'])
  log.put(['c=1', 'd=1', 'e=1'])
  log.put(['a=3'])
  // Room for two keys.
  log.clean(5000, { mapBytes: 24 * 2 * 3 })
  equal(log.cleanedOffset, 4)
  deepEqual(contentsOf(log.batches), ['2 a=2', '3 b=2', '4 c=1', '5 d=1', '6 e=1', '7 a=3'])
  log.clean(5000)
  deepEqual(contentsOf(log.batches), ['3 b=2', '4 c=1', '5 d=1', '6 e=1', '7 a=3'])
})

test('a tombstone removes the values before it, and gets a horizon that is delete.retention.ms away', () => {
  const log = new History()
  log.put(['a=1', 'b=1'])
  log.put(['x=1', 'a'], {}, 2000)
  log.put(['end=1'])
  log.clean(5000, { deleteRetentionMs: 1000 })
  deepEqual(contentsOf(log.batches), ['1 b=1', '2 x=1', '3 a', '4 end=1'])
  equal(deleteHorizonMs(log.batches[1]!, 0), 6000)
  deepEqual(readRecords(log.batches[1]!).map(({ timestamp }) => timestamp), [2000, 2000]) // prettier-ignore
  equal(readHeader(log.batches[1]!).maxTimestamp, 2000)
  ok(isCrcValid(log.batches[1]!))
})

test('a tombstone goes when its horizon has passed, not before, and the horizon never moves', () => {
  const log = new History()
  log.put(['a', 'x=1'])
  log.put(['end=1'])
  log.clean(5000, { deleteRetentionMs: 1000 })
  log.clean(5999, { deleteRetentionMs: 1_000_000 })
  deepEqual(contentsOf(log.batches), ['0 a', '1 x=1', '2 end=1'])
  log.clean(6000)
  deepEqual(contentsOf(log.batches), ['1 x=1', '2 end=1'])
  equal(deleteHorizonMs(log.batches[0]!, 0), 6000)
})

test('a value in a batch with a horizon stays when the horizon has passed', () => {
  const log = new History()
  log.put(['a', 'x=1', 'y=1'], {}, 1500)
  log.put(['end=1'])
  log.clean(5000)
  log.put(['y=2'])
  log.clean(9000)
  deepEqual(contentsOf(log.batches), ['1 x=1', '3 end=1', '4 y=2'])
  deepEqual(readRecords(log.batches[0]!).map(({ timestamp }) => timestamp), [1500]) // prettier-ignore
})

test('records without a timestamp have none afterwards', () => {
  const log = new History()
  log.put(['a', 'x=1'], {}, -1)
  log.put(['end=1'])
  log.clean(5000)
  deepEqual(readRecords(log.batches[0]!).map(({ timestamp }) => timestamp), [-1, -1]) // prettier-ignore
  equal(readHeader(log.batches[0]!).maxTimestamp, -1)
})

test('the last batch of a producer stays without records, for its sequence', () => {
  const log = new History()
  log.put(['a=1'], { ...producer, baseSequence: 0 })
  log.put(['a=2'], { ...producer, baseSequence: 1 })
  log.put(['a=3'])
  log.put(['end=1'])
  log.clean(5000)
  const [empty] = log.batches
  deepEqual(contentsOf(log.batches), ['2 a=3', '3 end=1'])
  const header = readHeader(empty!)
  deepEqual([header.baseOffset, header.lastOffset, header.lastSequence, header.recordCount], [1, 1, 1, 0])
  equal(header.sizeBytes, 61)
  ok(isCrcValid(empty!))
})

test('an empty batch goes when its producer has written again', () => {
  const log = new History()
  log.put(['a=1'], { ...producer, baseSequence: 0 })
  log.put(['a=2'])
  log.clean(5000)
  log.put(['b=1'], { ...producer, baseSequence: 1 })
  log.clean(5000)
  deepEqual(log.batches.map(batch => readHeader(batch).baseOffset), [1, 2]) // prettier-ignore
})

test('an empty batch of an expired producer goes', () => {
  const log = new History()
  log.put(['a=1'], { ...producer, baseSequence: 0 })
  log.put(['a=2'])
  log.clean(5000)
  log.producers.clear()
  log.put(['a=3'])
  log.clean(5000)
  deepEqual(contentsOf(log.batches), ['2 a=3'])
  equal(log.batches.length, 1)
})

test('the last batch of what is cleaned stays, so that the end of the log can be seen', () => {
  const log = new History()
  log.put(['a=1'])
  log.put(['a'])
  log.clean(5000)
  log.clean(9000)
  deepEqual(log.batches.map(batch => readHeader(batch).lastOffset), [1]) // prettier-ignore
  equal(readHeader(log.batches[0]!).recordCount, 0)
})

test('records of an aborted transaction go at once; its marker stays until nothing is left, and delete.retention.ms longer', () => {
  const log = new History()
  log.put(['a=0'])
  log.put(['a=1', 'b=1'], { ...transactional, baseSequence: 0 })
  log.end(7, 0, 'abort')
  log.put(['end=1'])
  log.clean(5000)
  // The batch is the last of its producer; only its header is left.
  deepEqual(contentsOf(log.batches).slice(0, 1), ['0 a=0'])
  deepEqual(log.batches.map(batch => readHeader(batch).recordCount), [1, 0, 1, 1]) // prettier-ignore
  equal(log.aborted.length, 1)
  log.put(['c=1'], { ...transactional, baseSequence: 2 })
  log.end(7, 0, 'commit')
  log.put(['end=2'])
  log.clean(6000)
  log.clean(6000, { deleteRetentionMs: 500 })
  deepEqual(log.batches.map(batch => readHeader(batch).baseOffset), [0, 3, 5, 6, 7]) // prettier-ignore
  equal(deleteHorizonMs(log.batches[1]!, 0), 6500)
  deepEqual(log.aborted, [])
  log.clean(6500)
  deepEqual(log.batches.map(batch => readHeader(batch).baseOffset), [0, 5, 6, 7]) // prettier-ignore
})

test('an aborted record neither hides an older one nor is it hidden by a newer one', () => {
  const log = new History()
  log.put(['a=1'])
  log.put(['a=2'], { ...transactional, baseSequence: 0 })
  log.end(7, 0, 'abort')
  log.put(['end=1'])
  log.clean(5000)
  deepEqual(log.read('read_committed'), [
    { offset: 0, key: 'a', value: '1' },
    { offset: 3, key: 'end', value: '1' },
  ])
})

test('a commit marker goes delete.retention.ms after the last record of its transaction', () => {
  const log = new History()
  log.put(['a=1'], { ...transactional, baseSequence: 0 })
  log.end(7, 0, 'commit')
  log.put(['b=1'], { ...transactional, baseSequence: 1 })
  log.end(7, 0, 'commit')
  log.put(['a=2'])
  log.clean(5000)
  deepEqual(log.batches.map(batch => readHeader(batch).baseOffset), [1, 2, 3, 4]) // prettier-ignore
  equal(deleteHorizonMs(log.batches[0]!, 0), null)
  log.clean(6000)
  equal(deleteHorizonMs(log.batches[0]!, 0), 7000)
  log.clean(7000)
  deepEqual(log.batches.map(batch => readHeader(batch).baseOffset), [2, 3, 4]) // prettier-ignore
})

test('a marker that is all a producer left stays without its record, because its epoch fences', () => {
  const log = new History()
  log.put(['a=1'], { ...transactional, baseSequence: 0 })
  log.end(7, 0, 'commit')
  // A marker of a new epoch: the batches of the old one are forgotten.
  log.end(7, 1, 'abort')
  log.put(['a=2'])
  for (const nowMs of [5000, 6000, 7000, 8000]) log.clean(nowMs)
  deepEqual(
    log.batches.map(batch => [readHeader(batch).producerEpoch, readHeader(batch).recordCount]),
    [
      [1, 0],
      [-1, 1],
    ],
  )
})

test('records of an open transaction are not cleaned', () => {
  const log = new History()
  log.put(['a=1'])
  log.put(['a=2'], { ...transactional, baseSequence: 0 })
  log.put(['a=3'])
  log.clean(5000)
  equal(log.cleanedOffset, 1)
  deepEqual(contentsOf(log.batches), ['0 a=1', '1 a=2', '2 a=3'])
})
