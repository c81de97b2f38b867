// Each rule A2 to A14 as far as a pure function keeps it, and the traps (F) that were found when one was missing.
import { deepEqual, equal, notEqual } from 'node:assert/strict'
import { test } from 'vitest'
import type { ElectionRecord } from '../../../../broker/metadata/election/election.ts'
import {
  advanceHighWatermark,
  epochStored,
  isLeaderless,
  laggards,
  learnHighWatermark,
  onFetch,
  planAddition,
  planFetch,
  planLeave,
  planRemoval,
  planRewrite,
  planTakeover,
  seeEpoch,
  seeRecord,
  startedState,
  takeAnswer,
  type Identity,
  type QuorumLog,
  type QuorumState,
} from '../../../../broker/metadata/quorum/quorum-state.ts'
import { LeaderEpochs } from '../../../../broker/storage/leader-epochs.ts'

const ONE: Identity = { nodeId: 1, directoryId: 'a', incarnation: 'one', clusterId: 'c', isCandidate: true }
const TWO: Identity = { ...ONE, nodeId: 2, directoryId: 'b', incarnation: 'two' }

/** Node 1 leads epoch 3. */
const RECORD: ElectionRecord = {
  version: 5,
  epoch: 3,
  leader: '1@a',
  incarnation: 'one',
  inSync: ['1@a', '2@b'],
  clusterId: 'c',
}
const ALONE: ElectionRecord = { ...RECORD, inSync: ['1@a'] }

/** A log whose records have these leader epochs, one each. */
function logOf(epochs: readonly number[], flushedOffset = epochs.length): QuorumLog {
  const leaderEpochs = new LeaderEpochs()
  for (const [at, epoch] of epochs.entries()) leaderEpochs.assign(epoch, at)
  const endOffset = epochs.length
  return { logStartOffset: 0, endOffset, leaderEpochs, flushedOffset, isFlushed: flushedOffset === endOffset }
}

const EMPTY = logOf([])

/** A process that has read `record` and has its epoch on the disk. */
function stateOf(self: Identity, record: ElectionRecord, log: QuorumLog = EMPTY): QuorumState {
  const state = startedState(record.epoch, 0)
  seeRecord(state, self, log, record, record.epoch)
  return state
}

/** What the follower `id@directory` asks, with all of `log` flushed. */
function fetchOf(log: QuorumLog, { id = 2, directory = 'b', epoch = 3 } = {}) {
  const end = { offset: log.endOffset, epoch: log.leaderEpochs.latest }
  return { nodeId: id, directoryId: directory, epoch, end }
}

test('a record of a lower or the same version is ignored, however it got here (A2, F5)', () => {
  const state = stateOf(ONE, RECORD)
  seeRecord(state, ONE, EMPTY, { ...RECORD, version: 4, inSync: ['1@a'] }, null)
  seeRecord(state, ONE, EMPTY, { ...RECORD, inSync: ['1@a'] }, null)
  equal(state.view, RECORD)
})

test('a record that was read, and is of a lower epoch than the disk has seen, ends everything (A2, F13)', () => {
  const state = startedState(4, 0)
  seeRecord(state, ONE, EMPTY, RECORD, 4)
  equal(state.role.kind, 'failed')
  seeRecord(state, ONE, EMPTY, { ...RECORD, version: 9, epoch: 9 }, 4)
  equal(state.role.kind, 'failed')
  equal(planTakeover(state, ONE, EMPTY), null)
})

test('an old record from a watch is only late', () => {
  const state = startedState(4, 0)
  seeRecord(state, ONE, EMPTY, RECORD, null)
  equal(state.role.kind, 'unattached')
  seeRecord(state, ONE, EMPTY, { ...RECORD, version: 6, epoch: 4, leader: '2@b' }, null)
  equal(state.role.kind, 'follower')
})

