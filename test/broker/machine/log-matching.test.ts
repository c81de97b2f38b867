import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import {
  acknowledge,
  acknowledgedOffset,
  cutOffset,
  endOfLog,
  isCaughtUp,
  leastFlushed,
  matchLogEnd,
  mayApply,
  openAdditions,
  type Acknowledgements,
  type MatchableLog,
  type OutstandingFetch,
} from '../../../broker/machine/log-matching.ts'
import { LeaderEpochs } from '../../../broker/storage/leader-epochs.ts'

/** A log whose records have these leader epochs, one each. */
function logOf(epochs: readonly number[], logStartOffset = 0): MatchableLog {
  const leaderEpochs = new LeaderEpochs()
  for (const [at, epoch] of epochs.entries()) leaderEpochs.assign(epoch, logStartOffset + at)
  return { logStartOffset, endOffset: logStartOffset + epochs.length, leaderEpochs }
}

const FITS = { kind: 'fits' }

test('an empty log fits into every log that begins at the same offset', () => {
  deepEqual(matchLogEnd(logOf([]), { offset: 0, epoch: -1 }), FITS)
  deepEqual(matchLogEnd(logOf([1, 1, 2]), { offset: 0, epoch: -1 }), FITS)
  deepEqual(matchLogEnd(logOf([2, 2], 10), { offset: 10, epoch: -1 }), FITS)
})

test('a log fits when its last record has the same epoch in both', () => {
  const leader = logOf([1, 1, 2, 4])
  deepEqual(matchLogEnd(leader, { offset: 1, epoch: 1 }), FITS)
  deepEqual(matchLogEnd(leader, { offset: 2, epoch: 1 }), FITS)
  deepEqual(matchLogEnd(leader, { offset: 3, epoch: 2 }), FITS)
  deepEqual(matchLogEnd(leader, { offset: 4, epoch: 4 }), FITS)
})

test('a log that is longer in an epoch, or ends in one that the leader does not have, diverges', () => {
  const leader = logOf([1, 1, 2, 4])
  deepEqual(matchLogEnd(leader, { offset: 3, epoch: 1 }), { kind: 'diverges', epoch: 1, endOffset: 2 })
  deepEqual(matchLogEnd(leader, { offset: 4, epoch: 3 }), { kind: 'diverges', epoch: 2, endOffset: 3 })
  deepEqual(matchLogEnd(leader, { offset: 9, epoch: 5 }), { kind: 'diverges', epoch: 4, endOffset: 4 })
  deepEqual(matchLogEnd(leader, { offset: 5, epoch: 4 }), { kind: 'diverges', epoch: 4, endOffset: 4 })
  deepEqual(matchLogEnd(logOf([]), { offset: 2, epoch: 3 }), { kind: 'diverges', epoch: 3, endOffset: 0 })
  deepEqual(matchLogEnd(logOf([4]), { offset: 2, epoch: 3 }), { kind: 'diverges', epoch: 3, endOffset: 0 })
})

test('what lies before the log start of the leader cannot be followed: the follower begins there', () => {
  const leader = logOf([3, 4], 10)
  const startsLater = { kind: 'starts-later', logStartOffset: 10 }
  deepEqual(matchLogEnd(leader, { offset: 0, epoch: -1 }), startsLater)
  deepEqual(matchLogEnd(leader, { offset: 7, epoch: 2 }), startsLater)
  // Its record at offset 9 may be right or not: the leader has forgotten.
  deepEqual(matchLogEnd(leader, { offset: 10, epoch: 2 }), startsLater)
  deepEqual(matchLogEnd(leader, { offset: 10, epoch: 3 }), FITS)
  deepEqual(matchLogEnd(leader, { offset: 11, epoch: 3 }), FITS)
  deepEqual(matchLogEnd(leader, { offset: 12, epoch: 2 }), { kind: 'diverges', epoch: 2, endOffset: 10 })
})

test('a log that began anew at the end of a leader whose records are all deleted fits', () => {
  const epochs = new LeaderEpochs([{ epoch: 3, startOffset: 10 }])
  const leader = { logStartOffset: 10, endOffset: 10, leaderEpochs: epochs }
  deepEqual(matchLogEnd(leader, { offset: 10, epoch: -1 }), FITS)
  deepEqual(matchLogEnd(leader, { offset: 10, epoch: 3 }), FITS)
  deepEqual(matchLogEnd(leader, { offset: 10, epoch: 2 }), { kind: 'starts-later', logStartOffset: 10 })
})

test('a follower cuts to the smaller of both ends of the epoch', () => {
  equal(cutOffset(logOf([1, 1, 1]), { epoch: 1, endOffset: 2 }), 2)
  equal(cutOffset(logOf([1, 3, 3]), { epoch: 2, endOffset: 5 }), 1)
  equal(cutOffset(logOf([3, 3]), { epoch: 2, endOffset: 5 }), 0)
  equal(cutOffset(logOf([1, 1, 1]), { epoch: 2, endOffset: 2 }), 2)
  equal(cutOffset(logOf([]), { epoch: 2, endOffset: 2 }), 0)
})

