// What two copies of one log must agree on before one counts as a copy of the other: does a follower's log end fit, where do both part,
// may an answer be applied, who has to acknowledge, who has caught up. Small pure functions that the metadata log (rules A of the
// replication protocol, docs/metadata.md) and user partitions (rules B, docs/replication.md) share; the model checker in test/model
// runs the same ones. Not here: sending, storing, and who leads.

/** Where a log ends: the offset after its last record, and the leader epoch of that record; -1 when it has none. */
export type LogEnd = { readonly offset: number; readonly epoch: number }

/** Where `epoch` ends in a log (exclusive). */
export type EndOfEpoch = { readonly epoch: number; readonly endOffset: number }

/** The leader epochs of a log; storage/leader-epochs.ts is one. */
export type EpochHistory = {
  /** The newest epoch that has a record, -1 when none has. */
  readonly latest: number
  /** Oldest first. */
  entries(): readonly { readonly epoch: number; readonly startOffset: number }[]
  /** The largest known epoch that is not above `epoch`, and its end; an epoch below all keeps its number and ends where the first starts. */
  endOffsetFor(epoch: number, logEndOffset: number): EndOfEpoch
}

/** A log as far as others compare theirs with it; storage/partition-log.ts is one. */
export type MatchableLog = {
  readonly logStartOffset: number
  readonly endOffset: number
  readonly leaderEpochs: EpochHistory
}

export type Match =
  /** The follower's log is the beginning of the leader's. */
  | { readonly kind: 'fits' }
  /** It is not: the largest epoch of the leader that is not above the follower's last one, and where that ends. */
  | ({ readonly kind: 'diverges' } & EndOfEpoch)
  /** The leader does not have that part any more, or cannot tell: the follower empties its log and begins at `logStartOffset`. */
  | { readonly kind: 'starts-later'; readonly logStartOffset: number }

const FITS: Match = { kind: 'fits' }

export function endOfLog(log: MatchableLog): LogEnd {
  return { offset: log.endOffset, epoch: log.leaderEpochs.latest }
}

export function isSameEnd(one: LogEnd, other: LogEnd): boolean {
  return one.offset === other.offset && one.epoch === other.epoch
}

/** A9 and B1, at the leader: does a log with the end `fetched` fit into `log`? Only what fits counts as acknowledged. */
export function matchLogEnd(log: MatchableLog, fetched: LogEnd): Match {
  const { logStartOffset, endOffset, leaderEpochs } = log
  const { offset, epoch } = fetched
  if (offset < logStartOffset) return { kind: 'starts-later', logStartOffset }
  // A log without a record contradicts nothing; it begins at 0 or where a leader told it to, which was committed.
  if (epoch === -1 && offset <= endOffset) return FITS
  const end = endOfEpoch(log, epoch)
  const firstEpoch = leaderEpochs.entries()[0]?.epoch ?? Infinity
  // What lies before the log start is known by its last epoch only, so an older one may be right or wrong there.
  if (offset === logStartOffset && epoch < firstEpoch) return { kind: 'starts-later', logStartOffset }
  if (end.epoch === epoch && offset <= end.endOffset) return FITS
  return { kind: 'diverges', ...end }
}

/**
 * A10, at the follower: the end its log must be cut to after the leader has told how far they may agree. The smaller of both ends, as
 * beyond either of them no record can be the same; repeated until the leader says that it fits.
 */
export function cutOffset(log: MatchableLog, diverging: EndOfEpoch): number {
  return Math.min(endOfEpoch(log, diverging.epoch).endOffset, diverging.endOffset)
}

/** As EpochHistory.endOffsetFor, and with an answer for an epoch above all of them and for a log without any. */
export function endOfEpoch(log: MatchableLog, epoch: number): EndOfEpoch {
  const { leaderEpochs, endOffset, logStartOffset } = log
  if (leaderEpochs.latest === -1) return { epoch, endOffset: logStartOffset }
  if (epoch >= leaderEpochs.latest) return { epoch: leaderEpochs.latest, endOffset }
  return leaderEpochs.endOffsetFor(epoch, endOffset)
}

