import { equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { OffsetMap } from '../../../../broker/storage/cleaner/offset-map.ts'

const MIB = 1024 * 1024

function put(map: OffsetMap, key: string, offset: number): boolean {
  return map.put(Buffer.from(key), 0, key.length, offset)
}

function get(map: OffsetMap, key: string): number {
  return map.get(Buffer.from(key), 0, key.length)
}

test('of a key the largest offset is remembered, also one beyond 32 bits', () => {
  const map = new OffsetMap(MIB, 0.9)
  ok(put(map, 'a', 0) && put(map, 'b', 2 ** 40 + 7) && put(map, 'a', 5) && put(map, 'a', 3))
  equal(get(map, 'a'), 5)
  equal(get(map, 'b'), 2 ** 40 + 7)
  equal(get(map, 'c'), -1)
  equal(map.size, 2)
})

test('a key is a part of a buffer', () => {
  const map = new OffsetMap(MIB, 0.9)
  ok(map.put(Buffer.from('xkeyx'), 1, 3, 9))
  equal(get(map, 'key'), 9)
  equal(get(map, 'xkeyx'), -1)
})

test('the empty key is a key', () => {
  const map = new OffsetMap(MIB, 0.9)
  ok(put(map, '', 4))
  equal(get(map, ''), 4)
})

test('memory grows with the number of keys and stays below the bound, where no other key is taken', () => {
  const map = new OffsetMap(3 * MIB, 0.9)
  ok(map.sizeBytes < 64 * 1024)
  let keys = 0
  while (put(map, `key-${keys}`, keys)) keys++
  ok(map.sizeBytes <= 3 * MIB)
  // Kafka's map has 24 bytes for a key, too; ours has a part of the bound for growing.
  ok(keys > ((3 * MIB) / 24) * 0.9 * 0.7, `${keys} keys`)
  equal(map.size, keys)
  for (let key = 0; key < keys; key++) equal(get(map, `key-${key}`), key)
  ok(put(map, 'key-0', 1e6), 'a key that is there may still get another offset')
  equal(get(map, 'key-0'), 1e6)
})

test('a load factor of 1 fills every place and still finds what is not there', () => {
  const map = new OffsetMap(24 * 2 * 4, 1)
  for (let key = 0; key < 4; key++) ok(put(map, `key-${key}`, key))
  ok(!put(map, 'one more', 1))
  equal(get(map, 'one more'), -1)
})

test('a bound below one key takes none', () => {
  ok(!put(new OffsetMap(10, 0.9), 'a', 1))
})
