// Wrong requests to produce and read, and the error each client reports.
import { deepEqual } from 'node:assert/strict'
import { Code, check, codeFor, consume, newTopic, produce, refused, textRecord, topicName } from './check.ts'
import type { Suite } from './check.ts'

// For clients that go on trying until a deadline; long enough for a slow machine to ask for metadata.
const GIVES_UP_AFTER_MS = 4_000

export function mistakeChecks(suite: Suite): void {
  const { kind, bench } = suite

  check(suite, 'producing to a topic that does not exist fails, and does not create it', [], async () => {
    const topic = topicName('unknown')
    const produced = produce(bench().client, topic, [textRecord('key', 'value')], { timeoutMs: GIVES_UP_AFTER_MS })
    await refused(produced, codeFor(kind, 'produce to an unknown topic', Code.UNKNOWN_TOPIC_OR_PARTITION))
    await refused(bench().helper.run('describeTopic', { topic }), Code.UNKNOWN_TOPIC_OR_PARTITION)
  })

  check(suite, 'producing to a partition that does not exist fails', ['unknown partitions'], async () => {
    const topic = await newTopic(bench(), 'partition')
    const produced = produce(bench().client, topic, [textRecord('key', 'value')], {
      partition: 7,
      timeoutMs: GIVES_UP_AFTER_MS,
    })
    await refused(produced, codeFor(kind, 'produce to an unknown partition', Code.UNKNOWN_TOPIC_OR_PARTITION))
  })

  check(suite, 'reading a topic that does not exist fails', ['errors of unknown topics when reading'], () =>
    refused(
      consume(bench().client, topicName('unknown'), 0, 1),
      codeFor(kind, 'read an unknown topic', Code.UNKNOWN_TOPIC_OR_PARTITION),
    ),
  )

  check(suite, 'reading beyond the end of a partition, or before its beginning, is out of range', [], async () => {
    const topic = await newTopic(bench(), 'range')
    await produce(
      bench().helper,
      topic,
      [1, 2, 3].map(number => textRecord('key', String(number))),
    )
    const code = codeFor(kind, 'read out of range', Code.OFFSET_OUT_OF_RANGE)
    await refused(consume(bench().client, topic, 4, 1), code)
    await bench().helper.run('deleteRecords', { topic, partition: 0, before: 2 })
    await refused(consume(bench().client, topic, 1, 1), code)
  })

  check(suite, 'a record larger than the topic allows is refused, and the next one is stored', [], async () => {
    const topic = await newTopic(bench(), 'too-large', { configs: { 'max.message.bytes': '1000' } })
    await refused(produce(bench().client, topic, [textRecord('key', 'x'.repeat(1_000))]), Code.MESSAGE_TOO_LARGE)
    deepEqual(await produce(bench().client, topic, [textRecord('key', 'x'.repeat(900))]), [0])
  })

  check(suite, 'a compacted topic refuses a record without a key', [], async () => {
    const topic = await newTopic(bench(), 'compacted', { configs: { 'cleanup.policy': 'compact' } })
    await refused(
      produce(bench().client, topic, [textRecord(null, 'value')], { timeoutMs: GIVES_UP_AFTER_MS }),
      Code.INVALID_RECORD,
    )
    deepEqual(await produce(bench().client, topic, [textRecord('', 'value')]), [0])
  })

  check(suite, 'a record older than message.timestamp.before.max.ms is refused', ['own timestamps'], async () => {
    const topic = await newTopic(bench(), 'too-old', { configs: { 'message.timestamp.before.max.ms': '60000' } })
    const old = textRecord('key', 'old', { timestamp: Date.now() - 120_000 })
    await refused(produce(bench().client, topic, [old], { timeoutMs: GIVES_UP_AFTER_MS }), Code.INVALID_TIMESTAMP)
    deepEqual(await produce(bench().client, topic, [textRecord('key', 'fresh')]), [0])
  })
}