/** What a follower remembers of the one fetch that it waits for. */
export type OutstandingFetch = {
  /** Tells this fetch from every other of this process. */
  readonly number: number
  /** Of the leader it went to. */
  readonly leaderEpoch: number
  /** The follower's log when it was sent; all of it was flushed, so the fetch acknowledges it (A8). */
  readonly end: LogEnd
}

/**
 * A10 and trap F6: may the answer to `answered` be applied? Only while that is the fetch that is waited for, in the same epoch, and
 * the log still ends as it did: a second copy of "you diverge" would otherwise cut records that were acknowledged since.
 */
export function mayApply(
  answered: OutstandingFetch,
  outstanding: OutstandingFetch | null,
  leaderEpoch: number,
  end: LogEnd,
): boolean {
  return (
    outstanding !== null &&
    outstanding.number === answered.number &&
    answered.leaderEpoch === leaderEpoch &&
    isSameEnd(answered.end, end)
  )
}

/**
 * Somebody whose acknowledgement is waited for. The tag says which one of those that have or had this id is meant: the directory of a
 * candidate (A11), the broker epoch of a replica (B2). Null: any of them, where the id is all that is known.
 */
export type Member<Tag> = { readonly id: number; readonly tag: Tag | null }

export type Acknowledged<Tag> = { tag: Tag; offset: number }

/** What each follower has flushed, by id, in the epoch that its leader leads: emptied when an epoch begins (A6). */
export type Acknowledgements<Tag> = Map<number, Acknowledged<Tag>>

/** A9: notes that `id` has flushed everything below `offset`. Another tag replaces and never merges; an older fetch takes nothing back. */
export function acknowledge<Tag>(known: Acknowledgements<Tag>, id: number, tag: Tag, offset: number): void {
  const before = known.get(id)
  if (before === undefined || before.tag !== tag) known.set(id, { tag, offset })
  else if (before.offset < offset) before.offset = offset
}

/** Exclusive: what `member` is known to have flushed; 0 when only another tag of this id was heard of. */
export function acknowledgedOffset<Tag>(known: Acknowledgements<Tag>, { id, tag }: Member<Tag>): number {
  const acknowledged = known.get(id)
  if (acknowledged === undefined || (tag !== null && acknowledged.tag !== tag)) return 0
  return acknowledged.offset
}

/** A11 and B2: the smallest flushed end offset over the leader itself and all `members`; the leader's own id among them is skipped. */
export function leastFlushed<Tag>(
  ownId: number,
  ownFlushedOffset: number,
  members: readonly Member<Tag>[],
  known: Acknowledgements<Tag>,
): number {
  let least = ownFlushedOffset
  for (const member of members) {
    if (member.id !== ownId) least = Math.min(least, acknowledgedOffset(known, member))
  }
  return least
}

/** A12 and trap F3: whether who has acknowledged `offset` in this epoch has everything that is, or may be, committed. */
export function isCaughtUp(offset: number, highWatermark: number, epochStartOffset: number): boolean {
  return offset >= Math.max(highWatermark, epochStartOffset)
}

/**
 * A member that somebody is asked to add to the in-sync ones. It counts from before the first attempt, which said "if the version is
 * still `version`", until a record of a higher version was read: no refusal, time-out or read of the same version proves that the
 * attempt will not still succeed (trap F2). Versions are those of the election record, or partition epochs.
 */
export type Addition<Tag> = Member<Tag> & { readonly version: number }

/** A12 and B4: the additions whose outcome is still open for who has read the record of `version`. */
export function openAdditions<Tag>(additions: readonly Addition<Tag>[], version: number): readonly Addition<Tag>[] {
  return additions.filter(addition => addition.version >= version)
}
