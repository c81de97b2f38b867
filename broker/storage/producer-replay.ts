// The producers of a log as of an offset in its past: a stored snapshot and the batch headers behind it, as Kafka's
// ProducerStateManager.truncateAndReload. Needed when a log is cut, and after a crash.
import { HEADER_SIZE, lastOffset, readHeader, sizeOf } from '../records/batch.ts'
import { readEndTransactionMarker } from '../records/control.ts'
import { offsetOf } from './keys.ts'
import type { LogCore } from './log-core.ts'
import type { LogParts } from './log-parts.ts'
import { readCold } from './log-reader.ts'
import { ProducerState } from './producer-state.ts'

const READ_BYTES = 1024 * 1024

/** The encoded producer state at `offset`, where a batch begins or the log ends. Rejects with StorageError. */
export async function producersAsOf(core: LogCore, parts: LogParts, offset: number): Promise<Buffer> {
  const { store } = parts
  const producers = new ProducerState()
  let from = core.segments[0]?.baseOffset ?? core.activeBase
  const [snapshot] = await store.scan({ ...core.keys.producersBetween(0, offset + 1), reverse: true, limit: 1 })
  if (snapshot !== undefined) {
    producers.load(snapshot.value)
    from = Math.max(from, offsetOf(snapshot.key))
  }
  if (core.producersOffset <= offset && core.producersOffset >= from) {
    const newest = await store.get(core.keys.producers())
    if (newest === null) producers.clear()
    else producers.load(newest)
    from = core.producersOffset
  }
  await replayProducers(core, parts, producers, from, offset)
  return producers.encode()
}

/** Applies the headers of the batches in [from, to). */
export async function replayProducers(
  core: LogCore,
  parts: LogParts,
  producers: ProducerState,
  from: number,
  to: number,
): Promise<void> {
  for (let next = from; next < to;) {
    const found = await readCold(core, parts, next, { endOffset: to, maxBytes: READ_BYTES, minOneBatch: true })
    if (found.length === 0) return
    for (const bytes of found) {
      for (let at = 0; at + HEADER_SIZE <= bytes.length; at += sizeOf(bytes, at)) {
        applyBatch(producers, bytes, at)
        next = lastOffset(bytes, at) + 1
      }
    }
  }
}

/** Applies the batch at `at`. */
export function applyBatch(producers: ProducerState, bytes: Buffer, at: number): void {
  const header = readHeader(bytes, at)
  const marker = header.isControl ? readEndTransactionMarker(bytes.subarray(at, at + header.sizeBytes)) : null
  producers.apply(header, marker)
}
