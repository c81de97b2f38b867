// AlterConfigs (33, KIP-133): replaces all configs of a resource; IncrementalAlterConfigs is what clients use since
// KIP-339. v1 throttles after the answer (KIP-219), v2 flexible (KIP-482).
import { api, array, bool, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const AlterConfigs = api({
  key: 33,
  name: 'AlterConfigs',
  versions: [0, 2],
  flexible: 2,
  request: {
    resources: array({
      resourceType: int8,
      resourceName: string,
      configs: array({ name: string, value: string.nullable() }),
    }),
    validateOnly: bool,
  },
  response: {
    throttleTimeMs: int32.default(0),
    responses: array({ errorCode: int16, errorMessage: string.nullable(), resourceType: int8, resourceName: string }),
  },
})

export interface AlterConfigsRequest extends RequestOf<typeof AlterConfigs> {}
export interface AlterConfigsResponse extends ResponseOf<typeof AlterConfigs> {}
