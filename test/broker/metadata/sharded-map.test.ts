import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { ShardedMap, type Edit } from '../../../broker/metadata/sharded-map.ts'
import { seededNumbers } from '../../seeded.ts'

const sorted = (map: Iterable<[string, number]>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))

test('a map that was handed out never changes', () => {
  const before = ShardedMap.empty<number>().with('a', 1).with('b', 2)
  const after = before.with('a', 10).with('c', 3).without('b')
  deepEqual(sorted(before), [
    ['a', 1],
    ['b', 2],
  ])
  deepEqual(sorted(after), [
    ['a', 10],
    ['c', 3],
  ])
  equal(before.size, 2)
  equal(after.size, 2)
})

test('removing what is not there gives the same map', () => {
  const map = ShardedMap.empty<number>().with('a', 1)
  equal(map.without('b'), map)
})

test('it behaves as a Map over many random changes, and so does every version on the way', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const next = seededNumbers(seed)
    const versions: { map: ShardedMap<number>; expected: Map<string, number> }[] = []
    let map = ShardedMap.empty<number>()
    const expected = new Map<string, number>()
    for (let step = 0; step < 300; step++) {
      const key = `topic-${Math.floor(next() * 60)}`
      if (next() < 0.6) {
        map = map.with(key, step)
        expected.set(key, step)
      } else {
        map = map.without(key)
        expected.delete(key)
      }
      versions.push({ map, expected: new Map(expected) })
    }
    for (const version of versions) {
      deepEqual(sorted(version.map), sorted(version.expected), `seed ${seed}`)
      equal(version.map.size, version.expected.size)
    }
  }
})

test('keys, values, has and forEach say the same', () => {
  const map = ShardedMap.empty<number>().with('a', 1).with('b', 2)
  deepEqual([...map.keys()].sort(), ['a', 'b'])
  deepEqual([...map.values()].sort(), [1, 2])
  equal(map.has('a'), true)
  equal(map.has('c'), false)
  equal(map.get('c'), undefined)
  const seen: string[] = []
  map.forEach((value, key) => seen.push(`${key}${value}`))
  deepEqual(seen.sort(), ['a1', 'b2'])
})

test('an edit builds in place and leaves alone what existed before it', () => {
  const before = ShardedMap.empty<number>().with('a', 1)
  const edit: Edit = { kind: 'edit' }
  let map = before.with('b', 2, edit)
  for (let index = 0; index < 1000; index++) map = map.with(`key-${index}`, index, edit)
  map = map.without('a', edit)
  deepEqual([...before], [['a', 1]])
  equal(map.size, 1001)
  equal(map.get('key-999'), 999)
  const after = map.with('later', 1)
  equal(map.has('later'), false)
  equal(after.has('later'), true)
})
