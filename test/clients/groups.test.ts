// Consumer groups of every client, with several members each: a process per member, so that members can be killed and stopped.
import { deepEqual, equal } from 'node:assert/strict'
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import { startBroker } from './broker.ts'
import type { TestBroker } from './broker.ts'
import { eventually, newTopic, topicName } from './checks/check.ts'
import { groupChecks, haveCommitted, haveRead, produceEverywhere, readBy } from './checks/groups.ts'
import { clientKinds, helperKind } from './client-kinds.ts'
import { installed } from './installation.ts'
import { Crew, shareAll, untilAll } from './members.ts'
import type { Member } from './members.ts'
import type { Client } from './program.ts'
import { int16, int32, int64, requestFrame, text, Wire } from './wire.ts'

const timeout = 180_000
let broker: TestBroker
let helper: Client
let crew: Crew

beforeAll(async () => {
  // Each program, and with it each member, ends with this process.
  process.setMaxListeners(100)
  const installation = await installed()
  broker = await startBroker({
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
  })
  helper = helperKind.start(installation, broker.bootstrap)
  crew = new Crew(kind => kind.start(installation, broker.bootstrap))
}, 600_000)

afterEach(() => crew?.dismiss(), timeout)
afterAll(async () => {
  await crew?.stop()
  await helper?.stop()
  await broker?.remove()
}, timeout)

for (const kind of clientKinds) {
  describe(kind.name, { timeout }, () => {
    groupChecks({ kind, bench: () => ({ broker, client: helper, helper }), crew: () => crew })
  })
}

describe('a group of members of several clients', { timeout }, () => {
  const bench = () => ({ broker, client: helper, helper })

  for (const assignor of ['range', 'roundrobin', 'cooperative-sticky'] as const) {
    // kafkajs has its own name for round robin, so it finds no common one with the others.
    const kinds = clientKinds.filter(
      ({ name, groups }) => groups.assignors.includes(assignor) && !(name === 'kafkajs' && assignor === 'roundrobin'),
    )

    test(`${assignor}: ${kinds.map(({ name }) => name).join(', ')} share the partitions and read every record once`, async () => {
      const partitions = kinds.length * 2
      const topic = await newTopic(bench(), 'mixed', { partitions })
      const membership = { group: topicName('mixed'), topics: [topic], assignor }
      const members: Member[] = []
      for (const kind of kinds) {
        members.push(await crew.join(kind, membership))
        await shareAll(members, topic, partitions)
      }
      const values = await produceEverywhere(bench(), topic, partitions, 'by all')
      await haveRead(members, values)
      for (const member of members) await member.commit()
      // Whoever led the group: the next leader is of another client.
      for (const leaving of members.slice(0, -1)) {
        await leaving.leave()
        const staying = members.slice(members.indexOf(leaving) + 1)
        await shareAll(staying, topic, partitions)
      }
      values.push(...(await produceEverywhere(bench(), topic, partitions, 'by the last')))
      await haveRead(members, values)
    })
  }

  test('resumes from its commits when the broker is killed', async () => {
    const kinds = clientKinds.filter(
      ({ cannot, groups }) => groups.assignors.includes('range') && cannot['commits by hand'] === undefined,
    )
    const partitions = kinds.length
    const topic = await newTopic(bench(), 'broker-killed', { partitions })
    const group = topicName('mixed')
    // kafkajs starts again as another member, and its first one stays until its session ends.
    const membership = { group, topics: [topic], assignor: 'range', sessionTimeoutMs: 10_000 } as const
    const members: Member[] = []
    for (const kind of kinds) members.push(await crew.join(kind, membership))
    await shareAll(members, topic, partitions)
    const before = await produceEverywhere(bench(), topic, partitions, 'before')
    await haveRead(members, before)
    for (const member of members) await member.commit()
    await broker.killAndRestart()
    const committed = Array.from({ length: partitions }, () => 3)
    await haveCommitted(helper, membership.group, topic, committed)
    const after = await eventually(() => produceEverywhere(bench(), topic, partitions, 'after'))
    await untilAll(members, 'read what came after', () => {
      const read = new Set(readBy(members))
      return after.every(value => read.has(value))
    })
    await shareAll(members, topic, partitions)
    deepEqual(
      readBy(members).filter(value => value.startsWith('before')),
      [...before].sort(),
    )
  })
})

describe('a commit that no client sends', { timeout }, () => {
  const UNKNOWN_MEMBER_ID = 25
  const ILLEGAL_GENERATION = 22
  const FENCED_INSTANCE_ID = 82

  test('is refused with an old generation, an unknown member or the instance id of another', async () => {
    const bench = { broker, client: helper, helper }
    const topic = await newTopic(bench, 'old-generation')
    const membership = { group: topicName('group'), topics: [topic], instanceId: 'one' }
    const member = await crew.join(helperKind, membership)
    await shareAll([member], topic, 1)
    const { members } = await helper.run('describeGroup', { group: membership.group })
    const { memberId } = members[0]!
    const wire = await Wire.open(broker)
    try {
      const commit = (generation: number, id: string, instanceId: string | null = 'one') =>
        commitBytes(wire, membership.group, generation, id, instanceId, topic)
      equal(await commit(1, memberId), 0)
      equal(await commit(0, memberId), ILLEGAL_GENERATION)
      equal(await commit(2, memberId), ILLEGAL_GENERATION)
      equal(await commit(1, 'nobody'), FENCED_INSTANCE_ID)
      equal(await commit(1, 'nobody', null), UNKNOWN_MEMBER_ID)
      equal(await commit(1, memberId, 'two'), UNKNOWN_MEMBER_ID)
      equal(await commit(-1, ''), FENCED_INSTANCE_ID)
      equal(await commit(-1, '', null), UNKNOWN_MEMBER_ID)
    } finally {
      wire.destroy()
    }
    await haveCommitted(helper, membership.group, topic, [1])
  })
})

/** Commits offset 1 of partition 0 (OffsetCommit v7) and returns the partition's error code. */
async function commitBytes(
  wire: Wire,
  group: string,
  generation: number,
  memberId: string,
  instanceId: string | null,
  topic: string,
): Promise<number> {
  const partition = Buffer.concat([int32(0), int64(1), int32(-1), int16(-1)])
  const member = Buffer.concat([text(memberId), instanceId === null ? int16(-1) : text(instanceId)])
  const topics = Buffer.concat([int32(1), text(topic), int32(1), partition])
  wire.send(requestFrame(8, 7, 1, Buffer.concat([text(group), int32(generation), member, topics])))
  // Correlation id, throttle time, one topic with its name, one partition with its index and error code.
  return (await wire.frame())!.readInt16BE(4 + 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4)
}
