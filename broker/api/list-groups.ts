// ListGroups (16), v0-5. The groups that this broker coordinates, those that only store offsets included.
// - Filters by state (v4, KIP-518) and type (v5, KIP-848) take names in any case; names that do not exist match nothing.
// - While the state of some is being read: COORDINATOR_LOAD_IN_PROGRESS, with those that are known.
import { ListGroups } from '../protocol/messages/list-groups.ts'
import { handler } from './handler.ts'

export const listGroups = handler(ListGroups, ({ statesFilter, typesFilter }, { groups }) =>
  groups.list({ states: inLowerCase(statesFilter), types: inLowerCase(typesFilter) }),
)

function inLowerCase(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map(name => name.toLowerCase()))
}
