// One test for each rule (A, B) and trap (F) of the replication protocol that the leader's state keeps; docs/replication.md has them.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { InSyncReplicas, type IsrProposal, type Surroundings } from '../../../broker/replication/in-sync-replicas.ts'
import type { PartitionState } from '../../../broker/replication/partition-state.ts'

const view = (change: Partial<PartitionState> = {}): PartitionState => ({
  brokerId: 1,
  leaderEpoch: 5,
  partitionEpoch: 8,
  replicas: [1, 2, 3],
  isr: [1, 2],
  minInsyncReplicas: 1,
  ...change,
})

const around = (change: Partial<Surroundings> = {}): Surroundings => ({
  nowMs: 0,
  highWatermark: 10,
  logEndOffset: 10,
  maxLagMs: 1000,
  mayJoin: () => true,
  ...change,
})

/** A leader whose log ended at 10 when its epoch began. */
function led(change: Partial<PartitionState> = {}) {
  const replicas = new InSyncReplicas(view(change), 10, 0)
  let logEndOffset = 10
  return {
    replicas,
    appendTo: (offset: number) => void (logEndOffset = offset),
    fetch: (brokerId: number, fetchOffset: number, nowMs = 0, brokerEpoch = brokerId + 100) =>
      replicas.onFetch({ brokerId, brokerEpoch, fetchOffset, logStartOffset: 0 }, logEndOffset, nowMs),
    highWatermark: (flushed = logEndOffset) => replicas.nextHighWatermark(0, flushed),
    propose: (change: Partial<Surroundings> = {}) => replicas.propose(around({ logEndOffset, ...change })),
  }
}

const idsOf = (proposal: IsrProposal | null) => proposal?.isr.map(member => member.brokerId) ?? null

