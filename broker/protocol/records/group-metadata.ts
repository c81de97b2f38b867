// A generation of a classic group in `__consumer_offsets`: its members and what each was assigned. v1 rebalance timeout (KIP-62), v2 the
// time of the last change (KIP-211), v3 static members (KIP-345), v4 flexible.
import { recordKey, recordValue } from '../record-format.ts'
import { array, bytes, int32, int64, string } from '../schema.ts'

export const GroupMetadataKey = recordKey(2, 'GroupMetadataKey', { group: string })

export const GroupMetadataValue = recordValue('GroupMetadataValue', [0, 4], 4, {
  protocolType: string,
  generation: int32,
  protocol: string.nullable(),
  leader: string.nullable(),
  currentStateTimestamp: int64.since(2).default(-1).ignorable(),
  members: array({
    memberId: string,
    groupInstanceId: string.since(3).nullable(3).default(null).ignorable(),
    clientId: string,
    clientHost: string,
    rebalanceTimeout: int32.since(1).default(-1).ignorable(),
    sessionTimeout: int32,
    subscription: bytes,
    assignment: bytes,
  }),
})
