// ListConfigResources (74): what has configs. v0 was ListClientMetricsResources (KIP-1000), v1 resources of any type
// (KIP-1142).
import { api, array, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const ListConfigResources = api({
  key: 74,
  name: 'ListConfigResources',
  versions: [0, 1],
  flexible: 0,
  request: {
    resourceTypes: array(int8).since(1),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    configResources: array({ resourceName: string, resourceType: int8.since(1).default(16).ignorable() }),
  },
})

export interface ListConfigResourcesRequest extends RequestOf<typeof ListConfigResources> {}
export interface ListConfigResourcesResponse extends ResponseOf<typeof ListConfigResources> {}
