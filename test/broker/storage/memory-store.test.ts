// The store in memory beyond the contract: its sorted chunks split, empty and vanish without losing anybody.
import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import type { Store } from '../../../broker/storage/store.ts'
import { seededNumbers } from '../../seeded.ts'

const key = (number: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(number)
  return bytes
}
const numbers = async (store: Store, reverse = false): Promise<number[]> => {
  const entries = await store.scan({ gte: key(0), lt: Buffer.alloc(5, 0xff), limit: Infinity, reverse })
  return entries.map(entry => entry.key.readUInt32BE())
}

test('growing and shrinking by ranges and single keys keeps order and content', async () => {
  const chance = seededNumbers(5)
  const store = openMemoryStore()
  const expected = new Set<number>()
  for (let round = 0; round < 60; round++) {
    const batch = store.batch()
    for (let operation = 0; operation < 400; operation++) {
      const number = Math.floor(chance() * 20_000)
      batch.put(key(number), key(number))
      expected.add(number)
    }
    const start = Math.floor(chance() * 20_000)
    const end = start + Math.floor(chance() * 8_000)
    batch.deleteRange(key(start), key(end))
    for (let number = start; number < end; number++) expected.delete(number)
    for (let operation = 0; operation < 200; operation++) {
      const number = Math.floor(chance() * 20_000)
      batch.delete(key(number))
      expected.delete(number)
    }
    await store.commit(batch, { sync: false })
    const sorted = [...expected].sort((a, b) => a - b)
    deepEqual(await numbers(store), sorted)
    deepEqual(await numbers(store, true), sorted.toReversed())
  }
  const all = store.batch()
  all.deleteRange(key(0), key(2 ** 32 - 1))
  await store.commit(all, { sync: false })
  deepEqual(await numbers(store), [])
  equal(await store.get(key(1)), null)
})

test('ascending keys, the pattern of a log, fill it as well as any', async () => {
  const store = openMemoryStore()
  for (let start = 0; start < 50_000; start += 1_000) {
    const batch = store.batch()
    for (let number = start; number < start + 1_000; number++) batch.put(key(number), key(number))
    await store.commit(batch, { sync: false })
  }
  deepEqual(
    await numbers(store),
    Array.from({ length: 50_000 }, (_, number) => number),
  )
})
