import { deepEqual } from 'node:assert/strict'
import { beforeEach, test } from 'vitest'
import { silentLogger } from '../../../broker/base/log.ts'
import type { Transport } from '../../../broker/base/transport.ts'
import { BrokerSessions } from '../../../broker/metadata/broker-sessions.ts'
import { FailureDetector } from '../../../broker/metadata/failure-detector.ts'
import { manualClock, type ManualClock } from '../../manual-clock.ts'
import { imageOf, registered } from './images.ts'

const TIMEOUT_MS = 6_000
const EPOCH_OF = (brokerId: number): number => brokerId + 100
let clock: ManualClock
let sessions: BrokerSessions
let fenced: number[]
/** Hosts whose port refuses, and those that do not answer at all. */
let dead: Set<string>
let image = imageOf(registered(1), registered(2), registered(3))

const transport: Transport = {
  listen: () => Promise.reject(new Error('nobody listens here')),
  connect: ({ host }) =>
    dead.has(host)
      ? Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
      : Promise.reject(Object.assign(new Error('no way there'), { code: 'EHOSTUNREACH' })),
}

function detector(): FailureDetector {
  return new FailureDetector({
    clock,
    log: silentLogger,
    transport,
    sessions,
    brokerId: 1,
    listenerName: 'PLAINTEXT',
    image: () => image,
    fence: brokerId => {
      fenced.push(brokerId)
      image = imageOf(registered(1), registered(2, { isFenced: brokerId === 2 }), registered(3))
      return Promise.resolve()
    },
  })
}

const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

beforeEach(() => {
  image = imageOf(registered(1), registered(2), registered(3))
  clock = manualClock()
  sessions = new BrokerSessions(TIMEOUT_MS)
  fenced = []
  dead = new Set()
})

test('whose port refuses when a controller takes office is fenced at once', async () => {
  dead.add('broker-2')
  detector()
  await settled()
  deepEqual(fenced, [2])
})

test('a connection that ends is looked into: a port that refuses is fenced, one that is out of reach is not', async () => {
  const watching = detector()
  const connection = new AbortController()
  const other = new AbortController()
  watching.heard(2, EPOCH_OF(2), connection.signal)
  watching.heard(3, EPOCH_OF(3), other.signal)
  await settled()
  dead.add('broker-2')
  connection.abort()
  other.abort()
  await settled()
  deepEqual(fenced, [2])
})

test('a broker that has come back on another connection is not looked into', async () => {
  const watching = detector()
  const first = new AbortController()
  await settled()
  watching.heard(2, EPOCH_OF(2), first.signal)
  watching.heard(2, EPOCH_OF(2), new AbortController().signal)
  dead.add('broker-2')
  first.abort()
  await settled()
  deepEqual(fenced, [])
})

test('a broker of an earlier life is not fenced in its next one', async () => {
  const watching = detector()
  const connection = new AbortController()
  await settled()
  watching.heard(2, EPOCH_OF(2) - 1, connection.signal)
  dead.add('broker-2')
  connection.abort()
  await settled()
  deepEqual(fenced, [])
})

test('who is silent for the session time is fenced', async () => {
  detector()
  await settled()
  for (let passedMs = 0; passedMs <= TIMEOUT_MS; passedMs += 500) {
    sessions.heartbeat(image, heartbeatOf(1), clock.monotonic(), () => {})
    sessions.heartbeat(image, heartbeatOf(3), clock.monotonic(), () => {})
    clock.advance(500)
  }
  await settled()
  deepEqual(fenced, [2])
})

test('a controller that stood still gives everybody a new session', async () => {
  let stoodStillMs = 0
  const manual = clock
  clock = { ...manual, monotonic: () => manual.monotonic() + stoodStillMs }
  detector()
  await settled()
  stoodStillMs = 60_000
  manual.advance(500)
  await settled()
  deepEqual(fenced, [])
})

test('a controller that has resigned fences nobody', async () => {
  const watching = detector()
  const connection = new AbortController()
  watching.heard(2, EPOCH_OF(2), connection.signal)
  await settled()
  watching.stop()
  dead.add('broker-2')
  connection.abort()
  clock.advance(TIMEOUT_MS + 500)
  await settled()
  deepEqual(fenced, [])
})

function heartbeatOf(brokerId: number) {
  return { brokerId, brokerEpoch: EPOCH_OF(brokerId), reachedVersion: 0, wantsFence: false, wantsShutDown: false }
}
