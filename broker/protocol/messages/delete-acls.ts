// DeleteAcls (31, KIP-140): deletes what filters match, and says what that was. v1 is the oldest that is left (prefixed
// resource names, KIP-290), v2 flexible (KIP-482), v3 users as resources (KIP-373).
import { api, array, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const DeleteAcls = api({
  key: 31,
  name: 'DeleteAcls',
  versions: [1, 3],
  flexible: 2,
  request: {
    filters: array({
      resourceTypeFilter: int8,
      resourceNameFilter: string.nullable(),
      patternTypeFilter: int8.default(3),
      principalFilter: string.nullable(),
      hostFilter: string.nullable(),
      operation: int8,
      permissionType: int8,
    }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    filterResults: array({
      errorCode: int16,
      errorMessage: string.nullable(),
      matchingAcls: array({
        errorCode: int16,
        errorMessage: string.nullable(),
        resourceType: int8,
        resourceName: string,
        patternType: int8.default(3),
        principal: string,
        host: string,
        operation: int8,
        permissionType: int8,
      }),
    }),
  },
})

export interface DeleteAclsRequest extends RequestOf<typeof DeleteAcls> {}
export interface DeleteAclsResponse extends ResponseOf<typeof DeleteAcls> {}
