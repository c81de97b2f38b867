// Coordinators of the size that a large cluster has, as a process: a hundred thousand groups, of which a thousand have members, and ten
// thousand members in one group. Memory stays within a bound, everything is answered, and what was acknowledged is there after SIGKILL;
// until it has been read again the answer is that it is being loaded. bench/coordinators.ts has the times.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { ask, createTopic } from '../../bench/peers/admin.ts'
import { RawMember } from '../../bench/peers/members.ts'
import { tcpTransport } from '../../broker/base/transport.ts'
import { BrokerConnection } from '../../broker/client/connection.ts'
import { ErrorCode } from '../../broker/protocol/errors.ts'
import { DescribeGroups } from '../../broker/protocol/messages/describe-groups.ts'
import { FindCoordinator } from '../../broker/protocol/messages/find-coordinator.ts'
import { ListGroups } from '../../broker/protocol/messages/list-groups.ts'
import { OffsetCommit } from '../../broker/protocol/messages/offset-commit.ts'
import { OffsetFetch } from '../../broker/protocol/messages/offset-fetch.ts'
import { newFolder, type BrokerProcess } from './broker-process.ts'
import { cleanUpAfterTests, startBroker } from './operations.ts'

const GROUPS = 100_000
const GROUPS_WITH_MEMBERS = 1_000
const MEMBERS = 10_000
const PARTITIONS = 10
const CONNECTIONS = 100
/** A process that has just started takes 130 MiB, and its caches may take 100 more; the rest is 3 KiB for a group, or 50 for a member with its connection. */
const MANY_GROUPS_BYTES = 560 * 1024 * 1024
const LARGE_GROUP_BYTES = 800 * 1024 * 1024
const TOPICS = Array.from({ length: 10 }, (_, at) => `shop.orders.events.of-region-${at}`)

cleanUpAfterTests()

test(`${GROUPS} groups are kept in bounded memory, answered, and all there after kill -9`, async () => {
  const dataDir = await newFolder('many-groups')
  const settings = { 'group.initial.rebalance.delay.ms': '0' }
  let broker = await startBroker(dataDir, settings)
  await createTopic(broker, 'orders', PARTITIONS)
  await ask(broker, FindCoordinator, 4, { keyType: 0, coordinatorKeys: ['x'] })
  await commitAll(broker)
  const names = Array.from({ length: GROUPS_WITH_MEMBERS }, (_, group) => nameOf(group))
  const members = await RawMember.openMany(broker, names, ['orders'])
  await Promise.all(members.map(member => member.enter()))
  ok(broker.residentBytes() < MANY_GROUPS_BYTES, `${broker.residentBytes()} bytes`)
  await isListed(broker)
  for (const { connection } of members) connection.close()
  await broker.kill()

  broker = await startBroker(dataDir, settings)
  await isAllThere(broker)
  await isListed(broker)
  ok(broker.residentBytes() < MANY_GROUPS_BYTES, `${broker.residentBytes()} bytes after the restart`)
  equal(await broker.stop(), 0)
})

test(`${MEMBERS} members of one group rebalance, are described, and outlive kill -9`, async () => {
  const dataDir = await newFolder('large-group')
  // The default is ten thousand; the test has some of its own.
  const settings = { 'max.connections': `${MEMBERS + CONNECTIONS}` }
  let broker = await startBroker(dataDir, settings)
  await ask(broker, FindCoordinator, 4, { keyType: 0, coordinatorKeys: ['x'] })
  const members = await RawMember.openMany(broker, new Array<string>(MEMBERS).fill('large'), TOPICS)
  await Promise.all(members.map(member => member.enter()))
  const one = await RawMember.open(broker, 'large', TOPICS)
  const enterAgain = async (member: RawMember): Promise<void> => {
    await member.untilRebalance()
    await member.enter()
  }
  for (let round = 0; round < 3; round++) {
    await Promise.all([one.enter(), ...members.map(enterAgain)])
    equal(await membersOf(broker), MEMBERS + 1)
    await one.leave()
    await Promise.all(members.map(enterAgain))
    equal(await membersOf(broker), MEMBERS)
  }
  ok(broker.residentBytes() < LARGE_GROUP_BYTES, `${broker.residentBytes()} bytes`)
  for (const { connection } of [...members, one]) connection.close()
  await broker.kill()

  broker = await startBroker(dataDir, settings)
  equal(await membersOf(broker), MEMBERS)
  equal(await broker.stop(), 0)
})

function nameOf(group: number): string {
  return `orders-service-consumers-${group}`
}

async function commitAll(broker: BrokerProcess): Promise<void> {
  const commitFrom = async (first: number): Promise<void> => {
    const connection = await BrokerConnection.open(tcpTransport, broker, 'many')
    for (let group = first; group < GROUPS; group += CONNECTIONS) {
      const partition = { partitionIndex: group % PARTITIONS, committedOffset: group, committedMetadata: '' }
      const topics = [{ name: 'orders', partitions: [partition] }]
      const answer = await connection.request(OffsetCommit, 8, { groupId: nameOf(group), memberId: '', topics })
      equal(answer.topics[0]!.partitions[0]!.errorCode, ErrorCode.NONE)
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, first) => commitFrom(first)))
}

async function isListed(broker: BrokerProcess): Promise<void> {
  const all = await ask(broker, ListGroups, 5, {})
  equal(all.groups.length, GROUPS)
  const stable = await ask(broker, ListGroups, 5, { statesFilter: ['Stable'] })
  equal(stable.groups.length, GROUPS_WITH_MEMBERS)
  const { groups } = await ask(broker, DescribeGroups, 5, { groups: [nameOf(0), nameOf(GROUPS - 1)] })
  deepEqual(
    groups.map(({ groupState, members }) => [groupState, members.length]),
    [
      ['Stable', 1],
      ['Empty', 0],
    ],
  )
}

/** Every group has its offset, or is being loaded; in the end all have. */
async function isAllThere(broker: BrokerProcess): Promise<void> {
  const connection = await BrokerConnection.open(tcpTransport, broker, 'many')
  let missing = Array.from({ length: GROUPS }, (_, group) => group)
  while (missing.length > 0) {
    const later: number[] = []
    for (let from = 0; from < missing.length; from += 1000) {
      const some = missing.slice(from, from + 1000)
      const asked = some.map(group => ({ groupId: nameOf(group), topics: null }))
      const { groups } = await connection.request(OffsetFetch, 8, { groups: asked })
      for (const [at, { errorCode, topics }] of groups.entries()) {
        const found = topics.flatMap(topic => topic.partitions.map(partition => partition.committedOffset))
        if (errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) {
          deepEqual(found, [])
          later.push(some[at]!)
        } else {
          deepEqual([errorCode, found], [ErrorCode.NONE, [some[at]!]])
        }
      }
    }
    missing = later
  }
  connection.close()
}

/** How many members a stable group has, once it is loaded. */
async function membersOf(broker: BrokerProcess): Promise<number> {
  for (;;) {
    const { groups } = await ask(broker, DescribeGroups, 5, { groups: ['large'] })
    const { errorCode, groupState, members } = groups[0]!
    if (errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS) continue
    deepEqual([errorCode, groupState], [ErrorCode.NONE, 'Stable'])
    return members.length
  }
}
