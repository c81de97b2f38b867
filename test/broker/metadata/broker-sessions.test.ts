import { deepEqual, equal } from 'node:assert/strict'
import { beforeEach, expect, test } from 'vitest'
import { BrokerSessions, type Heartbeat } from '../../../broker/metadata/broker-sessions.ts'
import { NO_LEADER, type MetadataImage } from '../../../broker/metadata/image.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { created, decide, imageOf, registered } from './images.ts'

const TIMEOUT_MS = 6_000
let sessions: BrokerSessions
let image: MetadataImage
let nowMs: number

beforeEach(() => {
  image = imageOf(registered(1), registered(2), registered(3), created('a', [[1, 2, 3], [1]]))
  nowMs = 1_000
  sessions = new BrokerSessions(TIMEOUT_MS)
  sessions.begin(image, nowMs)
})

function beat(brokerId: number, over: Partial<Heartbeat> = {}) {
  const { brokerEpoch } = image.brokers.get(brokerId)!
  const heartbeat = {
    brokerId,
    brokerEpoch,
    reachedVersion: Math.max(image.version, brokerEpoch),
    wantsFence: false,
    wantsShutDown: false,
    ...over,
  }
  const decided = decide(image, (before, emit) => sessions.heartbeat(before, heartbeat, nowMs, emit))
  image = decided.image
  return decided.answer
}

const silent = () => sessions.expired(image, nowMs).map(({ brokerId }) => brokerId)

test('a new controller gives every broker a whole session time', () => {
  nowMs += TIMEOUT_MS - 1
  deepEqual(silent(), [])
  nowMs += 1
  deepEqual(silent(), [1, 2, 3])
})

test('a broker that is heard of does not expire', () => {
  nowMs += TIMEOUT_MS - 1
  beat(2)
  nowMs += 1
  deepEqual(silent(), [1, 3])
})

test('a heartbeat of another life is refused and keeps nobody alive', () => {
  nowMs += TIMEOUT_MS
  equal(beat(2, { brokerEpoch: 7 }).errorCode, ErrorCode.STALE_BROKER_EPOCH)
  equal(sessions.isHeardOf(2, image.brokers.get(2)!.brokerEpoch, nowMs), false)
})

test('a broker that nobody registered is told so', () => {
  const heartbeat = { brokerId: 9, brokerEpoch: 1, reachedVersion: 1, wantsFence: false, wantsShutDown: false }
  const { answer } = decide(image, (before, emit) => sessions.heartbeat(before, heartbeat, nowMs, emit))
  equal(answer.errorCode, ErrorCode.BROKER_ID_NOT_REGISTERED)
})

test('a broker is unfenced once it has replayed its own registration, and leads what nobody led', () => {
  image = imageOf(registered(1, { isFenced: true }), created('a', [[1]]))
  const { brokerEpoch } = image.brokers.get(1)!
  const before = beat(1, { reachedVersion: brokerEpoch - 1 })
  expect(before).toMatchObject({ isCaughtUp: false, isFenced: true })
  expect(beat(1, { reachedVersion: brokerEpoch })).toMatchObject({ isCaughtUp: true, isFenced: false })
  equal(image.brokers.get(1)!.isFenced, false)
})

test('a broker that wants to be fenced is', () => {
  equal(beat(1, { wantsFence: true }).isFenced, true)
  equal(image.topics.get('a')!.partitions[0]!.leader, 2)
})

test('a broker that stops leads nothing at once, and may go when the others have heard of it', () => {
  equal(beat(1, { wantsShutDown: true }).shouldShutDown, false)
  const [shared, alone] = image.topics.get('a')!.partitions
  expect(shared).toMatchObject({ leader: 2, isr: [2, 3] })
  expect(alone).toMatchObject({ leader: NO_LEADER, isr: [1] })
  beat(2)
  equal(beat(1, { wantsShutDown: true }).shouldShutDown, false)
  beat(3)
  equal(beat(1, { wantsShutDown: true }).shouldShutDown, true)
})

test('a broker that stops does not wait for one that is fenced, or stops too', () => {
  beat(1, { wantsShutDown: true })
  beat(2, { wantsFence: true })
  beat(3, { wantsShutDown: true })
  equal(beat(1, { wantsShutDown: true }).shouldShutDown, true)
})

test('a fenced broker may go when it wants to', () => {
  beat(1, { wantsFence: true })
  equal(beat(1, { wantsShutDown: true }).shouldShutDown, true)
})

test('the next controller knows who was stopping', () => {
  beat(1, { wantsShutDown: true })
  sessions.begin(image, nowMs)
  const { version } = image
  beat(2)
  beat(3)
  equal(beat(1, { wantsShutDown: true }).shouldShutDown, true)
  equal(image.version, version)
})
