// ListGroups (16): the groups that a broker coordinates. v1 throttle time (KIP-124), v2 throttles after the answer
// (KIP-219), v3 flexible (KIP-482), v4 states (KIP-518), v5 types (KIP-848).
import { api, array, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const ListGroups = api({
  key: 16,
  name: 'ListGroups',
  versions: [0, 5],
  flexible: 3,
  request: {
    statesFilter: array(string).since(4),
    typesFilter: array(string).since(5),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16,
    groups: array({
      groupId: string,
      protocolType: string,
      groupState: string.since(4).ignorable(),
      groupType: string.since(5).ignorable(),
    }),
  },
})

export interface ListGroupsRequest extends RequestOf<typeof ListGroups> {}
export interface ListGroupsResponse extends ResponseOf<typeof ListGroups> {}
