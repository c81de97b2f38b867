// What every Journal must do (broker/machine/journal.ts). `fresh` gives an empty one; `breakNext` makes its next append fail, null where
// what lies below does not work again after a failure; `reopen` gives a second journal over the same records, as after a restart.
import { deepEqual, equal, rejects } from 'node:assert/strict'
import { describe, test } from 'vitest'
import type { Journal } from '../../broker/machine/journal.ts'

export type JournalUnderTest = {
  readonly journal: Journal<string>
  readonly breakNext: (() => void) | null
  reopen(): Journal<string>
}

export function journalContract(name: string, fresh: () => Promise<JournalUnderTest>): void {
  describe(name, () => {
    test('an empty journal replays nothing and may then be appended to', async () => {
      const { journal } = await fresh()
      deepEqual(await replayed(journal), [])
      await journal.append(['a'])
      deepEqual(await replayed(journal), ['a'])
    })

    test('records come back in the order of the appends, whoever reopens it', async () => {
      const { journal, reopen } = await fresh()
      await replayed(journal)
      await Promise.all([journal.append(['a', 'b']), journal.append(['c']), journal.append(['d', 'e'])])
      deepEqual(await replayed(reopen()), ['a', 'b', 'c', 'd', 'e'])
    })

    test('appends resolve in the order in which they were made', async () => {
      const { journal } = await fresh()
      await replayed(journal)
      const resolved: number[] = []
      await Promise.all([1, 2, 3].map(number => journal.append([`${number}`]).then(() => resolved.push(number))))
      deepEqual(resolved, [1, 2, 3])
    })

    test('an append of nothing resolves after the appends before it', async () => {
      const { journal } = await fresh()
      await replayed(journal)
      const resolved: string[] = []
      const first = journal.append(['a']).then(() => resolved.push('append'))
      const barrier = journal.append([]).then(() => resolved.push('barrier'))
      await Promise.all([first, barrier])
      deepEqual(resolved, ['append', 'barrier'])
      deepEqual(await replayed(journal), ['a'])
    })

    test('after a failed append every append fails until the journal has been replayed', async context => {
      const { journal, breakNext } = await fresh()
      if (breakNext === null) return context.skip('a log that has failed stays offline')
      await replayed(journal)
      await journal.append(['a'])
      breakNext()
      const failing = journal.append(['lost'])
      const behind = journal.append(['behind'])
      await rejects(failing)
      await rejects(behind)
      await rejects(journal.append(['later']))
      await rejects(journal.append([]))
      deepEqual(await replayed(journal), ['a'])
      await journal.append(['b'])
      deepEqual(await replayed(journal), ['a', 'b'])
    })

    test('a snapshot takes the place of everything before it', async context => {
      const { journal, reopen } = await fresh()
      if (journal.appendSnapshot === undefined) return context.skip('this journal takes no snapshots')
      await replayed(journal)
      await journal.append(['a', 'b'])
      const snapshot = journal.appendSnapshot(['ab'])
      const after = journal.append(['c'])
      await Promise.all([snapshot, after])
      deepEqual(await replayed(reopen()), ['ab', 'c'])
    })

    test('a large append comes back whole', async () => {
      const { journal, reopen } = await fresh()
      await replayed(journal)
      const records = Array.from({ length: 20_000 }, (_, index) => `record ${index}`)
      await journal.append(records)
      const found = await replayed(reopen())
      equal(found.length, records.length)
      deepEqual(found, records)
    })
  })
}

async function replayed(journal: Journal<string>): Promise<string[]> {
  const records: string[] = []
  await journal.replay(record => records.push(record))
  return records
}
