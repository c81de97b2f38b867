// How an answer tells a client that a partition's leader is elsewhere, so that it need not ask for metadata (KIP-951).
import { array, int32, string, struct } from '../schema.ts'

/** -1 where the answer has nothing to say. */
export const leaderIdAndEpoch = struct({ leaderId: int32.default(-1), leaderEpoch: int32.default(-1) })

/** The addresses of the leaders that an answer names. */
export const nodeEndpoints = array({ nodeId: int32, host: string, port: int32, rack: string.nullable().default(null) })
