// One broker's part in the metadata log and its election, as a state that pure functions move: who leads, in which epoch, what is
// committed, what may be asked of the election record. Rules A of the replication protocol (docs/metadata.md), named at the code that keeps
// them. Whoever owns the I/O does what the state asks for: it writes `wantedEpoch` to the disk, fetches, appends, cuts, swaps records. The
// model checker in test/model runs these very functions. A broker that is no candidate runs them too: it follows, and is never added.
import {
  acknowledge,
  acknowledgedOffset,
  endOfLog,
  isCaughtUp,
  leastFlushed,
  matchLogEnd,
  mayApply,
  openAdditions,
  type Acknowledgements,
  type Addition,
  type LogEnd,
  type Match,
  type MatchableLog,
  type Member,
  type OutstandingFetch,
} from '../../machine/log-matching.ts'
import { isLedBy, newerOf, takeover, type Candidate } from '../election/candidate.ts'
import { candidateId, type CandidateId, type ElectionRecord } from '../election/election.ts'

/** The metadata log as far as the rules need it. */
export type QuorumLog = MatchableLog & {
  /** Exclusive: below it everything is on the disk. */
  readonly flushedOffset: number
  /** Everything is on the disk, cuts included. */
  readonly isFlushed: boolean
}

export type Identity = Pick<Candidate, 'incarnation' | 'clusterId'> & {
  readonly nodeId: number
  readonly directoryId: string
  /** Whether it is one of `controller.quorum.voters`: only those take over. */
  readonly isCandidate: boolean
}

export type Leading = {
  readonly kind: 'leader'
  /** A6: where the log ended when the epoch began. */
  readonly epochStartOffset: number
  /** By node id, with the directory as the tag (A9, A11). */
  readonly acknowledged: Acknowledgements<string>
  additions: readonly Addition<string>[]
}

export type Role =
  | { readonly kind: 'unattached' }
  | { readonly kind: 'follower'; readonly leader: CandidateId }
  | Leading
  /** A2: the record is older than what this disk has seen: it does nothing until a person has looked. */
  | { readonly kind: 'failed'; readonly reason: string }

export type QuorumState = {
  /** The newest election record that was seen; only ever of a higher version (A2, F5). */
  view: ElectionRecord | null
  /** The highest epoch seen that is on the disk (A3, F4). A role is always of this epoch. */
  epoch: number
  /** The highest epoch seen; while it is above `epoch` it has to be written, and this broker does nothing. */
  wantedEpoch: number
  role: Role
  /** Exclusive: what is committed, as far as is known. */
  highWatermark: number
  outstanding: OutstandingFetch | null
  fetchCount: number
  /** C6: it stops, and neither leads nor takes over any more. */
  isLeaving: boolean
}

const UNATTACHED: Role = { kind: 'unattached' }

/** A process starts: it remembers its epoch and nothing else (A5, F1). */
export function startedState(durableEpoch: number, logStartOffset: number): QuorumState {
  return {
    view: null,
    epoch: durableEpoch,
    wantedEpoch: durableEpoch,
    role: UNATTACHED,
    highWatermark: logStartOffset,
    outstanding: null,
    fetchCount: 0,
    isLeaving: false,
  }
}

/**
 * A record was read, or a watch told it, at whatever time after it was written. `freshSince` is the epoch this broker had on its disk when it
 * began to read the record itself: one below that was restored or created again (A2, F13). Null for a watch, which may be late.
 */
export function seeRecord(
  state: QuorumState,
  self: Identity,
  log: QuorumLog,
  record: ElectionRecord,
  freshSince: number | null,
): void {
  if (state.role.kind === 'failed') return
  if (freshSince !== null && record.epoch < freshSince) {
    leaveRole(state)
    state.role = { kind: 'failed', reason: outdated(record, freshSince) }
    return
  }
  const view = newerOf(state.view, record)
  if (view === state.view) return
  state.view = view
  if (state.role.kind === 'leader') state.role.additions = openAdditions(state.role.additions, view.version)
  seeEpoch(state, view.epoch)
  takeRole(state, self, log)
}

/** A3: somebody speaks of an epoch. A higher one ends what this broker does in its own, before it is on the disk. */
export function seeEpoch(state: QuorumState, epoch: number): void {
  if (epoch <= state.wantedEpoch || state.role.kind === 'failed') return
  state.wantedEpoch = epoch
  leaveRole(state)
}

