import { deepEqual, equal, match } from 'node:assert/strict'
import { test } from 'vitest'
import { allocateProducerIds, registerBroker, setFenced, type Registration } from '../../../broker/metadata/brokers.ts'
import { NO_LEADER, type MetadataImage } from '../../../broker/metadata/image.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { created, decide, imageOf, registered } from './images.ts'

const registration = (brokerId: number, over: Partial<Registration> = {}): Registration => ({
  brokerId,
  incarnation: 'another start',
  directoryId: `directory-${brokerId}`,
  rack: null,
  listeners: [{ name: 'PLAINTEXT', host: 'h', port: 1, securityProtocol: 'PLAINTEXT' }],
  isFenced: false,
  previousBrokerEpoch: -1,
  ...over,
})

function register(image: MetadataImage, brokerId: number, over: Partial<Registration> = {}, isRelaxed = false) {
  return decide(image, (before, emit) => registerBroker(before, registration(brokerId, over), () => isRelaxed, emit))
}

function fence(image: MetadataImage, brokerId: number, isFenced: boolean) {
  const brokerEpoch = image.brokers.get(brokerId)!.brokerEpoch
  return decide(image, (before, emit) => setFenced(before, brokerId, brokerEpoch, isFenced, emit)).image
}

const partition = (image: MetadataImage, index = 0) => {
  const { leader, isr, leaderEpoch, partitionEpoch } = image.topics.get('a')!.partitions[index]!
  return { leader, isr, leaderEpoch, partitionEpoch }
}

const three = imageOf(registered(1), registered(2), registered(3), created('a', [[1, 2, 3], [2, 3, 1], [1]]))

test('every registration gets a higher broker epoch than any before', () => {
  const first = register(three, 4)
  const second = register(first.image, 1)
  equal(first.answer.errorCode, ErrorCode.NONE)
  equal(second.answer.brokerEpoch > first.answer.brokerEpoch, true)
  equal(second.image.brokers.get(1)!.brokerEpoch, second.answer.brokerEpoch)
})

test('a broker that comes back leads what it led in a new leader epoch, and stays in sync', () => {
  const { image } = register(three, 1)
  deepEqual(partition(image, 0), { leader: 1, isr: [1, 2, 3], leaderEpoch: 1, partitionEpoch: 1 })
  deepEqual(partition(image, 1), { leader: 2, isr: [2, 3, 1], leaderEpoch: 0, partitionEpoch: 0 })
  deepEqual(partition(image, 2), { leader: 1, isr: [1], leaderEpoch: 1, partitionEpoch: 1 })
})

test('a broker with another disk is in no ISR, even as the last one, and leads nothing', () => {
  const { image } = register(three, 1, { directoryId: 'new' })
  deepEqual(partition(image, 0), { leader: 2, isr: [2, 3], leaderEpoch: 1, partitionEpoch: 1 })
  deepEqual(partition(image, 1), { leader: 2, isr: [2, 3], leaderEpoch: 0, partitionEpoch: 1 })
  deepEqual(partition(image, 2), { leader: NO_LEADER, isr: [], leaderEpoch: 1, partitionEpoch: 1 })
})

test('a broker that comes back fenced hands over what it led; alone, it leaves it without a leader until it is unfenced', () => {
  const { image } = register(three, 1, { isFenced: true })
  deepEqual(partition(image, 0), { leader: 2, isr: [2, 3], leaderEpoch: 1, partitionEpoch: 1 })
  deepEqual(partition(image, 2), { leader: NO_LEADER, isr: [1], leaderEpoch: 1, partitionEpoch: 1 })
  deepEqual(partition(fence(image, 1, false), 2), { leader: 1, isr: [1], leaderEpoch: 2, partitionEpoch: 2 })
})

