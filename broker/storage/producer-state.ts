// What a partition remembers of idempotent and transactional producers: epoch, the last five batches of each, open transactions.
// Pure; the partition log feeds it and persists it. Semantics of Kafka's ProducerStateManager and ProducerAppendInfo (KIP-98, KIP-890).
import type { BatchHeader } from '../records/batch.ts'
import type { ErrorCode } from '../protocol/errors.ts'

/** One remembered batch: offsets and sequences inclusive, timestamp in ms. */
export type ProducerBatch = {
  readonly baseSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly timestamp: number
}

export type ProducerEntry = {
  readonly producerId: number
  producerEpoch: number
  /** Oldest first, at most five; empty after an epoch bump by a marker. */
  readonly batches: ProducerBatch[]
  /** Max timestamp of its newest batch, ms; with it the entry expires. */
  lastTimestamp: number
  coordinatorEpoch: number
  /** First offset of its open transaction, -1 when it has none. */
  currentTransactionStartOffset: number
}

export type ProducerVerdict =
  | { readonly kind: 'ok' }
  | { readonly kind: 'duplicate'; readonly baseOffset: number; readonly lastOffset: number; readonly timestamp: number }
  | { readonly kind: 'error'; readonly errorCode: ErrorCode; readonly message: string }

export class ProducerState {
  /** May a batch with this header be appended? Changes nothing; 'ok' for batches without a producer id. Offsets in the header do not matter. */
  check(_header: BatchHeader): ProducerVerdict {
    return { kind: 'ok' }
  }

  /** The batch was appended, or read back during recovery: header with its final offsets. */
  apply(_header: BatchHeader): void {}

  entries(): Iterable<ProducerEntry> {
    return []
  }

  get size(): number {
    return 0
  }

  /** The first offset of the oldest open transaction, -1 when none is open. */
  get firstOpenTransactionOffset(): number {
    return -1
  }

  /** Forgets producers without an open transaction whose newest batch is older than `expirationMs`. Returns how many went. */
  expire(_nowMs: number, _expirationMs: number): number {
    return 0
  }
}
