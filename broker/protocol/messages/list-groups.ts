// ListGroups (16), v0-5.
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
