// CreatePartitions (37), v0-3.
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
