// DeleteGroups (42, KIP-229). v1 throttles after the answer (KIP-219), v2 flexible (KIP-482), v3 error messages and
// GROUP_DELETION_FAILED (KIP-1331).
import { api, array, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const DeleteGroups = api({
  key: 42,
  name: 'DeleteGroups',
  versions: [0, 3],
  flexible: 2,
  request: {
    groupsNames: array(string),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array({
      groupId: string,
      errorCode: int16,
      errorMessage: string.since(3).nullable().default(null).ignorable(),
    }),
  },
})

export interface DeleteGroupsRequest extends RequestOf<typeof DeleteGroups> {}
export interface DeleteGroupsResponse extends ResponseOf<typeof DeleteGroups> {}
