import { deepEqual, equal, rejects } from 'node:assert/strict'
import { test } from 'vitest'
import { memoryJournal, type Journal } from '../../../broker/machine/journal.ts'
import { Runtime, StateLostError } from '../../../broker/machine/runtime.ts'

// A state machine that remembers numbers.
type State = { sum: number }

function machine(journal: Journal<number>) {
  const committed: { records: readonly number[]; sum: number }[] = []
  const lost: unknown[] = []
  const runtime = new Runtime<State, number, number>(journal, {
    create: () => ({ sum: 0 }),
    replay: (state, record) => {
      if (record === 13) throw new Error('13 is not replayed')
      state.sum += record
    },
    view: state => state.sum,
    onCommitted: (records, sum) => committed.push({ records, sum }),
    onLost: cause => lost.push(cause),
  })
  return { runtime, committed, lost }
}

const add =
  (...numbers: number[]) =>
  (state: State, emit: (record: number) => void): number => {
    for (const number of numbers) emit(number)
    return state.sum
  }

test('a loaded runtime has replayed the journal', async () => {
  const { runtime } = machine(memoryJournal([1, 2, 3]))
  equal(await runtime.load(), 6)
  equal(await runtime.write(state => state.sum), 6)
})

test('a decision sees what it has just emitted, and the next one sees it before it is committed', async () => {
  const journal = memoryJournal<number>()
  const { runtime } = machine(journal)
  await runtime.load()
  const release = journal.hold()
  const first = runtime.write(add(1, 2))
  const second = runtime.write(add(4))
  release()
  deepEqual(await Promise.all([first, second]), [3, 7])
})

test('an answer waits until its records are committed', async () => {
  const journal = memoryJournal<number>()
  const { runtime } = machine(journal)
  await runtime.load()
  const release = journal.hold()
  let isAnswered = false
  const write = runtime.write(add(1)).then(() => {
    isAnswered = true
  })
  await new Promise(resolve => setImmediate(resolve))
  equal(isAnswered, false)
  release()
  await write
  deepEqual(journal.records, [1])
})

test('a read waits until what it has seen is committed', async () => {
  const journal = memoryJournal<number>()
  const { runtime } = machine(journal)
  await runtime.load()
  const release = journal.hold()
  const order: string[] = []
  const write = runtime.write(add(1)).then(() => order.push('write'))
  const read = runtime.write(state => state.sum).then(sum => order.push(`read ${sum}`))
  release()
  await Promise.all([write, read])
  deepEqual(order, ['write', 'read 1'])
})

test('commits are shown in order with the state as it was after each, before their answers', async () => {
  const { runtime, committed } = machine(memoryJournal())
  await runtime.load()
  const shown: number[] = []
  await Promise.all([1, 2, 3].map(number => runtime.write(add(number)).then(() => shown.push(committed.length))))
  deepEqual(committed, [
    { records: [1], sum: 1 },
    { records: [2], sum: 3 },
    { records: [3], sum: 6 },
  ])
  deepEqual(
    shown.map((count, index) => count > index),
    [true, true, true],
  )
})

test('a write that emits nothing is not shown as a commit', async () => {
  const { runtime, committed } = machine(memoryJournal())
  await runtime.load()
  await runtime.write(state => state.sum)
  deepEqual(committed, [])
})

test('a decision that throws before it emits changes nothing', async () => {
  const { runtime, lost } = machine(memoryJournal())
  await runtime.load()
  await rejects(
    runtime.write(() => {
      throw new Error('refused')
    }),
    /refused/,
  )
  equal(await runtime.write(add(1)), 1)
  deepEqual(lost, [])
})

test('a decision that throws after it has emitted throws the state away', async () => {
  const journal = memoryJournal([1])
  const { runtime, lost } = machine(journal)
  await runtime.load()
  await rejects(
    runtime.write((_state, emit) => {
      emit(2)
      emit(13)
    }),
    /13 is not replayed/,
  )
  equal(lost.length, 1)
  equal(runtime.isLoaded, false)
  deepEqual(journal.records, [1])
})

test('a failed append throws the state away, with everything decided on it', async () => {
  const journal = memoryJournal([1])
  const { runtime, lost, committed } = machine(journal)
  await runtime.load()
  journal.failNext(new Error('disk'))
  const first = runtime.write(add(10))
  const second = runtime.write(add(100))
  await rejects(first, StateLostError)
  await rejects(second, StateLostError)
  await rejects(runtime.write(add(1)), StateLostError)
  equal(lost.length, 1)
  deepEqual(committed, [])
  equal(await runtime.load(), 1)
  equal(await runtime.write(add(1)), 2)
})

test('writing before a load, and after an unload, is refused', async () => {
  const { runtime } = machine(memoryJournal())
  await rejects(runtime.write(add(1)), StateLostError)
  await runtime.load()
  runtime.unload()
  await rejects(runtime.write(add(1)), StateLostError)
})

test('a write in flight when the state is unloaded is answered by what the journal says', async () => {
  const journal = memoryJournal<number>()
  const { runtime, committed } = machine(journal)
  await runtime.load()
  const release = journal.hold()
  const write = runtime.write(add(1))
  runtime.unload()
  release()
  equal(await write, 1)
  deepEqual(committed, [])
})

test('a load that is overtaken by an unload loads nothing', async () => {
  const { runtime } = machine(memoryJournal([1]))
  const load = runtime.load()
  runtime.unload()
  await rejects(load, StateLostError)
  equal(runtime.isLoaded, false)
})

test('compacting replaces the journal by what the state amounts to', async () => {
  const journal = memoryJournal([1, 2, 3])
  const { runtime } = machine(journal)
  await runtime.load()
  const write = runtime.write(add(4))
  await runtime.compact(state => [state.sum])
  await write
  deepEqual(journal.records, [10])
  equal(await runtime.load(), 10)
})
