import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { OffsetWaiters, ParkedFetch, ParkingLimit, TailWatchers } from '../../../broker/replication/waiters.ts'
import { manualClock } from '../../manual-clock.ts'
import { seededNumbers } from '../../seeded.ts'

const forever = new AbortController().signal

/** Settles once all promises that are ready have run. */
const settled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

test('whoever waits for an offset wakes when it is reached, lowest first, whatever the order of arrival', async () => {
  const waiters = new OffsetWaiters(manualClock())
  const woken: number[] = []
  for (const offset of [5, 9, 3, 7, 5]) void waiters.wait(offset, 1000).then(() => woken.push(offset))
  waiters.release(2)
  await settled()
  deepEqual(woken, [])
  waiters.release(7)
  await settled()
  deepEqual(woken, [3, 5, 5, 7])
  equal(waiters.size, 1)
})

test('a wait ends with REQUEST_TIMED_OUT after its time and leaves nothing behind', async () => {
  const clock = manualClock()
  const waiters = new OffsetWaiters(clock)
  const outcome = waiters.wait(5, 100)
  clock.advance(99)
  equal(waiters.size, 1)
  clock.advance(1)
  equal(await outcome, ErrorCode.REQUEST_TIMED_OUT)
  equal(waiters.size, 0)
  waiters.release(9)
})

test('a wait that is over cancels its timer', async () => {
  const clock = manualClock()
  const waiters = new OffsetWaiters(clock)
  const outcome = waiters.wait(5, 100)
  waiters.release(5)
  equal(await outcome, ErrorCode.NONE)
  equal(clock.timers, 0)
})

test('all waits end with the error that ends the leadership', async () => {
  const waiters = new OffsetWaiters(manualClock())
  const outcomes = Promise.all([waiters.wait(1, 10), waiters.wait(2, null)])
  waiters.fail(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  deepEqual(await outcomes, [ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_LEADER_OR_FOLLOWER])
})

test('fifty thousand waits come and go in any order without losing one', async () => {
  const clock = manualClock()
  const waiters = new OffsetWaiters(clock)
  const next = seededNumbers(7)
  const outcomes: Promise<ErrorCode>[] = []
  let expectedNone = 0
  for (let index = 0; index < 50_000; index++) {
    const offset = index + Math.floor(next() * 8)
    if (offset <= 40_000) expectedNone++
    outcomes.push(waiters.wait(offset, null))
  }
  waiters.release(40_000)
  equal(waiters.size, 50_000 - expectedNone)
  waiters.fail(ErrorCode.KAFKA_STORAGE_ERROR)
  const codes = await Promise.all(outcomes)
  equal(codes.filter(code => code === ErrorCode.NONE).length, expectedNone)
  equal(waiters.size, 0)
})

test('a parked fetch wakes when its partitions together gained the missing bytes', async () => {
  const clock = manualClock()
  const [first, second] = [new TailWatchers(), new TailWatchers()]
  const fetch = new ParkedFetch(100, new ParkingLimit(10))
  fetch.watch(first, 1000)
  fetch.watch(second, 1000)
  let isAwake = false
  const parked = fetch.park(clock, 500, forever).then(() => (isAwake = true))
  first.advance(60)
  await settled()
  equal(isAwake, false)
  second.advance(40)
  await parked
  deepEqual([first.size, second.size, clock.timers], [0, 0, 0])
})

test('a partition counts towards the missing bytes only as far as its own limit', async () => {
  const clock = manualClock()
  const [busy, quiet] = [new TailWatchers(), new TailWatchers()]
  const fetch = new ParkedFetch(100, new ParkingLimit(10))
  fetch.watch(busy, 30)
  fetch.watch(quiet, 1000)
  let isAwake = false
  const parked = fetch.park(clock, 500, forever).then(() => (isAwake = true))
  busy.advance(500)
  busy.advance(500)
  await settled()
  equal(isAwake, false)
  quiet.advance(70)
  await parked
})

test('a parked fetch wakes after its time', async () => {
  const clock = manualClock()
  const watchers = new TailWatchers()
  const fetch = new ParkedFetch(1, new ParkingLimit(10))
  fetch.watch(watchers, 1)
  const parked = fetch.park(clock, 500, forever)
  clock.advance(500)
  await parked
  equal(watchers.size, 0)
})

test('a parked fetch leaves when its client is gone', async () => {
  const clock = manualClock()
  const watchers = new TailWatchers()
  const connection = new AbortController()
  const fetch = new ParkedFetch(1, new ParkingLimit(10))
  fetch.watch(watchers, 1)
  const parked = fetch.park(clock, 500, connection.signal)
  connection.abort()
  await parked
  deepEqual([watchers.size, clock.timers], [0, 0])
  await new ParkedFetch(1, new ParkingLimit(10)).park(clock, 500, connection.signal)
})

test('everybody who watches a partition wakes when its leader stops leading', async () => {
  const clock = manualClock()
  const watchers = new TailWatchers()
  const parked = [1, 2, 3].map(() => {
    const fetch = new ParkedFetch(1_000_000, new ParkingLimit(10))
    fetch.watch(watchers, 1_000_000)
    return fetch.park(clock, 500, forever)
  })
  watchers.wakeAll()
  await Promise.all(parked)
  equal(watchers.size, 0)
})

test('what was gained between watching and parking is not lost', async () => {
  const watchers = new TailWatchers()
  const fetch = new ParkedFetch(10, new ParkingLimit(10))
  fetch.watch(watchers, 100)
  watchers.advance(10)
  await fetch.park(manualClock(), 500, forever)
})

test('at the limit of watched partitions a fetch does not park and watches nothing', () => {
  const limit = new ParkingLimit(3)
  const watchers = new TailWatchers()
  const first = new ParkedFetch(1, limit)
  equal(first.watch(watchers, 1), true)
  equal(first.watch(watchers, 1), true)
  const second = new ParkedFetch(1, limit)
  equal(second.watch(watchers, 1), true)
  equal(second.watch(watchers, 1), false)
  equal(watchers.size, 2)
  first.wake()
  equal(limit.partitions, 0)
})

test('ten thousand fetches park on a hundred partitions, and one append wakes those of its partition only', async () => {
  const clock = manualClock()
  const limit = new ParkingLimit(100_000)
  const partitions = Array.from({ length: 100 }, () => new TailWatchers())
  let awake = 0
  for (let index = 0; index < 10_000; index++) {
    const fetch = new ParkedFetch(1, limit)
    for (let each = 0; each < 5; each++) fetch.watch(partitions[(index + each) % 100]!, 1000)
    void fetch.park(clock, 500, new AbortController().signal).then(() => awake++)
  }
  equal(limit.partitions, 50_000)
  partitions[17]!.advance(1)
  await settled()
  equal(awake, 500)
  equal(limit.partitions, 47_500)
  clock.advance(500)
  await settled()
  deepEqual([awake, limit.partitions, clock.timers], [10_000, 0, 0])
})
