// Heartbeat (12), v0-4. Keeps a member of a classic group alive.
// - REBALANCE_IN_PROGRESS while the group prepares the next generation, so that the member joins again.
// - A static member that another process has replaced: FENCED_INSTANCE_ID (v3, KIP-345).
import { Heartbeat } from '../protocol/messages/heartbeat.ts'
import { handler } from './handler.ts'

export const heartbeat = handler(Heartbeat, async (request, { groups }) => ({
  errorCode: await groups.heartbeat(request),
}))