test('following what the leader says always ends with a log that fits, and never cuts a record that both have', () => {
  const histories = allHistories(4, 3)
  for (const leader of histories) {
    for (const own of histories) {
      let common = 0
      while (common < own.length && common < leader.length && own[common] === leader[common]) common++
      let follower = [...own]
      for (;;) {
        const log = logOf(follower)
        const match = matchLogEnd(logOf(leader), endOfLog(log))
        if (match.kind === 'fits') break
        equal(match.kind, 'diverges')
        const end = cutOffset(log, match as { epoch: number; endOffset: number })
        equal(end < follower.length && end >= common, true, `${own.join()} behind ${leader.join()} is cut to ${end}`)
        follower = follower.slice(0, end)
      }
      if (areHistories(own, leader)) equal(follower.length, common, `${own.join()} behind ${leader.join()}`)
    }
  }
})

/** All logs of up to `length` records with epochs that only grow. */
function allHistories(length: number, maxEpoch: number): number[][] {
  if (length === 0) return [[]]
  const shorter = allHistories(length - 1, maxEpoch)
  const longer = shorter
    .filter(history => history.length === length - 1)
    .flatMap(history => {
      const found: number[][] = []
      for (let epoch = history.at(-1) ?? 1; epoch <= maxEpoch; epoch++) found.push([...history, epoch])
      return found
    })
  return [...shorter, ...longer]
}

/** Whether both logs can exist side by side: an epoch has one leader, so it begins behind the same records in both. */
function areHistories(one: readonly number[], other: readonly number[]): boolean {
  return one.every(epoch => {
    const begin = other.indexOf(epoch)
    return begin === -1 || one.slice(0, one.indexOf(epoch)).join() === other.slice(0, begin).join()
  })
}

test('an answer is applied only to the fetch that is waited for, in its epoch, and to the log that was sent', () => {
  const sent: OutstandingFetch = { number: 7, leaderEpoch: 3, end: { offset: 5, epoch: 2 } }
  equal(mayApply(sent, sent, 3, { offset: 5, epoch: 2 }), true)
  equal(mayApply(sent, null, 3, { offset: 5, epoch: 2 }), false)
  equal(mayApply(sent, { ...sent, number: 8 }, 3, { offset: 5, epoch: 2 }), false)
  equal(mayApply(sent, sent, 4, { offset: 5, epoch: 2 }), false)
  equal(mayApply(sent, sent, 3, { offset: 6, epoch: 2 }), false)
  equal(mayApply(sent, sent, 3, { offset: 5, epoch: 3 }), false)
})

test('an acknowledgement grows, and one of another tag replaces it', () => {
  const known: Acknowledgements<string> = new Map()
  acknowledge(known, 2, 'a', 5)
  acknowledge(known, 2, 'a', 3)
  equal(acknowledgedOffset(known, { id: 2, tag: 'a' }), 5)
  acknowledge(known, 2, 'b', 1)
  equal(acknowledgedOffset(known, { id: 2, tag: 'b' }), 1)
  equal(acknowledgedOffset(known, { id: 2, tag: 'a' }), 0)
  equal(acknowledgedOffset(known, { id: 2, tag: null }), 1)
})

test('the least flushed is over all members with their own tags, and the leader itself', () => {
  const known: Acknowledgements<string> = new Map()
  acknowledge(known, 2, 'a', 5)
  acknowledge(known, 3, 'c', 8)
  equal(leastFlushed(1, 9, [], known), 9)
  equal(leastFlushed(1, 9, [{ id: 1, tag: 'x' }, { id: 3, tag: 'c' }], known), 8) // prettier-ignore
  equal(leastFlushed(1, 4, [{ id: 2, tag: 'a' }], known), 4)
  equal(leastFlushed(1, 9, [{ id: 2, tag: 'a' }, { id: 3, tag: null }], known), 5) // prettier-ignore
  equal(leastFlushed(1, 9, [{ id: 2, tag: 'other disk' }], known), 0)
  equal(leastFlushed(1, 9, [{ id: 4, tag: null }], known), 0)
})

test('who has caught up has flushed what is committed and what the leader had when its epoch began', () => {
  equal(isCaughtUp(4, 4, 4), true)
  equal(isCaughtUp(3, 4, 0), false)
  equal(isCaughtUp(3, 0, 4), false)
})

test('an addition stays open until a higher version was read', () => {
  const additions = [{ id: 3, tag: 'c', version: 7 }]
  deepEqual(openAdditions(additions, 7), additions)
  deepEqual(openAdditions(additions, 6), additions)
  deepEqual(openAdditions(additions, 8), [])
})
