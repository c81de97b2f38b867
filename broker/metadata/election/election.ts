// The one record that decides who may lead the cluster metadata, and the interface to wherever it is kept: a file on one machine, a
// Lease in Kubernetes. Changed only by compare-and-swap on the exact object that was read. Not here: what a candidate does with it
// (candidate.ts). Suite for every implementation: test/contract/election.ts. Design: PacificA's configuration manager.

/** A candidate together with its disk: `id@directoryId`. The same id with another disk is somebody else. */
export type CandidateId = string

export type ElectionRecord = {
  /** Grows by one with every write: tells a newer record from an older one, whoever read it and however late. */
  readonly version: number
  /** Grows by one with every takeover; 0 before the first. */
  readonly epoch: number
  /** Null only before the first takeover. */
  readonly leader: CandidateId | null
  /** Of the leader: random for every start of a process. */
  readonly incarnation: string
  /** Who has every committed metadata record. */
  readonly inSync: readonly CandidateId[]
  readonly clusterId: string
}

export type Election = {
  /** The record as it is now, and not as some cache has it; null when it has not been created. Rejects when it cannot be read. */
  read(): Promise<ElectionRecord | null>
  /**
   * Replaces the record if it is still exactly `expected`, which must have come from `read` or `watch` of this instance. True: it was
   * replaced, and is on the disk. False: it was not, by this call. A rejection says nothing: the change may take effect now,
   * later or never. Who must know reads the record; not even true or false is proof of who leads (rule A5).
   */
  compareAndSwap(expected: ElectionRecord, next: ElectionRecord): Promise<boolean>
  /** Calls back with the record as it is and after changes, maybe not after each; only ever with a higher version than before. */
  watch(onRecord: (record: ElectionRecord) => void, signal: AbortSignal): void
}

export function candidateId(brokerId: number, directoryId: string): CandidateId {
  return `${brokerId}@${directoryId}`
}

/** What the record is when a cluster is born (rule A14): epoch 0, nobody in sync. */
export function birthRecord(clusterId: string): ElectionRecord {
  return { version: 1, epoch: 0, leader: null, incarnation: '', inSync: [], clusterId }
}

/** A text that is no election record, or not one that this version understands. */
export class ElectionRecordError extends Error {}

/** The record as one line of JSON. */
export function encodeElectionRecord(record: ElectionRecord): string {
  const { version, epoch, leader, incarnation, inSync, clusterId } = record
  return JSON.stringify({ version, epoch, leader, incarnation, inSync, clusterId })
}

/** Throws ElectionRecordError. */
export function decodeElectionRecord(text: string): ElectionRecord {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw new ElectionRecordError('the election record is not JSON', { cause })
  }
  if (typeof parsed !== 'object' || parsed === null) throw new ElectionRecordError('the election record is no object')
  const { version, epoch, leader, incarnation, inSync, clusterId, ...others } = parsed as Record<string, unknown>
  const isRecord =
    Number.isSafeInteger(version) &&
    Number.isSafeInteger(epoch) &&
    (leader === null || typeof leader === 'string') &&
    typeof incarnation === 'string' &&
    Array.isArray(inSync) &&
    inSync.every(member => typeof member === 'string') &&
    typeof clusterId === 'string' &&
    Object.keys(others).length === 0
  if (!isRecord) throw new ElectionRecordError('the election record does not have the fields of one')
  return parsed as ElectionRecord
}

export function isSameRecord(a: ElectionRecord, b: ElectionRecord): boolean {
  return encodeElectionRecord(a) === encodeElectionRecord(b)
}
