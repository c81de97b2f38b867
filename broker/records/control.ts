// Control batches (KIP-98): one record that ends a producer's transaction in a partition. Consumers never see it; it takes an offset.
//
//   key    version int16 (0) | type int16 (0 abort, 1 commit)
//   value  version int16 (0) | coordinator epoch int32
import { buildBatch, isControl, recordCount } from './batch.ts'
import { readRecords } from './record.ts'

export type EndTransactionMarker = {
  readonly result: 'commit' | 'abort'
  readonly coordinatorEpoch: number
}

const ABORT = 0
const COMMIT = 1

/** The batch that ends the transaction of `producerId`; `timestamp` in milliseconds since the epoch. */
export function buildEndTransactionMarker(
  marker: EndTransactionMarker & {
    readonly producerId: number
    readonly producerEpoch: number
    readonly timestamp: number
    readonly baseOffset?: number
    readonly leaderEpoch?: number
  },
): Buffer {
  const key = Buffer.alloc(4)
  key.writeInt16BE(marker.result === 'commit' ? COMMIT : ABORT, 2)
  const value = Buffer.alloc(6)
  value.writeInt32BE(marker.coordinatorEpoch, 2)
  return buildBatch({
    baseOffset: marker.baseOffset ?? 0,
    leaderEpoch: marker.leaderEpoch ?? -1,
    producerId: marker.producerId,
    producerEpoch: marker.producerEpoch,
    isTransactional: true,
    isControl: true,
    records: [{ timestamp: marker.timestamp, key, value }],
  })
}

/** The marker in the batch that `batch` starts with; null when it is no control batch or ends no transaction. */
export function readEndTransactionMarker(batch: Buffer): EndTransactionMarker | null {
  if (!isControl(batch, 0) || recordCount(batch, 0) === 0) return null
  const record = readRecords(batch)[0]!
  if (record.key === null || record.key.length < 4) return null
  const type = record.key.readInt16BE(2)
  if (type !== ABORT && type !== COMMIT) return null
  if (record.value === null || record.value.length < 6) return null
  return { result: type === COMMIT ? 'commit' : 'abort', coordinatorEpoch: record.value.readInt32BE(2) }
}
