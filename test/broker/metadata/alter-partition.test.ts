import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { alterPartitions, type IsrRequest } from '../../../broker/metadata/alter-partition.ts'
import { registerBroker, setFenced } from '../../../broker/metadata/brokers.ts'
import { electLeaders, ElectionType } from '../../../broker/metadata/elections.ts'
import { NO_LEADER, type MetadataImage } from '../../../broker/metadata/image.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { created, decide, imageOf, registered, seededRandom } from './images.ts'

const TOPIC_ID = 'id-of-a'

const three = imageOf(registered(1), registered(2), registered(3), created('a', [[1, 2, 3], [2, 3, 1], [1]]))

const members = (...ids: number[]) => ids.map(brokerId => ({ brokerId, brokerEpoch: brokerId + 100 }))

const wish = (isr: IsrRequest['newIsrWithEpochs'], over: Partial<IsrRequest> = {}): IsrRequest => ({
  partitionIndex: 0,
  leaderEpoch: 0,
  partitionEpoch: 0,
  leaderRecoveryState: 0,
  newIsrWithEpochs: isr,
  ...over,
})

function alter(image: MetadataImage, partitions: IsrRequest[], over: { brokerId?: number; brokerEpoch?: number } = {}) {
  const topics = [{ topicId: TOPIC_ID, partitions }]
  const demand = { brokerId: 1, brokerEpoch: 101, topics, ...over }
  return decide(image, (before, emit) => alterPartitions(before, demand, emit))
}

const errorOf = (image: MetadataImage, request: IsrRequest, over = {}) =>
  alter(image, [request], over).answer.topics[0]!.partitions[0]!.errorCode

/** Partition 0 with the ISR [1, 2], in partition epoch 1. */
const shrunk = alter(three, [wish(members(1, 2))]).image

test('a leader removes a member, and the partition epoch grows', () => {
  const { answer, image } = alter(three, [wish(members(1, 2))])
  deepEqual(answer, {
    errorCode: ErrorCode.NONE,
    topics: [
      {
        topicId: TOPIC_ID,
        partitions: [{ partitionIndex: 0, errorCode: 0, leaderId: 1, leaderEpoch: 0, isr: [1, 2], partitionEpoch: 1 }],
      },
    ],
  })
  const { isr, leader, leaderEpoch, partitionEpoch } = image.topics.get('a')!.partitions[0]!
  deepEqual({ isr, leader, leaderEpoch, partitionEpoch }, { isr: [1, 2], leader: 1, leaderEpoch: 0, partitionEpoch: 1 })
})

test('a leader adds a replica that is registered with exactly the broker epoch it names', () => {
  const { image } = alter(shrunk, [wish(members(1, 2, 3), { partitionEpoch: 1 })])
  deepEqual(image.topics.get('a')!.partitions[0]!.isr, [1, 2, 3])
})

test('a request that changes nothing raises the partition epoch all the same', () => {
  const { answer, image } = alter(three, [wish(members(1, 2, 3))])
  equal(answer.topics[0]!.partitions[0]!.partitionEpoch, 1)
  equal(image.topics.get('a')!.partitions[0]!.partitionEpoch, 1)
  deepEqual(image.topics.get('a')!.partitions[0]!.isr, [1, 2, 3])
})

test('an earlier attempt that arrives after another was accepted is refused', () => {
  equal(errorOf(shrunk, wish(members(1, 2))), ErrorCode.INVALID_UPDATE_VERSION)
  equal(errorOf(three, wish(members(1), { partitionEpoch: 1 })), ErrorCode.NOT_CONTROLLER)
})

test('only the leader of the present leader epoch may ask', () => {
  const elected = decide(three, (image, emit) => setFenced(image, 1, 101, true, emit)).image
  equal(errorOf(elected, wish(members(1, 2))), ErrorCode.FENCED_LEADER_EPOCH)
  equal(errorOf(three, wish(members(1, 2), { leaderEpoch: 1 })), ErrorCode.NOT_CONTROLLER)
  equal(errorOf(three, wish(members(1, 2)), { brokerId: 2, brokerEpoch: 102 }), ErrorCode.INVALID_REQUEST)
})

test('a member that is fenced, in another life or unknown is not added', () => {
  const request = (brokerEpoch: number) => wish([...members(1, 2), { brokerId: 3, brokerEpoch }], { partitionEpoch: 1 })
  equal(errorOf(shrunk, request(102)), ErrorCode.INELIGIBLE_REPLICA)
  equal(errorOf(shrunk, request(-1)), ErrorCode.INELIGIBLE_REPLICA)
  const fenced = decide(shrunk, (image, emit) => setFenced(image, 3, 103, true, emit)).image
  equal(errorOf(fenced, request(103)), ErrorCode.INELIGIBLE_REPLICA)
})