test('nobody leads or follows in an epoch that is not on the disk (A3, F4)', () => {
  for (const self of [ONE, TWO]) {
    const state = startedState(2, 0)
    seeRecord(state, self, EMPTY, RECORD, 2)
    equal(state.role.kind, 'unattached')
    equal(state.wantedEpoch, 3)
    equal(planFetch(state, EMPTY), null)
    epochStored(state, self, EMPTY, 3)
    equal(state.role.kind, self === ONE ? 'leader' : 'follower')
  }
})

test('a leader that hears of a higher epoch in a fetch stops before it has written that epoch (A3)', () => {
  const state = stateOf(ONE, RECORD)
  deepEqual(onFetch(state, EMPTY, fetchOf(EMPTY, { epoch: 4 })), { kind: 'not-leader' })
  equal(state.role.kind, 'unattached')
  epochStored(state, ONE, EMPTY, 4)
  equal(state.role.kind, 'unattached')
})

test('a follower does not go back to a lower epoch (A3)', () => {
  const state = stateOf(TWO, RECORD)
  seeEpoch(state, 4)
  seeEpoch(state, 3)
  epochStored(state, TWO, EMPTY, 4)
  equal(state.role.kind, 'unattached')
  equal(state.epoch, 4)
  equal(planTakeover(state, TWO, EMPTY), null)
})

test('whoever is in sync takes over with the next epoch, and without the old leader (A4)', () => {
  deepEqual(planTakeover(stateOf(TWO, RECORD), TWO, EMPTY), {
    ...RECORD,
    version: 6,
    epoch: 4,
    leader: '2@b',
    incarnation: 'two',
    inSync: ['2@b'],
  })
})

test('nobody takes over who is not in sync, has another disk, is no candidate, or is of another cluster (A4)', () => {
  equal(planTakeover(stateOf(TWO, ALONE), TWO, EMPTY), null)
  const others = [{ directoryId: 'replaced' }, { isCandidate: false }, { clusterId: 'another' }]
  for (const other of others) {
    const self = { ...TWO, ...other }
    equal(planTakeover(stateOf(self, RECORD), self, EMPTY), null)
  }
})

test('a leader that has restarted does not go on in its epoch, it takes the next one (A5, F1)', () => {
  const again = { ...ONE, incarnation: 'restarted' }
  const state = stateOf(again, RECORD)
  equal(state.role.kind, 'unattached')
  const next = planTakeover(state, again, EMPTY)
  deepEqual([next?.epoch, next?.incarnation, next?.inSync], [4, 'restarted', ['1@a', '2@b']])
})

test('that the record was to be changed makes no leader, reading it does (A5)', () => {
  const state = stateOf(TWO, RECORD)
  const next = planTakeover(state, TWO, EMPTY)!
  equal(state.role.kind, 'follower')
  seeRecord(state, TWO, EMPTY, next, null)
  epochStored(state, TWO, EMPTY, 4)
  equal(state.role.kind, 'leader')
})

test('a leader begins its epoch at the end of its log, and what it knew of followers before is forgotten (A6)', () => {
  const log = logOf([2, 3], 1)
  const state = stateOf(ONE, RECORD, log)
  deepEqual(state.role, { kind: 'leader', epochStartOffset: 2, acknowledged: new Map(), additions: [] })
  onFetch(state, log, fetchOf(logOf([2])))
  const next = { ...RECORD, version: 6, epoch: 4 }
  seeRecord(state, ONE, log, next, null)
  epochStored(state, ONE, log, 4)
  deepEqual(state.role, { kind: 'leader', epochStartOffset: 2, acknowledged: new Map(), additions: [] })
})

test('a follower fetches one thing at a time, and only when its whole log is on the disk (A8)', () => {
  const state = stateOf(TWO, RECORD)
  equal(planFetch(state, logOf([3, 3], 1)), null)
  deepEqual(planFetch(state, logOf([3, 3])), { number: 1, leaderEpoch: 3, end: { offset: 2, epoch: 3 } })
  equal(planFetch(state, logOf([3, 3])), null)
})

