// The twin of a store must lose what a write-ahead log may lose, and only that.
import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import type { Store } from '../../../broker/storage/store.ts'
import { seededNumbers } from '../../seeded.ts'
import { CrashingStoreDisk } from './crashing-store.ts'
import { PowerLoss } from './power.ts'

async function put(store: Store, key: string, sync: boolean): Promise<void> {
  const batch = store.batch()
  batch.put(Buffer.from(key), Buffer.from(key))
  await store.commit(batch, { sync })
}

async function keys(store: Store): Promise<string> {
  const entries = await store.scan({ gte: Buffer.alloc(0), lt: Buffer.of(0xff), limit: Infinity })
  return entries.map(entry => String(entry.key)).join('')
}

test('a crash takes the commits after the last sync', async () => {
  const disk = new CrashingStoreDisk()
  const store = await disk.open()
  await put(store, 'a', false)
  await put(store, 'b', true)
  await put(store, 'c', false)
  await disk.crash()
  await rejects(put(store, 'd', false), PowerLoss)
  equal(await keys(await disk.open()), 'ab')
})

test('with chance, the first few commits after the last sync survive', async () => {
  const outcomes = new Set<string>()
  for (let seed = 0; seed < 40; seed++) {
    const disk = new CrashingStoreDisk()
    const store = await disk.open()
    for (const key of 'abcd') await put(store, key, key === 'b')
    await disk.crash(seededNumbers(seed))
    outcomes.add(await keys(await disk.open()))
  }
  deepEqual([...outcomes].sort(), ['ab', 'abc', 'abcd'])
})

test('power that goes at a commit or at its sync leaves what had effect', async () => {
  const left: string[] = []
  for (let operation = 0; operation < 4; operation++) {
    for (const moment of ['before', 'after'] as const) {
      const disk = new CrashingStoreDisk()
      const store = await disk.open()
      disk.power.cutAt(operation, moment)
      await put(store, 'a', true).catch(() => {})
      await put(store, 'b', true).catch(() => {})
      await disk.crash()
      disk.power.restore()
      left.push(await keys(await disk.open()))
    }
  }
  deepEqual(left, ['', '', '', 'a', 'a', 'a', 'a', 'ab'])
})

test('after a failed sync the store accepts nothing', async () => {
  const disk = new CrashingStoreDisk()
  const store = await disk.open()
  disk.fault = operation => {
    if (operation === 'sync') throw new Error('EIO')
  }
  await rejects(put(store, 'a', true), /EIO/)
  disk.fault = () => {}
  await rejects(put(store, 'b', true), /failed/)
  await rejects(store.get(Buffer.from('a')), /failed/)
})
