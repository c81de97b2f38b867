// InitializeShareGroupState (83): group coordinator to share coordinator, a share-partition begins (KIP-932).
import { api, array, int16, int32, int64, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const InitializeShareGroupState = api({
  key: 83,
  name: 'InitializeShareGroupState',
  versions: [0, 0],
  flexible: 0,
  request: {
    groupId: string,
    topics: array({ topicId: uuid, partitions: array({ partition: int32, stateEpoch: int32, startOffset: int64 }) }),
  },
  response: {
    results: array({
      topicId: uuid,
      partitions: array({ partition: int32, errorCode: int16, errorMessage: string.nullable().default(null) }),
    }),
  },
})

export interface InitializeShareGroupStateRequest extends RequestOf<typeof InitializeShareGroupState> {}
export interface InitializeShareGroupStateResponse extends ResponseOf<typeof InitializeShareGroupState> {}