test('a leader refuses the fetch of an older epoch and acknowledges nothing (A9)', () => {
  const state = stateOf(ONE, RECORD)
  deepEqual(onFetch(state, EMPTY, fetchOf(EMPTY, { epoch: 2 })), { kind: 'fenced' })
  equal(state.role.kind === 'leader' && state.role.acknowledged.size, 0)
})

test('a log that diverges is told where, and is not acknowledged (A9, F1)', () => {
  const log = logOf([1, 3, 3])
  const state = stateOf(ONE, RECORD, log)
  deepEqual(onFetch(state, log, fetchOf(logOf([1, 2]))), { kind: 'diverges', epoch: 1, endOffset: 1 })
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 0)
})

test('an answer to a fetch that is not waited for any more is not applied (A10, F6)', () => {
  const state = stateOf(TWO, RECORD)
  const first = planFetch(state, EMPTY)!
  equal(takeAnswer(state, EMPTY, first), true)
  equal(takeAnswer(state, EMPTY, first), false)
  planFetch(state, EMPTY)
  equal(takeAnswer(state, EMPTY, first), false)
  notEqual(state.outstanding, null)
})

test('an answer is not applied to a log that ends elsewhere, nor in another epoch (A10, F6)', () => {
  const longer = stateOf(TWO, RECORD)
  equal(takeAnswer(longer, logOf([3]), planFetch(longer, EMPTY)!), false)
  const state = stateOf(TWO, RECORD)
  const fetch = planFetch(state, EMPTY)!
  seeRecord(state, TWO, EMPTY, { ...RECORD, version: 6, epoch: 4 }, null)
  epochStored(state, TWO, EMPTY, 4)
  equal(takeAnswer(state, EMPTY, fetch), false)
})

test('a follower knows as committed only what it has, and never goes back (A10)', () => {
  const state = stateOf(TWO, RECORD)
  learnHighWatermark(state, logOf([3, 3]), 5)
  equal(state.highWatermark, 2)
  learnHighWatermark(state, logOf([3, 3]), 1)
  equal(state.highWatermark, 2)
})

test('committed is what the leader and everybody in sync have flushed (A11)', () => {
  const log = logOf([3, 3, 3], 2)
  const state = stateOf(ONE, RECORD, log)
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 0)
  deepEqual(laggards(state, ONE, 2), ['2@b'])
  onFetch(state, log, fetchOf(logOf([3])))
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 1)
  onFetch(state, log, fetchOf(log))
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 2)
  deepEqual(laggards(state, ONE, 2), [])
})

test('what another disk of a member has flushed does not count for the member (A11)', () => {
  const log = logOf([3])
  const state = stateOf(ONE, RECORD, log)
  onFetch(state, log, fetchOf(log, { directory: 'replaced' }))
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 0)
})

test('the high watermark of a leader never goes back (A11)', () => {
  const log = logOf([3])
  const state = stateOf(ONE, ALONE, log)
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 1)
  seeRecord(state, ONE, log, { ...RECORD, version: 6 }, null)
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 1)
})

test('a member that is to go counts until a record without it was read (A12, F11)', () => {
  const log = logOf([3])
  const state = stateOf(ONE, RECORD, log)
  const next = planRemoval(state, ONE, '2@b')!
  deepEqual(next, { ...ALONE, version: 6 })
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 0)
  seeRecord(state, ONE, log, next, null)
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 1)
})

test('nobody is removed by a follower, and a leader does not remove itself (A12)', () => {
  equal(planRemoval(stateOf(TWO, RECORD), TWO, '1@a'), null)
  equal(planRemoval(stateOf(ONE, RECORD), ONE, '1@a'), null)
  equal(planRemoval(stateOf(ONE, ALONE), ONE, '2@b'), null)
})

test('who is to be added counts from before it is asked until a higher version was read (A12, F2)', () => {
  const log = logOf([3])
  const state = stateOf(ONE, ALONE)
  onFetch(state, EMPTY, fetchOf(EMPTY))
  deepEqual(planAddition(state, 2), { ...RECORD, version: 6 })
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 0)
  // Nothing that is not of a higher version proves that the attempt will not still succeed.
  seeRecord(state, ONE, log, ALONE, 3)
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 0)
  seeRecord(state, ONE, log, { ...ALONE, version: 6 }, 3)
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 1)
})