test('a member that stays may have registered again since its leader looked', () => {
  const registration = {
    brokerId: 2,
    incarnation: 'another start',
    directoryId: 'directory-2',
    rack: null,
    listeners: [{ name: 'PLAINTEXT', host: 'h', port: 1, securityProtocol: 'PLAINTEXT' }],
    isFenced: false,
    previousBrokerEpoch: -1,
  }
  const back = decide(three, (image, emit) => registerBroker(image, registration, () => false, emit)).image
  equal(errorOf(back, wish(members(1, 2))), ErrorCode.NONE)
})

test('an ISR without its leader, with a stranger or with somebody twice is refused', () => {
  equal(errorOf(three, wish(members(2, 3))), ErrorCode.INVALID_REQUEST)
  equal(errorOf(three, wish(members(1, 2, 9))), ErrorCode.INVALID_REQUEST)
  equal(errorOf(three, wish(members(1, 2, 2))), ErrorCode.INVALID_REQUEST)
  equal(errorOf(three, wish([])), ErrorCode.INVALID_REQUEST)
})

test('a sender that is not the broker it was gets one answer for everything', () => {
  const stale = alter(three, [wish(members(1))], { brokerEpoch: 100 })
  deepEqual(stale.answer, { errorCode: ErrorCode.STALE_BROKER_EPOCH, topics: [] })
  deepEqual(stale.records, [])
  equal(alter(three, [wish(members(1))], { brokerId: 9 }).answer.errorCode, ErrorCode.BROKER_ID_NOT_REGISTERED)
})

test('a partition that cannot be changed does not stop the others', () => {
  const { answer, records } = alter(three, [
    wish(members(1, 2)),
    wish(members(1), { partitionIndex: 2 }),
    wish(members(1), { partitionIndex: 7 }),
    wish(members(1)),
  ])
  deepEqual(
    answer.topics[0]!.partitions.map(partition => partition.errorCode),
    [ErrorCode.NONE, ErrorCode.NONE, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.INVALID_UPDATE_VERSION],
  )
  equal(records.length, 1)
  const elsewhere = { brokerId: 1, brokerEpoch: 101, topics: [{ topicId: 'none', partitions: [wish(members(1))] }] }
  const unknown = decide(three, (image, emit) => alterPartitions(image, elsewhere, emit))
  equal(unknown.answer.topics[0]!.partitions[0]!.errorCode, ErrorCode.UNKNOWN_TOPIC_ID)
})

test('whatever brokers do and leaders ask: every accepted request moves the partition epoch by one, and adds nobody who may not lead', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = seededRandom(seed)
    const below = (limit: number) => Math.floor(random.next() * limit)
    let image = three
    for (let step = 0; step < 100; step++) {
      const brokerId = 1 + below(3)
      const before = image.topics.get('a')!.partitions[0]!
      if (below(4) === 0) {
        const { brokerEpoch, isFenced } = image.brokers.get(brokerId)!
        image = decide(image, (now, emit) => setFenced(now, brokerId, brokerEpoch, !isFenced, emit)).image
        continue
      }
      if (below(8) === 0) {
        const wanted = [{ topic: 'a', partitions: [0] }]
        image = decide(image, (now, emit) => electLeaders(now, ElectionType.PREFERRED, wanted, emit)).image
        continue
      }
      const isr = [1, 2, 3]
        .filter(() => below(3) > 0)
        .map(id => ({ brokerId: id, brokerEpoch: id + 100 + +(below(5) === 0) }))
      const request = wish(isr, {
        leaderEpoch: before.leaderEpoch - +(below(6) === 0),
        partitionEpoch: before.partitionEpoch - +(below(6) === 0),
      })
      const run = alter(image, [request], { brokerId, brokerEpoch: brokerId + 100 })
      const after = run.image.topics.get('a')!.partitions[0]!
      const { errorCode, ...told } = run.answer.topics[0]!.partitions[0]!
      if (errorCode === ErrorCode.NONE) {
        equal(after.partitionEpoch, before.partitionEpoch + 1, `seed ${seed}`)
        equal(after.leader, before.leader)
        equal(after.leader !== NO_LEADER && after.isr.includes(after.leader), true)
        for (const { brokerId: id, brokerEpoch } of isr) {
          if (before.isr.includes(id)) continue
          deepEqual([id, brokerEpoch, false], [id, image.brokers.get(id)!.brokerEpoch, image.brokers.get(id)!.isFenced])
        }
        const { leader: leaderId, leaderEpoch, partitionEpoch } = after
        deepEqual(told, { partitionIndex: 0, leaderId, leaderEpoch, isr: after.isr, partitionEpoch })
      } else {
        equal(after, before, `seed ${seed}`)
      }
      image = run.image
    }
  }
})
