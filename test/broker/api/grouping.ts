// Requests of clients of groups, for tests of the group APIs on the broker of fixture.ts.
import { joinGroup } from '../../../broker/api/join-group.ts'
import { offsetCommit } from '../../../broker/api/offset-commit.ts'
import { syncGroup } from '../../../broker/api/sync-group.ts'
import { JoinGroup } from '../../../broker/protocol/messages/join-group.ts'
import { OffsetCommit } from '../../../broker/protocol/messages/offset-commit.ts'
import { SyncGroup } from '../../../broker/protocol/messages/sync-group.ts'
import type { RequestInit } from '../../../broker/protocol/schema.ts'
import { subscription } from '../coordinator/group/group-world.ts'
import { settled, testBroker, type AskOptions, type TestBroker, type TestBrokerOptions } from './fixture.ts'

export const GROUP = 'group'
export const OFFSETS = '__consumer_offsets'

/** A broker that coordinates, with a topic of two partitions. */
export async function coordinator(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const broker = await testBroker(options)
  await broker.createTopic('orders', { partitions: 2 })
  await broker.createTopic(OFFSETS, { partitions: 1 })
  for (let turn = 0; turn < 10; turn++) await settled()
  return broker
}

export const join = (
  broker: TestBroker,
  version: number,
  memberId: string,
  more: Partial<RequestInit<typeof JoinGroup>> = {},
  options: AskOptions = {},
) =>
  broker.ask(
    JoinGroup,
    joinGroup,
    version,
    {
      groupId: GROUP,
      sessionTimeoutMs: 30_000,
      memberId,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: subscription('orders') }],
      ...(version >= 1 ? { rebalanceTimeoutMs: 60_000 } : {}),
      ...more,
    },
    options,
  )

export const sync = (broker: TestBroker, memberId: string, generationId: number, text = '') =>
  broker.ask(SyncGroup, syncGroup, 5, {
    groupId: GROUP,
    generationId,
    memberId,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: text === '' ? [] : [{ memberId, assignment: Buffer.from(text) }],
  })

/** A group of one member, in generation 1. */
export async function stable(broker: TestBroker): Promise<string> {
  const { memberId } = await join(broker, 9, '')
  const joining = join(broker, 9, memberId)
  await settled()
  broker.clock.advance(3000)
  await joining
  await sync(broker, memberId, 1, 'all')
  return memberId
}

export const commit = (
  broker: TestBroker,
  version: number,
  topics: RequestInit<typeof OffsetCommit>['topics'],
  more: Partial<RequestInit<typeof OffsetCommit>> = {},
) => broker.ask(OffsetCommit, offsetCommit, version, { groupId: GROUP, memberId: '', topics, ...more })

export const partition = (partitionIndex: number, committedOffset: number, committedMetadata: string | null = '') => ({
  partitionIndex,
  committedOffset,
  committedMetadata,
})
