// SyncGroup (14), v0-5. The leader of a classic group hands in the assignment, everybody gets theirs; the answer waits for the leader and for
// the log, in which the generation is kept (coordinator/group/sync.ts).
// - Members that have not asked within the rebalance timeout leave the group. In a stable group the answer comes at once.
// - v5 says the protocol: INCONSISTENT_GROUP_PROTOCOL when it is not the group's (KIP-559).
import { SyncGroup } from '../protocol/messages/sync-group.ts'
import { handler } from './handler.ts'

export const syncGroup = handler(SyncGroup, (request, { groups }, { signal }) => groups.sync(request, signal))
