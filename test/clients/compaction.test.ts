// Compaction as clients see it: what is left of a topic with cleanup.policy=compact or compact,delete, when, and that whoever reads meanwhile
// misses nothing. franz-go writes and looks; at the end every client reads what compaction has left.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { brokerKind, startBroker, type TestBroker } from './broker.ts'
import { Code, consume, eventually, newTopic, produce, refused, shown, textRecord } from './checks/check.ts'
import type { Bench, ProduceInit } from './checks/check.ts'
import { TransactionalProducer } from './checks/transactions.ts'
import { clientKinds, helperKind } from './client-kinds.ts'
import { installed } from './installation.ts'
import type { Client, ClientRecord, ConsumedRecord, Isolation } from './program.ts'

const timeout = 180_000
const HOUR_MS = 3_600_000
const SEGMENT_BYTES = 4000

let installation: ReadonlyMap<string, string>
let broker: TestBroker
let helper: Client

beforeAll(async () => {
  installation = await installed()
  broker = await startBroker({
    'auto.create.topics.enable': 'false',
    'log.cleaner.backoff.ms': '100',
    'log.retention.check.interval.ms': '200',
    ...(brokerKind === 'kafka' && { 'log.initial.task.delay.ms': '100' }),
  })
  helper = helperKind.start(installation, broker.bootstrap)
}, 600_000)
afterAll(async () => {
  await helper?.stop()
  await broker?.remove()
}, timeout)

type Appended = ClientRecord & { readonly offset: number }

/** A compacted topic of one partition with small segments, and everything that was appended to it. */
class Log {
  readonly topic: string
  readonly appended: Appended[] = []
  #ends = 0

  private constructor(topic: string) {
    this.topic = topic
  }

  static async create(about: string, configs: Record<string, string> = {}): Promise<Log> {
    const bench: Bench = { broker, client: helper, helper }
    const defaults = {
      'cleanup.policy': 'compact',
      'internal.segment.bytes': String(SEGMENT_BYTES),
      'min.cleanable.dirty.ratio': '0',
    }
    return new Log(await newTopic(bench, about, { configs: { ...defaults, ...configs } }))
  }

  async put(records: readonly ClientRecord[], init: ProduceInit = {}): Promise<void> {
    const offsets = await produce(helper, this.topic, records, init)
    for (const [at, record] of records.entries()) this.appended.push({ ...record, offset: offsets[at]! })
  }

  /** The active segment ends, so all that was put before may be cleaned; what begins the next one, and fills it, stays. */
  async endSegment(timestamp?: number): Promise<void> {
    const record = textRecord(`end ${++this.#ends}`, '.'.repeat(SEGMENT_BYTES - 100))
    await this.put([timestamp === undefined ? record : { ...record, timestamp }])
  }

  /** The newest record of each key, in order. */
  get newest(): Appended[] {
    const newest = new Map(this.appended.map(record => [String(record.key), record]))
    return [...newest.values()].sort((a, b) => a.offset - b.offset)
  }

  /** All that is there. The end of a segment must have been the last that was appended. */
  async read(isolation: Isolation = 'read_uncommitted', client = helper): Promise<ConsumedRecord[]> {
    const { topic } = this
    const until = this.appended.at(-1)!.offset
    const { records } = await client.run('consume', {
      topic,
      partition: 0,
      from: 'earliest',
      count: 100_000,
      until,
      isolation,
    })
    return records
  }

  /** Waits until exactly `expected` is left. */
  async becomes(expected: readonly Appended[], isolation?: Isolation): Promise<void> {
    await eventually(async () => deepEqual((await this.read(isolation)).map(listed), expected.map(listed)))
  }
}

function listed(record: ClientRecord & { offset: number }): object {
  return { offset: record.offset, ...shown(record) }
}

const puts = (log: Log, texts: readonly string[], init?: ProduceInit) => log.put(texts.map(fromText), init)

// "key=value", or "key" for a tombstone.
function fromText(text: string): ClientRecord {
  const [key, value] = text.split('=')
  return textRecord(key!, value ?? null)
}