test('an addition whose outcome stays open is ended by the same record with another version (A12, F2)', () => {
  const state = stateOf(ONE, ALONE)
  equal(planRewrite(state), null)
  onFetch(state, EMPTY, fetchOf(EMPTY))
  planAddition(state, 2)
  const next = planRewrite(state)!
  deepEqual(next, { ...ALONE, version: 6 })
  seeRecord(state, ONE, EMPTY, next, null)
  equal(planRewrite(state), null)
})

test('who has not acknowledged the start of the epoch has not caught up, though nothing is known to be committed (A12, F3)', () => {
  const log = logOf([2])
  const state = stateOf(ONE, ALONE, log)
  equal(planAddition(state, 2), null)
  onFetch(state, log, fetchOf(EMPTY))
  equal(planAddition(state, 2), null)
  onFetch(state, log, fetchOf(log))
  notEqual(planAddition(state, 2), null)
})

test('who has the start of the epoch but not all that is committed has not caught up (A12)', () => {
  const log = logOf([3, 3])
  const state = stateOf(ONE, ALONE)
  advanceHighWatermark(state, ONE, log)
  onFetch(state, log, fetchOf(logOf([3])))
  equal(planAddition(state, 2), null)
})

test('a disk that was replaced takes the place of the old one when it has caught up (A12, F12)', () => {
  const state = stateOf(ONE, RECORD)
  onFetch(state, EMPTY, fetchOf(EMPTY, { directory: 'replaced' }))
  deepEqual(planAddition(state, 2)?.inSync, ['1@a', '2@replaced'])
})

test('while the addition of one disk is open, no other disk of the same id is added (A12)', () => {
  const state = stateOf(ONE, ALONE)
  onFetch(state, EMPTY, fetchOf(EMPTY))
  planAddition(state, 2)
  onFetch(state, EMPTY, fetchOf(EMPTY, { directory: 'replaced' }))
  equal(planAddition(state, 2), null)
})

test('the start of the epoch of a new leader is above what it knows to be committed (A13, F14)', () => {
  const log = logOf([2, 2])
  const state = stateOf(ONE, ALONE, log)
  equal(state.role.kind === 'leader' && state.role.epochStartOffset, 2)
  equal(state.highWatermark, 0)
  advanceHighWatermark(state, ONE, log)
  equal(state.highWatermark, 2)
})

test('only in epoch 0, and only with an empty log, somebody begins (A14, F13)', () => {
  const born = { version: 1, epoch: 0, leader: null, incarnation: '', inSync: [], clusterId: 'c' }
  const state = stateOf(ONE, born)
  deepEqual(planTakeover(state, ONE, EMPTY), { ...ALONE, version: 2, epoch: 1 })
  equal(planTakeover(state, ONE, logOf([1])), null)
  const later = { ...born, epoch: 1 }
  equal(planTakeover(stateOf(ONE, later), ONE, EMPTY), null)
})

test('who stops leaves a record that says that nobody leads, and does nothing any more (C6)', () => {
  const state = stateOf(ONE, RECORD)
  const next = planLeave(state, ONE)!
  deepEqual(next, { ...RECORD, version: 6, inSync: ['2@b'] })
  equal(state.role.kind, 'unattached')
  equal(planTakeover(state, ONE, EMPTY), null)
  const follower = stateOf(TWO, RECORD)
  equal(isLeaderless(follower), false)
  seeRecord(follower, TWO, EMPTY, next, null)
  equal(isLeaderless(follower), true)
  notEqual(planTakeover(follower, TWO, EMPTY), null)
})

test('the last one in sync does not leave (C6)', () => {
  equal(planLeave(stateOf(ONE, ALONE), ONE), null)
})
