// DeleteTopics (20). v1 is the oldest that is left (KIP-4), v2 throttles after the answer (KIP-219), v3
// TOPIC_DELETION_DISABLED (KIP-322), v4 flexible (KIP-482), v5 error messages and THROTTLING_QUOTA_EXCEEDED (KIP-599),
// v6 topics by id (KIP-516).
import { api, array, int16, int32, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const DeleteTopics = api({
  key: 20,
  name: 'DeleteTopics',
  versions: [1, 6],
  flexible: 4,
  request: {
    topics: array({ name: string.nullable().default(null), topicId: uuid }).since(6),
    topicNames: array(string).until(5).ignorable(),
    timeoutMs: int32,
  },
  response: {
    throttleTimeMs: int32.default(0),
    responses: array({
      name: string.nullable(6),
      topicId: uuid.since(6).ignorable(),
      errorCode: int16,
      errorMessage: string.since(5).nullable().default(null).ignorable(),
    }),
  },
})

export interface DeleteTopicsRequest extends RequestOf<typeof DeleteTopics> {}
export interface DeleteTopicsResponse extends ResponseOf<typeof DeleteTopics> {}