test('after an unclean stop a broker leaves the ISR of topics that acknowledge unflushed records, unless it is the last', () => {
  const { image } = register(three, 1, {}, true)
  deepEqual(partition(image, 0).isr, [2, 3])
  deepEqual(partition(image, 2), { leader: 1, isr: [1], leaderEpoch: 1, partitionEpoch: 1 })
})

test('after a clean stop it stays, and a marker of another life does not count as one', () => {
  const clean = register(three, 1, { previousBrokerEpoch: 101 }, true)
  deepEqual(partition(clean.image, 0).isr, [1, 2, 3])
  const stale = register(three, 1, { previousBrokerEpoch: 100 }, true)
  deepEqual(partition(stale.image, 0).isr, [2, 3])
})

test('the same start that registers again is answered as before and changes nothing', () => {
  const first = register(three, 1)
  const again = register(first.image, 1)
  deepEqual(again.records, [])
  equal(again.answer.brokerEpoch, first.answer.brokerEpoch)
})

test('a registration that makes no sense is refused', () => {
  const wrong: [Partial<Registration>, RegExp][] = [
    [{ brokerId: -1 }, /integer from 0 on, not -1/],
    [{ listeners: [] }, /at least one listener/],
    [{ listeners: [...registration(1).listeners, ...registration(1).listeners] }, /its own name/],
  ]
  for (const [over, message] of wrong) {
    const { answer, records } = register(three, 4, over)
    deepEqual(records, [])
    equal(answer.errorCode, ErrorCode.INVALID_REGISTRATION)
    match(answer.errorMessage!, message)
  }
})

test('a fenced broker leaves every ISR but those it is alone in, and leads nothing', () => {
  const image = fence(three, 1, true)
  deepEqual(partition(image, 0), { leader: 2, isr: [2, 3], leaderEpoch: 1, partitionEpoch: 1 })
  deepEqual(partition(image, 1), { leader: 2, isr: [2, 3], leaderEpoch: 0, partitionEpoch: 1 })
  deepEqual(partition(image, 2), { leader: NO_LEADER, isr: [1], leaderEpoch: 1, partitionEpoch: 1 })
})

test('leadership goes to a live member of the ISR in the order of the replicas', () => {
  const image = fence(fence(three, 2, true), 1, true)
  deepEqual(partition(image, 0), { leader: 3, isr: [3], leaderEpoch: 1, partitionEpoch: 2 })
})

test('fencing a broker that is fenced changes nothing', () => {
  const image = fence(three, 1, true)
  equal(fence(image, 1, true), image)
})

test('fencing names a life of the broker', () => {
  const run = (brokerId: number, epoch: number) =>
    decide(three, (image, emit) => setFenced(image, brokerId, epoch, true, emit)).answer.errorCode
  equal(run(1, 5), ErrorCode.STALE_BROKER_EPOCH)
  equal(run(9, 5), ErrorCode.BROKER_ID_NOT_REGISTERED)
})

test('a topic of many partitions changes in records of a bearable size', () => {
  const image = imageOf(
    registered(1),
    created(
      'a',
      Array.from({ length: 2_500 }, () => [1]),
    ),
  )
  const { records } = register(image, 1)
  deepEqual(
    records.map(record => (record.kind === 'partitions-changed' ? record.changes.length : record.kind)),
    ['broker-registered', 1000, 1000, 500],
  )
})

test('producer ids are handed out in blocks that never overlap', () => {
  const first = decide(three, (image, emit) => allocateProducerIds(image, 1, 101, emit))
  const second = decide(first.image, (image, emit) => allocateProducerIds(image, 2, 102, emit))
  deepEqual([first.answer.first, first.answer.count], [0, 1000])
  deepEqual([second.answer.first, second.answer.count], [1000, 1000])
})

test('a broker of an earlier life gets no producer ids', () => {
  const { answer, records } = decide(three, (image, emit) => allocateProducerIds(image, 1, 100, emit))
  equal(answer.errorCode, ErrorCode.STALE_BROKER_EPOCH)
  deepEqual(records, [])
})