/** `epoch` is on the disk: this broker may act in it. */
export function epochStored(state: QuorumState, self: Identity, log: QuorumLog, epoch: number): void {
  state.epoch = Math.max(state.epoch, epoch)
  takeRole(state, self, log)
}

function leaveRole(state: QuorumState): void {
  state.role = UNATTACHED
  state.outstanding = null
}

/** What the newest record makes of this broker, once its epoch is on the disk. */
function takeRole(state: QuorumState, self: Identity, log: QuorumLog): void {
  const { view, role } = state
  if (view === null || role.kind === 'failed' || state.epoch !== state.wantedEpoch || view.epoch !== state.epoch) return
  const own = ownId(self)
  if (view.leader === null || view.leader === own) {
    // A5: a process that finds itself named with another incarnation does not lead, it takes over (planTakeover).
    const leads = view.inSync.includes(own) && isLedBy(view, candidate(self, log)) && !state.isLeaving
    if (leads && role.kind !== 'leader') lead(state, log)
    if (!leads) leaveRole(state)
    return
  }
  if (role.kind === 'follower' && role.leader === view.leader) return
  leaveRole(state)
  state.role = { kind: 'follower', leader: view.leader }
}

/** A6: nothing of an earlier epoch counts, and nothing of the log is cut. */
function lead(state: QuorumState, log: QuorumLog): void {
  state.outstanding = null
  state.role = { kind: 'leader', epochStartOffset: log.endOffset, acknowledged: new Map(), additions: [] }
}

/**
 * A4, A14: the record with which this broker may take over, or null. Sensible when no process that leads the epoch answers; safe at any
 * time, as only a candidate in sync gets it, with a view whose epoch is not below the one on its disk.
 */
export function planTakeover(state: QuorumState, self: Identity, log: QuorumLog): ElectionRecord | null {
  const { view, role } = state
  if (view === null || !self.isCandidate || role.kind === 'leader' || role.kind === 'failed') return null
  if (state.isLeaving || view.epoch < state.wantedEpoch || view.clusterId !== self.clusterId) return null
  return takeover(view, candidate(self, log))
}

/** A12: the record without `member`. It counts until a record of a higher version was read. */
export function planRemoval(state: QuorumState, self: Identity, member: CandidateId): ElectionRecord | null {
  const { view, role } = state
  if (view === null || role.kind !== 'leader' || member === ownId(self) || !view.inSync.includes(member)) return null
  return {
    ...view,
    version: view.version + 1,
    inSync: view.inSync.filter(id => id !== member),
  }
}

/**
 * A12, F2, F3: the record with the candidate `nodeId`, in the directory that it acknowledges from, if it has caught up. From this call on it
 * counts, whatever becomes of the attempt, until a record of a higher version was read. Another directory of the same id goes.
 */
export function planAddition(state: QuorumState, nodeId: number): ElectionRecord | null {
  const { view, role } = state
  if (view === null || role.kind !== 'leader') return null
  const acknowledged = role.acknowledged.get(nodeId)
  if (acknowledged === undefined) return null
  const id = candidateId(nodeId, acknowledged.tag)
  if (view.inSync.includes(id)) return null
  const open = role.additions.find(addition => addition.id === nodeId)
  if (open !== undefined && open.tag !== acknowledged.tag) return null
  if (!isCaughtUp(acknowledged.offset, state.highWatermark, role.epochStartOffset)) return null
  const addition = { id: nodeId, tag: acknowledged.tag, version: view.version }
  if (open === undefined) role.additions = [...role.additions, addition]
  const others = view.inSync.filter(member => memberOf(member).id !== nodeId)
  return { ...view, version: view.version + 1, inSync: [...others, id] }
}

/** A12, F2: an addition stays open: the record unchanged but for its version ends it, whoever was added meanwhile. */
export function planRewrite(state: QuorumState): ElectionRecord | null {
  const { view, role } = state
  if (view === null || role.kind !== 'leader' || role.additions.length === 0) return null
  return { ...view, version: view.version + 1 }
}

/**
 * C6: the record without this broker, which stops; null when it is not in it, or the only one. Whoever remains has every committed record. A
 * leader appends and commits nothing from this call on; that it is not in sync tells the others that nobody leads.
 */
export function planLeave(state: QuorumState, self: Identity): ElectionRecord | null {
  const { view, role } = state
  const own = ownId(self)
  if (view === null || role.kind === 'failed' || !view.inSync.includes(own) || view.inSync.length === 1) return null
  state.isLeaving = true
  if (role.kind === 'leader') leaveRole(state)
  return { ...view, version: view.version + 1, inSync: view.inSync.filter(id => id !== own) }
}

