// CreatePartitions (37): more partitions for topics that exist (KIP-195). v1 throttles after the answer (KIP-219), v2
// flexible (KIP-482), v3 THROTTLING_QUOTA_EXCEEDED (KIP-599).
import { api, array, bool, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const CreatePartitions = api({
  key: 37,
  name: 'CreatePartitions',
  versions: [0, 3],
  flexible: 2,
  request: {
    topics: array({ name: string, count: int32, assignments: array({ brokerIds: array(int32) }).nullable() }),
    timeoutMs: int32,
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array({ name: string, errorCode: int16, errorMessage: string.nullable().default(null) }),
  },
})

export interface CreatePartitionsRequest extends RequestOf<typeof CreatePartitions> {}
export interface CreatePartitionsResponse extends ResponseOf<typeof CreatePartitions> {}
