import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { LeaderEpochs, UNKNOWN_EPOCH_END } from '../../../broker/storage/leader-epochs.ts'

const history = (): LeaderEpochs =>
  new LeaderEpochs([
    { epoch: 2, startOffset: 10 },
    { epoch: 3, startOffset: 20 },
    { epoch: 5, startOffset: 30 },
  ])

test('an epoch is noted where it begins, once', () => {
  const epochs = new LeaderEpochs()
  equal(epochs.latest, -1)
  equal(epochs.assign(0, 0), true)
  equal(epochs.assign(0, 7), false)
  equal(epochs.assign(4, 9), true)
  equal(epochs.latest, 4)
  deepEqual(epochs.entries(), [
    { epoch: 0, startOffset: 0 },
    { epoch: 4, startOffset: 9 },
  ])
})

test('entries that contradict a new one go', () => {
  const lower = history()
  lower.assign(3, 40)
  deepEqual(lower.entries(), [
    { epoch: 2, startOffset: 10 },
    { epoch: 3, startOffset: 40 },
  ])
  const earlier = history()
  earlier.assign(6, 15)
  deepEqual(earlier.entries(), [
    { epoch: 2, startOffset: 10 },
    { epoch: 6, startOffset: 15 },
  ])
})

test('the latest epoch ends at the log end, an earlier one where the next begins', () => {
  deepEqual(history().endOffsetFor(5, 44), { epoch: 5, endOffset: 44 })
  deepEqual(history().endOffsetFor(3, 44), { epoch: 3, endOffset: 30 })
})

test('an epoch without records answers with the last one before it', () => {
  deepEqual(history().endOffsetFor(4, 44), { epoch: 3, endOffset: 30 })
})

test('an epoch before the first known one ends where that begins', () => {
  deepEqual(history().endOffsetFor(1, 44), { epoch: 1, endOffset: 10 })
})

test('nothing is known of an epoch above all, of none, and in an empty history', () => {
  deepEqual(history().endOffsetFor(6, 44), UNKNOWN_EPOCH_END)
  deepEqual(history().endOffsetFor(-1, 44), UNKNOWN_EPOCH_END)
  deepEqual(new LeaderEpochs().endOffsetFor(0, 44), UNKNOWN_EPOCH_END)
})

test('each offset has the epoch that was current there', () => {
  deepEqual(
    [9, 10, 19, 20, 31].map(offset => history().epochAt(offset)),
    [-1, 2, 2, 3, 5],
  )
})

test('a cut at the end forgets the epochs that began there or later', () => {
  const epochs = history()
  equal(epochs.truncateFromEnd(20), true)
  deepEqual(epochs.entries(), [{ epoch: 2, startOffset: 10 }])
  equal(epochs.truncateFromEnd(20), false)
})

test('a new log start moves the epoch that it lies in', () => {
  const epochs = history()
  equal(epochs.truncateFromStart(25), true)
  deepEqual(epochs.entries(), [
    { epoch: 3, startOffset: 25 },
    { epoch: 5, startOffset: 30 },
  ])
  equal(epochs.truncateFromStart(25), false)
  equal(epochs.truncateFromStart(5), false)
})
