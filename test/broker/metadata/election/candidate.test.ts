import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { silentLogger } from '../../../../broker/base/log.ts'
import {
  isLedBy,
  isOutdated,
  newerOf,
  NotEligibleError,
  takeOffice,
  takeover,
  type Candidate,
} from '../../../../broker/metadata/election/candidate.ts'
import type { Election, ElectionRecord } from '../../../../broker/metadata/election/election.ts'

const born: ElectionRecord = { version: 1, epoch: 0, leader: null, incarnation: '', inSync: [], clusterId: 'c' }
const led: ElectionRecord = {
  version: 5,
  epoch: 3,
  leader: '1@a',
  incarnation: 'first',
  inSync: ['1@a', '2@b'],
  clusterId: 'c',
}

const candidate = (id: string, over: Partial<Candidate> = {}): Candidate => ({
  id,
  incarnation: 'mine',
  clusterId: 'c',
  hasEmptyLog: false,
  ...over,
})

test('a view only moves to a higher version', () => {
  equal(newerOf(null, led), led)
  equal(newerOf(led, born), led)
  equal(newerOf(led, { ...led, leader: '2@b' }), led)
  const newer = { ...led, version: 6 }
  equal(newerOf(led, newer), newer)
})

test('a record below the epoch on the disk was restored or created again', () => {
  equal(isOutdated(led, 3), false)
  equal(isOutdated(led, 4), true)
})

test('only a record with this very incarnation and directory lets a process lead', () => {
  equal(isLedBy(led, candidate('1@a', { incarnation: 'first' })), true)
  equal(isLedBy(led, candidate('1@a')), false)
  equal(isLedBy(led, candidate('1@other', { incarnation: 'first' })), false)
})

test('whoever is in sync takes over with the next epoch, and the old leader is out', () => {
  deepEqual(takeover(led, candidate('2@b')), {
    version: 6,
    epoch: 4,
    leader: '2@b',
    incarnation: 'mine',
    inSync: ['2@b'],
    clusterId: 'c',
  })
})

test('a leader that has started again takes a new epoch and stays in sync', () => {
  deepEqual(takeover(led, candidate('1@a')), {
    version: 6,
    epoch: 4,
    leader: '1@a',
    incarnation: 'mine',
    inSync: ['1@a', '2@b'],
    clusterId: 'c',
  })
})

test('whoever is not in sync, or comes with another disk, must not take over', () => {
  equal(takeover(led, candidate('3@c')), null)
  equal(takeover(led, candidate('1@new', { hasEmptyLog: true })), null)
})

test('only at birth may a candidate with an empty log begin', () => {
  equal(takeover(born, candidate('1@a')), null)
  deepEqual(takeover(born, candidate('1@a', { hasEmptyLog: true })), {
    version: 2,
    epoch: 1,
    leader: '1@a',
    incarnation: 'mine',
    inSync: ['1@a'],
    clusterId: 'c',
  })
})

// An election in memory in which the outcome of a swap may be hidden.
function election(record: ElectionRecord | null, swap: 'tells' | 'times out' | 'times out and is lost once' = 'tells') {
  let current = record
  let swaps = 0
  const place: Election = {
    read: async () => current,
    compareAndSwap: async (expected, next) => {
      swaps++
      if (swap === 'times out and is lost once' && swaps === 1) throw new Error('timed out')
      const fits = current?.version === expected.version
      if (fits) current = next
      if (swap === 'times out') throw new Error('timed out')
      return fits
    },
    watch: () => {},
  }
  return { place, record: () => current, swaps: () => swaps }
}

function durableEpoch(value = 0) {
  const raised: number[] = []
  return {
    raised,
    get value() {
      return value
    },
    async raise(epoch: number) {
      raised.push(epoch)
      value = Math.max(value, epoch)
    },
  }
}

test('taking office resolves with the epoch, which is on the disk by then', async () => {
  const { place, record } = election(born)
  const epochs = durableEpoch()
  equal(await takeOffice(place, candidate('1@a', { hasEmptyLog: true }), epochs, silentLogger), 1)
  deepEqual(epochs.raised, [1])
  equal(record()?.leader, '1@a')
})

test('a swap whose outcome is hidden is resolved by reading, whether it took place or not', async () => {
  const done = election(led, 'times out')
  equal(await takeOffice(done.place, candidate('1@a'), durableEpoch(3), silentLogger), 4)
  equal(done.swaps(), 1)
  const lost = election(led, 'times out and is lost once')
  equal(await takeOffice(lost.place, candidate('1@a'), durableEpoch(3), silentLogger), 4)
  equal(lost.swaps(), 2)
})

test('a process that is the leader already leads without another epoch', async () => {
  const { place, swaps } = election({ ...led, incarnation: 'mine' })
  equal(await takeOffice(place, candidate('1@a'), durableEpoch(), silentLogger), 3)
  equal(swaps(), 0)
})

test('whoever may not lead is told why', async () => {
  const take = (record: ElectionRecord | null, who: Candidate, epoch: number) =>
    takeOffice(election(record).place, who, durableEpoch(epoch), silentLogger)
  await rejects(take(led, candidate('3@c'), 0), NotEligibleError)
  await rejects(take(led, candidate('3@c'), 0), /3@c.*1@a, 2@b of epoch 3/)
  await rejects(take(led, candidate('1@a', { clusterId: 'other' }), 0), /belongs to the cluster c/)
  await rejects(take(led, candidate('1@a'), 4), /has seen epoch 4/)
  await rejects(take(null, candidate('1@a'), 0), /there is no election record: it is created once/)
  await rejects(take(null, candidate('1@a'), 2), /has seen epoch 2: restore the record/)
})
