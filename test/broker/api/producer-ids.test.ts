import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { ProducerIds } from '../../../broker/api/producer-ids.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'

function blocks(count: number) {
  const calls: number[] = []
  let first = 1000
  const allocate = async () => {
    calls.push(first)
    const block = { first, count }
    first += count
    return block
  }
  return { calls, allocate }
}

const take = async (ids: ProducerIds) => {
  const given = await ids.next()
  return 'producerId' in given ? given.producerId : given.errorCode
}

test('ids count up through a block and go on in the next one', async () => {
  const { allocate } = blocks(3)
  const ids = new ProducerIds({ allocate })
  const taken = []
  for (let index = 0; index < 7; index++) taken.push(await take(ids))
  deepEqual(taken, [1000, 1001, 1002, 1003, 1004, 1005, 1006])
})

test('ids that are asked for at the same time are all different, and a block is asked for once', async () => {
  const { allocate, calls } = blocks(100)
  const ids = new ProducerIds({ allocate })
  const taken = await Promise.all(Array.from({ length: 80 }, () => take(ids)))
  equal(new Set(taken).size, 80)
  equal(calls.length, 1)
})

test('more askers than a block has ids all get one', async () => {
  const { allocate } = blocks(3)
  const ids = new ProducerIds({ allocate })
  const taken = await Promise.all(Array.from({ length: 20 }, () => take(ids)))
  equal(new Set(taken).size, 20)
})

test('the next block is fetched before this one has run out', async () => {
  const { allocate, calls } = blocks(10)
  const ids = new ProducerIds({ allocate })
  for (let index = 0; index < 8; index++) await take(ids)
  equal(calls.length, 1)
  await take(ids)
  equal(calls.length, 2)
})

test('while the controller gives no block the answer is COORDINATOR_LOAD_IN_PROGRESS, and later an id', async () => {
  let isDown = true
  const ids = new ProducerIds({
    allocate: async () => {
      if (isDown) throw new Error('no controller')
      return { first: 5, count: 2 }
    },
  })
  equal(await take(ids), ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
  isDown = false
  equal(await take(ids), 5)
})

test('a block that fails to come in advance does not hurt whoever has an id', async () => {
  let calls = 0
  const ids = new ProducerIds({
    allocate: async () => {
      if (++calls === 2) throw new Error('no controller')
      return { first: calls * 10, count: 2 }
    },
  })
  deepEqual([await take(ids), await take(ids), await take(ids)], [10, 11, 30])
})
