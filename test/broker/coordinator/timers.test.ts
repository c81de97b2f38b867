import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { Timers } from '../../../broker/coordinator/timers.ts'
import { manualClock } from '../../manual-clock.ts'
import { seededNumbers } from '../../seeded.ts'

function setUp() {
  const clock = manualClock()
  const fired: string[] = []
  const timers = new Timers(clock)
  const set = (key: string, delayMs: number) =>
    timers.set(key, delayMs, () => void fired.push(`${key}@${clock.monotonic()}`))
  return { clock, timers, fired, set }
}

test('deadlines come in the order of their time, each once', () => {
  const { clock, fired, set, timers } = setUp()
  set('b', 20)
  set('a', 10)
  set('c', 30)
  clock.advance(25)
  deepEqual(fired, ['a@10', 'b@20'])
  clock.advance(100)
  deepEqual(fired, ['a@10', 'b@20', 'c@30'])
  equal(timers.size, 0)
})

test('a deadline can be moved both ways, and only the last time counts', () => {
  const { clock, fired, set } = setUp()
  set('later', 10)
  set('later', 50)
  set('sooner', 100)
  set('sooner', 20)
  clock.advance(200)
  deepEqual(fired, ['sooner@20', 'later@50'])
})

test('what is cancelled does not come, and may be set again', () => {
  const { clock, fired, set, timers } = setUp()
  set('a', 10)
  timers.cancel('a')
  clock.advance(20)
  set('a', 10)
  clock.advance(20)
  deepEqual(fired, ['a@30'])
})

test('whoever comes due may set its own deadline again', () => {
  const clock = manualClock()
  const timers = new Timers(clock)
  const at: number[] = []
  const again = (): void => {
    at.push(clock.monotonic())
    if (at.length < 3) timers.set('a', 10, again)
  }
  timers.set('a', 10, again)
  clock.advance(100)
  deepEqual(at, [10, 20, 30])
})

test('one timer of the clock serves all, however often deadlines move', () => {
  const { clock, set, timers } = setUp()
  for (let round = 0; round < 5; round++) for (let member = 0; member < 1000; member++) set(`${member}`, 10_000)
  equal(clock.timers, 1)
  for (let member = 0; member < 1000; member++) timers.cancel(`${member}`)
  clock.advance(10_000)
  equal(clock.timers, 0)
})

test('random deadlines, moved and cancelled at random, all come at their time and none else', () => {
  const random = seededNumbers(4711)
  const clock = manualClock()
  const timers = new Timers(clock)
  const due = new Map<string, number>()
  for (let step = 0; step < 20_000; step++) {
    const key = `k${Math.floor(random() * 200)}`
    if (random() < 0.2) {
      timers.cancel(key)
      due.delete(key)
    } else if (random() < 0.9) {
      const delayMs = Math.floor(random() * 500)
      due.set(key, clock.monotonic() + delayMs)
      timers.set(key, delayMs, () => {
        equal(clock.monotonic(), due.get(key))
        due.delete(key)
      })
    } else {
      clock.advance(Math.floor(random() * 50))
      for (const atMs of due.values()) ok(atMs >= clock.monotonic())
    }
  }
  clock.advance(1000)
  equal(due.size, 0)
})