test('B1: a fetch of a broker that is no replica, or in an earlier life, does not count', () => {
  const { replicas, fetch } = led()
  equal(replicas.checkFollower(9, 109), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  equal(replicas.checkFollower(1, 101), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  equal(replicas.checkFollower(2, 102), ErrorCode.NONE)
  fetch(2, 10)
  equal(replicas.checkFollower(2, 101), ErrorCode.NOT_LEADER_OR_FOLLOWER)
  equal(replicas.checkFollower(2, 103), ErrorCode.NONE)
})

test('A9: what another life of a follower acknowledges replaces what the former did', () => {
  const { replicas, fetch } = led()
  fetch(2, 10)
  fetch(2, 4, 0, 200)
  equal(replicas.acknowledgedOffset(2), 4)
})

test('A9: a fetch that was overtaken takes nothing back', () => {
  const { replicas, fetch } = led()
  fetch(2, 10)
  fetch(2, 4)
  equal(replicas.acknowledgedOffset(2), 10)
})

test('A6, F1: acknowledgements and additions of the former leader epoch are void', () => {
  const { replicas, fetch, propose, highWatermark } = led()
  fetch(2, 10)
  fetch(3, 10)
  ok(replicas.attempt(propose()!))
  equal(highWatermark(), 10)
  equal(replicas.update(view({ leaderEpoch: 6, partitionEpoch: 9 }), 12, 0), true)
  deepEqual(replicas.additions, [])
  equal(replicas.epochStartOffset, 12)
  equal(highWatermark(), 0)
})

test('B2: the high watermark waits for a pending addition from before it is asked for', () => {
  const { replicas, fetch, propose, appendTo, highWatermark } = led()
  fetch(3, 10)
  ok(replicas.attempt(propose()!))
  appendTo(15)
  fetch(2, 15)
  equal(highWatermark(), 10)
  fetch(3, 13)
  equal(highWatermark(), 13)
})

test('B2: a pending addition does not make up for a minimum that the view does not have', () => {
  const { replicas, fetch, propose, highWatermark } = led({ isr: [1], minInsyncReplicas: 2 })
  fetch(2, 10)
  ok(replicas.attempt(propose()!))
  equal(highWatermark(), 0)
  replicas.update(view({ isr: [1, 2], partitionEpoch: 9, minInsyncReplicas: 2 }), 10, 0)
  equal(highWatermark(), 10)
})

test('B4: who is to be removed counts until a later partition epoch says that it is out', () => {
  const { replicas, fetch, propose, appendTo, highWatermark } = led()
  appendTo(20)
  fetch(2, 11)
  const proposal = propose({ nowMs: 5000 })!
  deepEqual(idsOf(proposal), [1])
  ok(replicas.attempt(proposal))
  equal(highWatermark(), 11)
  replicas.update(view({ isr: [1], partitionEpoch: 9 }), 20, 5000)
  equal(highWatermark(), 20)
})

test('F2: an addition of unknown outcome counts until a later partition epoch is seen, and is asked for again', () => {
  const { replicas, fetch, propose, highWatermark } = led()
  fetch(2, 20)
  fetch(3, 10)
  ok(replicas.attempt(propose()!))
  equal(replicas.update(view(), 20, 0), false)
  equal(highWatermark(20), 10)
  const again = propose()!
  deepEqual(idsOf(again), [1, 2, 3])
  ok(replicas.attempt(again))
  equal(replicas.additions.length, 1)
})

test('F2: when who was asked for may not join any more, the ISR is written as it is, which ends the addition', () => {
  const { replicas, fetch, propose, highWatermark } = led()
  fetch(2, 20)
  fetch(3, 10)
  ok(replicas.attempt(propose()!))
  const rewrite = propose({ mayJoin: () => false })!
  deepEqual(idsOf(rewrite), [1, 2])
  ok(replicas.attempt(rewrite))
  equal(highWatermark(20), 10)
  replicas.update(view({ partitionEpoch: 9 }), 20, 0)
  equal(highWatermark(20), 20)
  equal(propose({ mayJoin: () => false }), null)
})

test('F2: an addition whose replica came back in another life waits for that life to be ruled out', () => {
  const { replicas, fetch, propose, highWatermark } = led()
  fetch(2, 20)
  fetch(3, 10)
  ok(replicas.attempt(propose()!))
  fetch(3, 20, 0, 300)
  equal(highWatermark(20), 0)
  ok(replicas.attempt(propose()!))
  deepEqual(
    replicas.additions.map(({ id, tag }) => [id, tag]),
    [[3, 103], [3, 300]], // prettier-ignore
  )
  replicas.update(view({ partitionEpoch: 9, isr: [1, 2, 3] }), 20, 0)
  equal(highWatermark(20), 20)
})

test('F3: caught up means up to the start of the leader epoch, and up to the high watermark', () => {
  const { fetch, propose, appendTo } = led()
  fetch(2, 10)
  fetch(3, 9)
  equal(propose({ highWatermark: 0 }), null)
  fetch(3, 10)
  deepEqual(idsOf(propose({ highWatermark: 0 })), [1, 2, 3])
  appendTo(12)
  fetch(2, 12)
  equal(propose({ highWatermark: 11 }), null)
  fetch(3, 11)
  deepEqual(idsOf(propose({ highWatermark: 11 })), [1, 2, 3])
})

test('F5: an older view changes nothing but the configuration', () => {
  const { replicas } = led()
  replicas.update(view({ partitionEpoch: 9, isr: [1] }), 10, 0)
  equal(replicas.update(view({ minInsyncReplicas: 2 }), 10, 0), false)
  deepEqual(replicas.view, view({ partitionEpoch: 9, isr: [1], minInsyncReplicas: 2 }))
})

test('F9: the refusal of the only attempt ends the addition', () => {
  const { replicas, fetch, propose } = led()
  fetch(2, 10)
  fetch(3, 10)
  const proposal = propose()!
  ok(replicas.attempt(proposal))
  replicas.onRefusal(proposal, ErrorCode.INELIGIBLE_REPLICA)
  deepEqual(replicas.additions, [])
})

test('F9: a refusal while an earlier attempt may be open ends nothing: the ISR is written as it is', () => {
  const { replicas, fetch, propose, highWatermark } = led()
  fetch(2, 20)
  fetch(3, 10)
  const proposal = propose()!
  ok(replicas.attempt(proposal))
  ok(replicas.attempt(proposal))
  replicas.onRefusal(proposal, ErrorCode.INELIGIBLE_REPLICA)
  equal(highWatermark(20), 10)
  deepEqual(idsOf(propose()), [1, 2])
  replicas.update(view({ partitionEpoch: 9 }), 20, 0)
  deepEqual(replicas.additions, [])
})

test('F9: an attempt after a refused one is not the only one', () => {
  const { replicas, fetch, propose } = led()
  fetch(2, 10)
  fetch(3, 10)
  const proposal = propose()!
  ok(replicas.attempt(proposal))
  replicas.onRefusal(proposal, ErrorCode.INELIGIBLE_REPLICA)
  ok(replicas.attempt(proposal))
  replicas.onRefusal(proposal, ErrorCode.INELIGIBLE_REPLICA)
  equal(replicas.additions.length, 1)
})

test('B4: a refusal that says nothing of the addition, or is of a former partition epoch, ends nothing', () => {
  const { replicas, fetch, propose } = led()
  fetch(2, 10)
  fetch(3, 10)
  const proposal = propose()!
  ok(replicas.attempt(proposal))
  replicas.onRefusal(proposal, ErrorCode.INVALID_UPDATE_VERSION)
  equal(replicas.additions.length, 1)
  replicas.onRefusal({ ...proposal, partitionEpoch: 7 }, ErrorCode.INELIGIBLE_REPLICA)
  equal(replicas.additions.length, 1)
})

test('a proposal that is older than the view is not sent', () => {
  const { replicas, fetch, propose } = led()
  fetch(3, 10)
  const proposal = propose()!
  replicas.update(view({ partitionEpoch: 9 }), 10, 0)
  equal(replicas.attempt(proposal), false)
  deepEqual(replicas.additions, [])
})

test('KIP-903: only a broker that may lead is added, in the life that acknowledged', () => {
  const { fetch, propose } = led()
  fetch(2, 10)
  fetch(3, 10)
  equal(propose({ mayJoin: () => false }), null)
  equal(propose({ mayJoin: (_, brokerEpoch) => brokerEpoch === 104 }), null)
  deepEqual(propose({ mayJoin: (_, brokerEpoch) => brokerEpoch === 103 }), {
    leaderEpoch: 5,
    partitionEpoch: 8,
    isr: [{ brokerId: 1, brokerEpoch: -1 }, { brokerId: 2, brokerEpoch: 102 }, { brokerId: 3, brokerEpoch: 103 }], // prettier-ignore
  })
})

test('a follower that was at the log end a while ago is in sync until replica.lag.time.max.ms has passed', () => {
  const { fetch, propose, appendTo } = led()
  fetch(2, 10, 500)
  appendTo(20)
  equal(propose({ nowMs: 1500 }), null)
  deepEqual(idsOf(propose({ nowMs: 1501 })), [1])
})

test('a follower under load that has at each fetch what there was at the fetch before is in sync', () => {
  const { fetch, propose, appendTo } = led()
  for (let step = 0; step < 10; step++) {
    fetch(2, 10 + step, step * 900)
    appendTo(11 + step)
    equal(propose({ nowMs: step * 900 }), null)
  }
})

test('a follower that gets on, but slower than its leader, is not in sync', () => {
  const { fetch, propose, appendTo } = led()
  appendTo(100)
  for (let step = 1; step <= 10; step++) {
    fetch(2, 10 + step, step * 200)
    appendTo(100 + step * 10)
  }
  deepEqual(idsOf(propose({ nowMs: 2000 })), [1])
})

test('nobody lags behind a log to which nothing is written', () => {
  const { fetch, propose } = led()
  fetch(2, 10)
  equal(propose({ nowMs: 1_000_000 }), null)
})

test('members have the usual time after the leader took office, and after they have joined', () => {
  const { replicas, propose, appendTo, fetch } = led()
  appendTo(20)
  equal(propose({ nowMs: 1000 }), null)
  fetch(2, 20, 1000)
  replicas.update(view({ partitionEpoch: 9, isr: [1, 2, 3] }), 20, 5000)
  appendTo(30)
  fetch(2, 30, 5000)
  equal(propose({ nowMs: 6000 }), null)
  deepEqual(idsOf(propose({ nowMs: 6001 })), [1, 2])
})
