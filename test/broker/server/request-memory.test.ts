import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { RequestMemory } from '../../../broker/server/request-memory.ts'

const never = (): void => {
  throw new Error('nobody was to be called')
}

test('beyond the bound as many requests are finished as fit; what does not fit waits and is called in its turn', () => {
  const memory = new RequestMemory(100, 10)
  memory.add(100, 100)
  const called: string[] = []
  const first = memory.enter(6, never)!
  const large = memory.enter(50, never)!
  for (const [name, restBytes] of [
    ['a', 5],
    ['b', 6],
  ] as const)
    equal(
      memory.enter(restBytes, () => called.push(name)),
      null,
    )
  notEqual(memory.enter(4, never), null)
  first.leave(true)
  deepEqual(called, ['a', 'b'])
  large.leave(false)
  equal(memory.finished, 1)
})

test('what was finished and still runs takes the room: nothing grows with the time a commit takes', () => {
  const memory = new RequestMemory(100, 10)
  memory.add(100, 40)
  const called: string[] = []
  for (let i = 0; i < 2; i++) {
    const seat = memory.enter(5, never)!
    memory.add(5, -5)
    seat.leave(true)
  }
  equal(memory.enter(30, () => called.push('again')) !== null, true)
  equal(
    memory.enter(5, () => called.push('again')),
    null,
  )
  memory.add(-20)
  deepEqual(called, ['again'])
})

test('one request of any size is finished at a time while complete requests do not reach the bound', () => {
  const memory = new RequestMemory(100, 10)
  memory.add(150, 150)
  const seat = memory.enter(1000, never)
  notEqual(seat, null)
  let calls = 0
  equal(
    memory.enter(1000, () => calls++),
    null,
  )
  seat!.leave(false)
  equal(calls, 1)
})

test('while complete requests fill the memory, those that have begun wait for them', () => {
  const memory = new RequestMemory(100, 10)
  memory.add(130, 20)
  let calls = 0
  equal(
    memory.enter(5, () => calls++),
    null,
  )
  memory.add(-20)
  equal(calls, 1)
})

test('who is gone is not called', () => {
  const memory = new RequestMemory(100, 0)
  memory.add(120, 20)
  memory.enter(5, never)
  memory.forget(never)
  memory.add(-120, -20)
})
