// Reading by assignment: from the beginning, an offset, a time; offsets by time; waiting at the end.
import { equal } from 'node:assert/strict'
import { check, consume, newTopic, produce, sameRecords, textRecord } from './check.ts'
import type { Bench, Suite } from './check.ts'

const numbered = (count: number) => Array.from({ length: count }, (_, index) => textRecord('key', `value ${index}`))

export function readingChecks(suite: Suite): void {
  const { kind, bench } = suite
  const listOffset = async (topic: string, at: 'earliest' | 'latest' | 'max-timestamp' | number) =>
    (await bench().client.run('listOffsets', { topic, partition: 0, at })).offset

  check(suite, 'reads from an offset in the middle of a batch', [], async () => {
    const topic = await newTopic(bench(), 'from-offset')
    const records = numbered(100)
    await produce(bench().helper, topic, records, { compression: 'zstd' })
    sameRecords(await consume(bench().client, topic, 42, 58), records.slice(42), 42)
  })

  check(suite, 'reads from the first record that is not older than a time', [], async () => {
    const { topic, records, timeOf } = await topicWithTimes(bench())
    sameRecords(await consume(bench().client, topic, { timestamp: timeOf(60) }, 40), records.slice(60), 60)
    sameRecords(await consume(bench().client, topic, { timestamp: timeOf(60) + 1 }, 39), records.slice(61), 61)
    sameRecords(await consume(bench().client, topic, { timestamp: 1 }, 1), records.slice(0, 1))
  })

  check(suite, 'finds the offset of the first record, of the end and of a time', [], async () => {
    const { topic, timeOf } = await topicWithTimes(bench())
    equal(await listOffset(topic, 'earliest'), 0)
    equal(await listOffset(topic, 'latest'), 100)
    equal(await listOffset(topic, timeOf(7)), 7)
    equal(await listOffset(topic, timeOf(7) - 1), 7)
    equal(await listOffset(topic, timeOf(99) + 1), kind.afterLast === 'none' ? -1 : 100)
  })

  check(suite, 'finds the record with the highest timestamp', ['max-timestamp'], async () => {
    const topic = await newTopic(bench(), 'max-timestamp')
    const now = Date.now()
    const records = [3_000, 1_000, 2_000].map(ageMs => textRecord('key', 'value', { timestamp: now - ageMs }))
    for (const record of records) await produce(bench().helper, topic, [record])
    equal(await listOffset(topic, 'max-timestamp'), 1)
  })

  check(suite, 'an empty partition begins and ends at offset 0', [], async () => {
    const topic = await newTopic(bench(), 'empty')
    equal(await listOffset(topic, 'earliest'), 0)
    equal(await listOffset(topic, 'latest'), 0)
  })

  check(suite, 'a consumer at the end gets the record that is produced while it waits', [], async () => {
    const topic = await newTopic(bench(), 'long-poll')
    await produce(bench().helper, topic, numbered(3))
    const [consumed] = await Promise.all([
      consume(bench().client, topic, 3, 1),
      produce(bench().helper, topic, [textRecord('late', 'record')]),
    ])
    sameRecords(consumed, [textRecord('late', 'record')], 3)
  })

  check(suite, 'reads each partition of a topic for itself', [], async () => {
    const topic = await newTopic(bench(), 'partitions', { partitions: 3 })
    for (const partition of [0, 1, 2]) {
      await produce(bench().client, topic, [textRecord('partition', String(partition))], { partition })
    }
    for (const partition of [0, 1, 2]) {
      const consumed = await consume(bench().client, topic, 'earliest', 1, partition)
      sameRecords(consumed, [textRecord('partition', String(partition))])
    }
  })
}

/** A topic with a hundred records, ten to a batch, a second apart; the last is a minute old. */
async function topicWithTimes(bench: Bench) {
  const topic = await newTopic(bench, 'times')
  const first = Date.now() - 160_000
  const timeOf = (index: number) => first + index * 1_000
  const records = numbered(100).map((record, index) => ({ ...record, timestamp: timeOf(index) }))
  for (let at = 0; at < records.length; at += 10) {
    await produce(bench.helper, topic, records.slice(at, at + 10), { compression: at % 20 === 0 ? 'none' : 'lz4' })
  }
  return { topic, records, timeOf }
}
