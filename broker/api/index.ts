// The only list of what this broker speaks. ApiVersions and the table in docs/protocol.md derive from it.
import { deleteRecords } from './delete-records.ts'
import { describeLogDirs } from './describe-log-dirs.ts'
import { describeProducers } from './describe-producers.ts'
import { fetch } from './fetch.ts'
import type { Handler } from './handler.ts'
import { initProducerId } from './init-producer-id.ts'
import { listOffsets } from './list-offsets.ts'
import { offsetForLeaderEpoch } from './offset-for-leader-epoch.ts'
import { produce } from './produce.ts'

const handlers: readonly Handler[] = [
  produce,
  fetch,
  listOffsets,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  describeLogDirs,
  describeProducers,
]

/** Every handler, by API key. */
export const apis: ReadonlyMap<number, Handler> = new Map(handlers.map(handler => [handler.api.key, handler]))