/** Whether the newest record says that nobody leads, so that nobody has to be asked: before the first epoch, or the leader has left. */
export function isLeaderless({ view }: QuorumState): boolean {
  return view !== null && (view.leader === null || !view.inSync.includes(view.leader))
}

/** What a follower asks: its node, its directory, the epoch it follows in, and the end of its log. */
export type FollowerFetch = {
  readonly nodeId: number
  readonly directoryId: string
  readonly epoch: number
  readonly end: LogEnd
}

export type FetchVerdict =
  | Match
  | { readonly kind: 'not-leader' }
  /** The follower is in an older epoch than this leader. */
  | { readonly kind: 'fenced' }

/** A9: may this follower read, and where do both logs part? What fits is acknowledged. A follower in a higher epoch ends this leader (A3). */
export function onFetch(state: QuorumState, log: QuorumLog, fetch: FollowerFetch): FetchVerdict {
  seeEpoch(state, fetch.epoch)
  const { role } = state
  if (role.kind !== 'leader') return { kind: 'not-leader' }
  if (fetch.epoch !== state.epoch) return { kind: 'fenced' }
  const match = matchLogEnd(log, fetch.end)
  if (match.kind === 'fits') acknowledge(role.acknowledged, fetch.nodeId, fetch.directoryId, fetch.end.offset)
  return match
}

/** A8: the fetch to send to the leader, one at a time and only when the whole log is on the disk, because it acknowledges all of it. */
export function planFetch(state: QuorumState, log: QuorumLog): OutstandingFetch | null {
  if (state.role.kind !== 'follower' || state.outstanding !== null || !log.isFlushed) return null
  state.fetchCount++
  state.outstanding = { number: state.fetchCount, leaderEpoch: state.epoch, end: endOfLog(log) }
  return state.outstanding
}

/** A10, F6: whether what came back for `fetch` may be applied. Either way that fetch is not waited for any more. */
export function takeAnswer(state: QuorumState, log: QuorumLog, fetch: OutstandingFetch): boolean {
  const may = state.role.kind === 'follower' && mayApply(fetch, state.outstanding, state.epoch, endOfLog(log))
  if (state.outstanding?.number === fetch.number) state.outstanding = null
  return may
}

/** A10: a follower learns what is committed, from an answer that was applied and was not "you diverge". */
export function learnHighWatermark(state: QuorumState, log: QuorumLog, highWatermark: number): void {
  state.highWatermark = Math.max(state.highWatermark, Math.min(highWatermark, log.endOffset))
}

/** A11: moves the high watermark of a leader to what everybody has flushed who counts. */
export function advanceHighWatermark(state: QuorumState, self: Identity, log: QuorumLog): void {
  const { view, role } = state
  if (view === null || role.kind !== 'leader') return
  const members = countingMembers(view, role)
  const least = leastFlushed(self.nodeId, log.flushedOffset, members, role.acknowledged)
  state.highWatermark = Math.max(state.highWatermark, least)
}

/** In-sync members of the view and pending additions, each by its own directory (A11). */
function countingMembers(view: ElectionRecord, role: Leading): readonly Member<string>[] {
  return [...view.inSync.map(memberOf), ...role.additions]
}

/** Who holds the high watermark of this leader below `offset`, of those whom the record names. */
export function laggards(state: QuorumState, self: Identity, offset: number): CandidateId[] {
  const { view, role } = state
  if (view === null || role.kind !== 'leader') return []
  const own = ownId(self)
  return view.inSync.filter(id => id !== own && acknowledgedOffset(role.acknowledged, memberOf(id)) < offset)
}

/** A candidate id, taken apart: `id@directoryId`. */
export function memberOf(id: CandidateId): { readonly id: number; readonly tag: string } {
  const at = id.indexOf('@')
  return { id: Number(id.slice(0, at)), tag: id.slice(at + 1) }
}

export function ownId(self: Identity): CandidateId {
  return candidateId(self.nodeId, self.directoryId)
}

function candidate(self: Identity, log: QuorumLog): Candidate {
  return {
    id: ownId(self),
    incarnation: self.incarnation,
    clusterId: self.clusterId,
    hasEmptyLog: log.endOffset === 0,
  }
}

function outdated(record: ElectionRecord, epoch: number): string {
  return (
    `the election record is of epoch ${record.epoch}, but this broker has seen epoch ${epoch}: the record is an old copy ` +
    'or was created again. Restore the newer one, or restore the data directories of the same time.'
  )
}
