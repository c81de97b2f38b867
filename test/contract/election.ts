// What every Election must do (broker/metadata/election/election.ts). `fresh` gives a place with a first record of the cluster `c`;
// `join` gives another process's view of the same place.
import { deepEqual, equal } from 'node:assert/strict'
import { describe, test } from 'vitest'
import type { Election, ElectionRecord } from '../../broker/metadata/election/election.ts'

export type ElectionUnderTest = { readonly election: Election; join(): Election }

export function electionContract(name: string, fresh: () => Promise<ElectionUnderTest>): void {
  describe(name, () => {
    test('the record reads back as it was born', async () => {
      const { election } = await fresh()
      deepEqual(await election.read(), {
        version: 1,
        epoch: 0,
        leader: null,
        incarnation: '',
        inSync: [],
        clusterId: 'c',
      })
    })

    test('a swap on the record that was read takes place, for everybody', async () => {
      const { election, join } = await fresh()
      const before = (await election.read())!
      equal(await election.compareAndSwap(before, next(before, '1@a')), true)
      const after = await join().read()
      equal(after?.leader, '1@a')
      equal(after?.version, 2)
    })

    test('a swap on a record that has changed since does not take place', async () => {
      const { election, join } = await fresh()
      const before = (await election.read())!
      equal(await join().compareAndSwap(before, next(before, '2@b')), true)
      equal(await election.compareAndSwap(before, next(before, '1@a')), false)
      equal((await election.read())?.leader, '2@b')
    })

    test('of many that swap at once one succeeds, and it is the one that reads say', async () => {
      const { election, join } = await fresh()
      for (let round = 0; round < 10; round++) {
        const before = (await election.read())!
        const candidates = Array.from({ length: 8 }, (_, id) => ({ id: `${id}@disk-${round}`, election: join() }))
        const outcomes = await Promise.all(
          candidates.map(candidate => candidate.election.compareAndSwap(before, next(before, candidate.id))),
        )
        const winners = candidates.filter((_, index) => outcomes[index]).map(({ id }) => id)
        const after = (await election.read())!
        deepEqual(winners, [after.leader])
        equal(after.version, before.version + 1)
      }
    })

    test('a watcher sees the record as it is, and then only newer ones, up to the last', async () => {
      const { election, join } = await fresh()
      const seen: number[] = []
      const stop = new AbortController()
      let wake = (): void => {}
      election.watch(record => {
        seen.push(record.version)
        wake()
      }, stop.signal)
      const other = join()
      for (let change = 0; change < 5; change++) {
        const before = (await other.read())!
        await other.compareAndSwap(before, next(before, '1@a'))
      }
      while (seen.at(-1) !== 6) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
      stop.abort()
      deepEqual(
        seen,
        [...seen].sort((a, b) => a - b),
      )
      equal(new Set(seen).size, seen.length)
    })
  })
}

function next(record: ElectionRecord, leader: string): ElectionRecord {
  return { ...record, version: record.version + 1, epoch: record.epoch + 1, leader, incarnation: 'i', inSync: [leader] }
}
