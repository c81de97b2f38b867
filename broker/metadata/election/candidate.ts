// What a candidate for controller may do with the election record: rules A2 to A5 and A14 of the replication protocol (docs/metadata.md)
// as pure functions, and the loop that follows them until this process leads. Time and reachability decide when somebody tries; what
// is here decides whether it is safe. Not here: followers, and changes of `inSync` while leading (A12).
import type { Logger } from '../../base/log.ts'
import type { DurableEpoch } from './durable-epoch.ts'
import type { CandidateId, Election, ElectionRecord } from './election.ts'

export type Candidate = {
  readonly id: CandidateId
  /** Random for every start of a process. */
  readonly incarnation: string
  readonly clusterId: string
  /** Whether its metadata log has no record: only then may it begin a history (A14). */
  readonly hasEmptyLog: boolean
}

/** This process may not lead, and waiting for itself will not change that; the message says what to do. */
export class NotEligibleError extends Error {}

/** A2: the record is older than what this candidate has seen, so it was restored or created again. */
export function isOutdated(record: ElectionRecord, durableEpoch: number): boolean {
  return record.epoch < durableEpoch
}

/** A2: a view of the record only moves forward, however late a read or an event arrives. */
export function newerOf(view: ElectionRecord | null, record: ElectionRecord): ElectionRecord {
  return view === null || record.version > view.version ? record : view
}

/** A5: only a record that names this very process lets it lead. */
export function isLedBy(record: ElectionRecord, candidate: Candidate): boolean {
  return record.leader === candidate.id && record.incarnation === candidate.incarnation
}

/** A4 and A14: the record with which this candidate takes over, or null when it must not. */
export function takeover(record: ElectionRecord, candidate: Candidate): ElectionRecord | null {
  const isBirth = record.epoch === 0 && candidate.hasEmptyLog
  if (!record.inSync.includes(candidate.id) && !isBirth) return null
  const others = record.inSync.filter(member => member !== record.leader && member !== candidate.id)
  return {
    version: record.version + 1,
    epoch: record.epoch + 1,
    leader: candidate.id,
    incarnation: candidate.incarnation,
    inSync: isBirth ? [candidate.id] : [candidate.id, ...others],
    clusterId: record.clusterId,
  }
}

// Conflicts come from other candidates, of which there are few; more rounds than this mean that something writes without end.
const MAX_ROUNDS = 100

/**
 * Makes this process the leader and resolves with its epoch, which is on the disk by then. Call it when no process that leads the
 * record's epoch answers. Rejects with NotEligibleError when another candidate must lead, or when the record does not fit.
 */
export async function takeOffice(
  election: Election,
  candidate: Candidate,
  durableEpoch: DurableEpoch,
  log: Logger,
): Promise<number> {
  let view: ElectionRecord | null = null
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const record = await election.read()
    if (record === null) throw new NotEligibleError(missingRecord(durableEpoch.value))
    view = newerOf(view, record)
    checkFits(view, candidate, durableEpoch.value)
    if (isLedBy(view, candidate)) {
      await durableEpoch.raise(view.epoch)
      return view.epoch
    }
    const next = takeover(view, candidate)
    if (next === null) throw new NotEligibleError(notInSync(view, candidate))
    try {
      await election.compareAndSwap(view, next)
    } catch (error) {
      // The outcome is not known; the next read tells (A5).
      log.warn({ err: error }, 'The election record could not be changed, reading it again')
    }
  }
  throw new Error(`the election record changed ${MAX_ROUNDS} times while this broker tried to lead`)
}

function checkFits(record: ElectionRecord, candidate: Candidate, durableEpoch: number): void {
  if (record.clusterId !== candidate.clusterId) {
    throw new NotEligibleError(
      `the election record belongs to the cluster ${record.clusterId}, but this data directory to ${candidate.clusterId}`,
    )
  }
  if (isOutdated(record, durableEpoch)) {
    throw new NotEligibleError(
      `the election record is of epoch ${record.epoch}, but this broker has seen epoch ${durableEpoch}: the record is an old copy ` +
        'or was created again. Restore the newer one, or restore the data directories of the same time.',
    )
  }
}

function missingRecord(durableEpoch: number): string {
  return durableEpoch === 0
    ? 'there is no election record: it is created once, when the cluster is'
    : `there is no election record, but this broker has seen epoch ${durableEpoch}: restore the record, creating another would begin a second history`
}

function notInSync(record: ElectionRecord, candidate: Candidate): string {
  const keepers = record.inSync.length === 0 ? 'nobody' : record.inSync.join(', ')
  return (
    `this broker (${candidate.id}) does not have all committed metadata and must not lead: ${keepers} of epoch ${record.epoch} ` +
    'has it. Start the broker with that data directory.'
  )
}
