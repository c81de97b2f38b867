import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { cannotPlace, placeReplicas, type UsableBroker } from '../../../broker/metadata/placement.ts'
import { seededRandom } from './images.ts'

const broker = (brokerId: number, rack: string | null = null, isFenced = false): UsableBroker => ({
  brokerId,
  rack,
  isFenced,
})
const zeros = { next: () => 0, bytes: (size: number) => Buffer.alloc(size) }

test('replicas are striped over racks, and over the brokers of a rack', () => {
  const brokers = [10, 11, 20, 21, 30, 31].map(id => broker(id, `rack-${Math.floor(id / 10)}`))
  deepEqual(placeReplicas(brokers, 3, 3, zeros), [
    [10, 20, 30],
    [21, 31, 11],
    [30, 10, 20],
  ])
})

test('the same chance gives the same placement', () => {
  const brokers = [1, 2, 3, 4, 5].map(id => broker(id))
  deepEqual(placeReplicas(brokers, 20, 3, seededRandom(7)), placeReplicas(brokers, 20, 3, seededRandom(7)))
})

test('leaders and replicas are spread evenly over brokers, and every replica is on its own one', () => {
  const brokers = [1, 2, 3, 4, 5].map(id => broker(id))
  const placed = placeReplicas(brokers, 500, 3, seededRandom(1))
  const leaders = new Map<number, number>()
  const replicas = new Map<number, number>()
  for (const partition of placed) {
    equal(new Set(partition).size, 3)
    leaders.set(partition[0]!, (leaders.get(partition[0]!) ?? 0) + 1)
    for (const id of partition) replicas.set(id, (replicas.get(id) ?? 0) + 1)
  }
  for (const { brokerId } of brokers) {
    equal(leaders.get(brokerId), 100)
    equal(replicas.get(brokerId), 300)
  }
})

test('every partition has a replica in as many racks as it can, however uneven the racks are', () => {
  const brokers = [broker(1, 'a'), broker(2, 'a'), broker(3, 'a'), broker(4, 'b'), broker(5, 'c')]
  const rackOf = new Map(brokers.map(({ brokerId, rack }) => [brokerId, rack]))
  for (let seed = 0; seed < 50; seed++) {
    for (const partition of placeReplicas(brokers, 30, 3, seededRandom(seed))) {
      equal(new Set(partition.map(id => rackOf.get(id))).size, 3, `seed ${seed}: ${partition.join()}`)
    }
  }
})

test('a fenced broker is used last and never leads', () => {
  const brokers = [broker(1, null, true), broker(2), broker(3)]
  for (let seed = 0; seed < 20; seed++) {
    for (const partition of placeReplicas(brokers, 10, 2, seededRandom(seed))) ok(!partition.includes(1))
    for (const partition of placeReplicas(brokers, 10, 3, seededRandom(seed))) equal(partition[2], 1)
  }
})

test('one broker takes everything', () => {
  deepEqual(placeReplicas([broker(7)], 4, 1, seededRandom(1)), [[7], [7], [7], [7]])
})

test('the stripe goes on where the partitions before it end', () => {
  const brokers = [1, 2, 3].map(id => broker(id))
  deepEqual(placeReplicas(brokers, 2, 1, seededRandom(5), [[2]]), [[3], [1]])
})

test('what cannot be placed says why', () => {
  equal(cannotPlace([broker(1)], 1), null)
  equal(cannotPlace([], 1), 'All brokers are currently fenced.')
  equal(cannotPlace([broker(1, null, true)], 1), 'All brokers are currently fenced.')
  equal(
    cannotPlace([broker(1), broker(2, null, true)], 3),
    'The target replication factor of 3 cannot be reached because only 2 broker(s) are registered.',
  )
})