describe('what is left', { timeout }, () => {
  test('of each key the newest record, at its offset and in order', async () => {
    const log = await Log.create('newest')
    for (let round = 0; round < 30; round++) {
      await puts(
        log,
        [0, 1, 2, 3].map(each => `key ${(round * 5 + each * 3) % 11}=${round}`),
      )
    }
    await log.endSegment()
    await log.becomes(log.newest)
    const { topic } = log
    const latest = log.appended.at(-1)!.offset + 1
    deepEqual((await helper.run('listOffsets', { topic, partition: 0, at: 'earliest' })).offset, 0)
    deepEqual((await helper.run('listOffsets', { topic, partition: 0, at: 'latest' })).offset, latest)
    // Who asks for an offset that is gone gets what comes behind it.
    const [first] = log.newest
    ok(first!.offset > 1)
    deepEqual((await consume(helper, topic, first!.offset - 1, 1)).map(listed), [listed(first!)])
  })

  test('the bytes, headers and timestamps of what remains of a compressed batch', async () => {
    const log = await Log.create('compressed')
    const timestamp = Date.now() - HOUR_MS
    for (const [index, compression] of (['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const).entries()) {
      const headers: [string, Buffer | null][] = [
        ['trace', Buffer.from(compression)],
        ['trace', Buffer.alloc(0)],
        ['null', null],
      ]
      const records = ['kept', 'overwritten', 'empty', 'also kept'].map((key, at) => ({
        ...textRecord(
          key === 'overwritten' ? key : `${key} ${compression}`,
          key === 'empty' ? '' : 'value '.repeat(20),
        ),
        headers,
        timestamp: timestamp + index * 1000 + at,
      }))
      await log.put(records, { compression })
    }
    await log.put([{ ...textRecord('overwritten', 'again'), timestamp }])
    await log.endSegment()
    await log.becomes(log.newest)
    const times = (await log.read()).slice(0, -1).map(each => each.timestamp)
    deepEqual(
      times,
      log.newest.slice(0, -1).map(each => each.timestamp),
    )
    const at = timestamp + 3001
    const found = await helper.run('listOffsets', { topic: log.topic, partition: 0, at })
    deepEqual(found.offset, log.newest.find(each => each.timestamp! >= at)!.offset)
  })

  test('nothing of a deleted key once delete.retention.ms is over, and its deletion until then', async () => {
    const log = await Log.create('deleted', { 'delete.retention.ms': '300' })
    const slow = await Log.create('deletions', { 'delete.retention.ms': String(HOUR_MS) })
    for (const each of [log, slow]) {
      await puts(each, ['a=1', 'b=1', 'c=1'])
      await puts(each, ['a', 'b=2'])
      await each.endSegment()
      await each.becomes(each.newest)
    }
    // A cleaning dates the deletion, and a later one, for which there must be something to clean, takes it away.
    await eventually(async () => {
      for (const each of [log, slow]) await each.endSegment()
      const keys = (await log.read()).map(({ key }) => String(key))
      ok(!keys.includes('a'), String(keys))
    })
    await log.becomes(log.newest.filter(({ value }) => value !== null))
    await slow.becomes(slow.newest)
  })

  test('no record that a transaction has aborted, and every newest one that was committed', async () => {
    const log = await Log.create('transactional')
    const producer = await TransactionalProducer.open(helper)
    // What counts: committed.
    const send = async (values: readonly string[], isCommitted: boolean) => {
      await producer.begin()
      const offsets = await producer.send(log.topic, values)
      await producer.end(isCommitted)
      if (!isCommitted) return
      for (const [at, value] of values.entries())
        log.appended.push({ ...textRecord('key', value), offset: offsets[at]! })
    }
    await send(['first', 'second'], true)
    await puts(log, ['other=1'])
    await send(['aborted'], false)
    await log.endSegment()
    await log.becomes(log.newest, 'read_committed')
    await log.becomes(log.newest)
    await send(['aborted', 'again'], false)
    await send(['third'], true)
    await puts(log, ['other=2'])
    await log.endSegment()
    await log.becomes(log.newest, 'read_committed')
    await log.becomes(log.newest)
    await producer.close()
  })

  test('everything from the first record of an open transaction on, until it ends', async () => {
    const log = await Log.create('open')
    const producer = await TransactionalProducer.open(helper)
    await puts(log, ['a=1', 'a=2'])
    await log.endSegment()
    await producer.begin()
    const [offset] = await producer.send(log.topic, ['open'])
    log.appended.push({ ...textRecord('key', 'open'), offset: offset! })
    await puts(log, ['b=1', 'b=2', 'a=3'])
    await log.endSegment()
    const stable = log.appended.filter(each => each.offset >= offset!)
    await log.becomes([log.appended.find(({ value }) => String(value) === '2')!, log.appended[2]!, ...stable])
    await producer.end(true)
    await log.endSegment()
    await log.becomes(log.newest)
    await producer.close()
  })
})

describe('when it is cleaned', { timeout }, () => {
  test('not before records are as old as min.compaction.lag.ms', async () => {
    const log = await Log.create('min-lag', { 'min.compaction.lag.ms': String(HOUR_MS) })
    const timestamp = Date.now() - 2 * HOUR_MS
    const old = (text: string) => ({ ...fromText(text), timestamp })
    await log.put(['a=1', 'b=1', 'a=2'].map(old))
    await log.endSegment(timestamp)
    const oldNewest = log.newest
    await puts(log, ['a=3', 'a=4', 'b=2'])
    await log.endSegment()
    const young = log.appended.slice(-4)
    await log.becomes([...oldNewest, ...young])
  })

  test('at the latest when records are as old as max.compaction.lag.ms', async () => {
    const never = { 'min.cleanable.dirty.ratio': '1' }
    const [left, overdue] = [
      await Log.create('left', never),
      await Log.create('max-lag', { ...never, 'max.compaction.lag.ms': '1000' }),
    ]
    for (const log of [left, overdue]) {
      await puts(log, ['a=1', 'a=2', 'b=1'])
      await log.endSegment()
    }
    await overdue.becomes(overdue.newest)
    deepEqual((await left.read()).map(listed), left.appended.map(listed))
  })

  test('as soon as a topic is changed from delete to compact, and no more when it is changed back', async () => {
    const log = await Log.create('changed', { 'cleanup.policy': 'delete' })
    const change = (value: string) => helper.run('alterConfig', { topic: log.topic, key: 'cleanup.policy', value })
    await puts(log, ['a=1', 'a=2', 'b=1'])
    await log.put([textRecord(null, 'no key')])
    await log.endSegment()
    await change('compact')
    // A record without a key is of no use to a compacted topic.
    await log.becomes(log.newest.filter(({ key }) => key !== null))
    await eventually(() => refused(log.put([textRecord(null, 'no key')]), Code.INVALID_RECORD))
    await change('delete')
    await eventually(() => log.put([textRecord(null, 'no key')]))
  })

  test('with compact,delete also by retention, which takes the oldest segments whole', async () => {
    const log = await Log.create('both', { 'cleanup.policy': 'compact,delete', 'retention.ms': String(HOUR_MS) })
    const timestamp = Date.now() - 2 * HOUR_MS
    await log.put(['a=1', 'b=1'].map(text => ({ ...fromText(text), timestamp })))
    await log.endSegment(timestamp)
    await puts(log, ['a=2', 'c=1', 'c=2'])
    await log.endSegment()
    await log.becomes(log.newest.filter(each => each.timestamp === undefined))
    await eventually(async () => {
      const { offset } = await helper.run('listOffsets', { topic: log.topic, partition: 0, at: 'earliest' })
      ok(offset >= 2, `starts at ${offset}`)
    })
  })
})

describe('a producer', { timeout }, () => {
  test('may not leave out a key, and then nothing of the batch is stored', async () => {
    const log = await Log.create('keyless')
    await refused(log.put([textRecord('a', '1'), textRecord(null, '2')]), Code.INVALID_RECORD)
    await refused(log.put([textRecord(null, '2')], { compression: 'zstd', idempotent: true }), Code.INVALID_RECORD)
    equal((await helper.run('listOffsets', { topic: log.topic, partition: 0, at: 'latest' })).offset, 0)
    await puts(log, ['=an empty key is a key'])
  })
})

describe('a consumer', { timeout }, () => {
  test('that reads while the log is cleaned sees records in order and ends with the newest of each key', async () => {
    const log = await Log.create('busy')
    const reader = helperKind.start(installation, broker.bootstrap)
    let hasEnded = false
    const write = async () => {
      for (let round = 0; round < 40; round++) {
        await puts(
          log,
          Array.from({ length: 12 }, (_, each) => `key ${(round + each * each) % 17}=${round}/${each}`),
          { compression: round % 2 === 0 ? 'none' : 'lz4' },
        )
        if (round % 4 === 3) await log.endSegment()
      }
      hasEnded = true
    }
    const writing = write()
    let fewest = Infinity
    try {
      for (let isLast = false; !isLast;) {
        isLast = hasEnded
        // The last record was acknowledged, so it is there; what is appended meanwhile may be there or not.
        const known = log.appended.length
        if (known === 0) {
          await sleep(10)
          continue
        }
        const newest = log.newest
        const found = await log.read('read_uncommitted', reader)
        let last = -1
        for (const record of found) {
          ok(record.offset > last, `offset ${record.offset} after ${last}`)
          last = record.offset
          if (last < known) deepEqual(shown(record), shown(log.appended[last]!))
        }
        const offsets = new Map(found.map(({ key, offset }) => [String(key), offset]))
        for (const { key, offset } of newest)
          ok(offsets.get(String(key))! >= offset, `no newest record of ${String(key)}`)
        fewest = Math.min(fewest, found.filter(({ offset }) => offset < known).length - known)
      }
    } finally {
      await writing
      await reader.stop()
    }
    ok(fewest < 0, 'nothing was cleaned meanwhile')
    await log.becomes(log.newest)
  })
})

describe('every client reads what compaction has left', { timeout }, () => {
  let idempotent: Log
  let transactional: Log

  beforeAll(async () => {
    // Batches of which nothing or little is left, of producers that the broker remembers, and the markers of transactions.
    idempotent = await Log.create('left-of-batches')
    await puts(idempotent, ['a=1', 'b=1', 'c=1'], { idempotent: true })
    await puts(idempotent, ['a=2'], { idempotent: true })
    for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
      await puts(idempotent, ['a=3', `${compression}=1`, 'b=2'], { compression, idempotent: true })
    }
    await puts(idempotent, ['b'], { idempotent: true })
    await puts(idempotent, ['a=4'], { idempotent: true })
    transactional = await Log.create('left-of-transactions')
    const producer = await TransactionalProducer.open(helper)
    await producer.transact(transactional.topic, ['overwritten'], true)
    await producer.begin()
    const [offset] = await producer.send(transactional.topic, ['committed'])
    transactional.appended.push({ ...textRecord('key', 'committed'), offset: offset! })
    await producer.end(true)
    await producer.transact(transactional.topic, ['aborted'], false)
    await producer.close()
    for (const log of [idempotent, transactional]) {
      await log.endSegment()
      await log.becomes(log.newest)
    }
  }, timeout)

  for (const kind of clientKinds) {
    test(kind.name, async () => {
      const client = kind.start(installation, broker.bootstrap)
      // Its program reads without its stream, so it takes markers for records (client-kinds.ts).
      const skipsMarkers = kind.name !== '@platformatic/kafka'
      const logs = skipsMarkers ? [idempotent, transactional] : [idempotent]
      try {
        for (const { topic, newest } of logs) {
          deepEqual((await consume(client, topic, 'earliest', newest.length)).map(listed), newest.map(listed))
        }
      } finally {
        await client.stop()
      }
    })
  }
})
