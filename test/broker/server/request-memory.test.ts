import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { RequestMemory } from '../../../broker/server/request-memory.ts'

const never = (): void => {
  throw new Error('nobody was to be called')
}

/** A memory of 100 bytes whose bound is reached by parts of requests. */
function fullOfParts(complete = 0): RequestMemory {
  const memory = new RequestMemory(100)
  memory.add(120 + complete, 120)
  return memory
}

test('parts of requests keep nobody from beginning one; complete requests do', () => {
  const memory = fullOfParts()
  equal(memory.isReached, true)
  equal(memory.isFull, false)
  memory.add(50)
  equal(memory.isFull, true)
  let calls = 0
  memory.whenRoom(() => calls++)
  memory.add(-1)
  equal(calls, 1)
})

test('complete requests alone may use all of the bound', () => {
  const memory = new RequestMemory(100)
  memory.add(99)
  equal(memory.isFull, false)
  memory.add(1)
  equal(memory.isFull, true)
})

test('as many requests are finished as fit the seats, and one of any size; who finds no seat is called in turn', () => {
  const memory = fullOfParts()
  const called: string[] = []
  const first = memory.enter(20, never)!
  const large = memory.enter(1000, never)!
  for (const [name, restBytes] of [
    ['a', 15],
    ['b', 1000],
    ['c', 10],
  ] as const)
    equal(
      memory.enter(restBytes, () => called.push(name)),
      null,
    )
  notEqual(memory.enter(5, never), null)
  first.leave(true)
  deepEqual(called, ['a', 'c'])
  large.leave(false)
  deepEqual(called, ['a', 'c', 'b'])
  equal(memory.finished, 1)
})

test('nobody gets a seat while complete requests take half: what is finished does not grow with the time a commit takes', () => {
  const memory = fullOfParts(40)
  const seat = memory.enter(10, never)!
  memory.add(10, -20)
  seat.leave(true)
  let calls = 0
  equal(
    memory.enter(10, () => calls++),
    null,
  )
  memory.add(-40)
  equal(calls, 1)
})

test('who waits in the middle of a request is called when the bound is not reached any more', () => {
  const memory = fullOfParts(100)
  let calls = 0
  equal(
    memory.enter(30, () => calls++),
    null,
  )
  memory.add(-30, -30)
  equal(calls, 0)
  memory.add(-95, -90)
  equal(calls, 1)
})

test('who is gone is not called', () => {
  const memory = fullOfParts(100)
  memory.enter(5, never)
  memory.whenRoom(never)
  memory.forget(never)
  memory.add(-220, -120)
})
