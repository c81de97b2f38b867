// DeleteShareGroupOffsets (92, KIP-932).
import { api, array, int16, int32, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const DeleteShareGroupOffsets = api({
  key: 92,
  name: 'DeleteShareGroupOffsets',
  versions: [0, 0],
  flexible: 0,
  request: {
    groupId: string,
    topics: array({ topicName: string }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    errorMessage: string.nullable().default(null),
    responses: array({
      topicName: string,
      topicId: uuid,
      errorCode: int16,
      errorMessage: string.nullable().default(null),
    }),
  },
})

export interface DeleteShareGroupOffsetsRequest extends RequestOf<typeof DeleteShareGroupOffsets> {}
export interface DeleteShareGroupOffsetsResponse extends ResponseOf<typeof DeleteShareGroupOffsets> {}
