// Consumer groups, whoever the client: members share partitions, come, go and die; what was committed is not read again and
// nothing else is left out; where reading starts; static members; members that come back too late.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { shareAll, untilAll } from '../members.ts'
import type { Crew, Member } from '../members.ts'
import type { Assignor } from '../group-commands.ts'
import type { Client } from '../program.ts'
import { check, eventually, newTopic, produce, textRecord, topicName } from './check.ts'
import type { Bench, Suite } from './check.ts'

export type GroupSuite = Suite & { readonly crew: () => Crew }

/** Produces `count` records to each partition of a topic and returns their values, which say where they are. */
export async function produceEverywhere(
  { helper }: Pick<Bench, 'helper'>,
  topic: string,
  partitions: number,
  about: string,
  count = 3,
): Promise<string[]> {
  const values: string[] = []
  for (let partition = 0; partition < partitions; partition++) {
    const own = Array.from({ length: count }, (_, index) => `${about} ${partition}/${index}`)
    await produce(
      helper,
      topic,
      own.map(value => textRecord(null, value)),
      { partition },
    )
    values.push(...own)
  }
  return values
}

/** Waits until the group has committed these offsets in the partitions of a topic: some clients tell later, or not at all. */
export async function haveCommitted(
  helper: Client,
  group: string,
  topic: string,
  expected: readonly number[],
): Promise<void> {
  await eventually(async () => {
    const { offsets } = await helper.run('groupOffsets', { group })
    const inTopic = offsets.filter(each => each.topic === topic).sort((a, b) => a.partition - b.partition)
    deepEqual(
      inTopic.map(({ offset }) => offset),
      expected,
    )
  })
}

/** What all members have read, in any order. */
export const readBy = (members: readonly Member[]): string[] => members.flatMap(({ values }) => values).sort()

export async function haveRead(members: readonly Member[], values: readonly string[]): Promise<void> {
  await untilAll(members, `read ${values.length} records`, () => readBy(members).length >= values.length)
  deepEqual(readBy(members), [...values].sort())
}

export function groupChecks(suite: GroupSuite): void {
  for (const assignor of suite.kind.groups.assignors) sharingChecks(suite, assignor)
  positionChecks(suite)
  staticMemberChecks(suite)
  silentMemberChecks(suite)
}

const PARTITIONS = 4

function sharingChecks(suite: GroupSuite, assignor: Assignor): void {
  const { bench, crew, kind } = suite

  check(
    suite,
    `${assignor}: members that come and go share the partitions and read every record once`,
    [],
    async () => {
      const topic = await newTopic(bench(), 'shared', { partitions: PARTITIONS })
      const membership = { group: topicName('group'), topics: [topic], assignor }
      const first = await crew().join(kind, membership)
      await shareAll([first], topic, PARTITIONS)
      const values = await produceEverywhere(bench(), topic, PARTITIONS, 'alone')
      await haveRead([first], values)
      await first.commit()

      const second = await crew().join(kind, membership)
      await shareAll([first, second], topic, PARTITIONS)
      values.push(...(await produceEverywhere(bench(), topic, PARTITIONS, 'by two')))
      await haveRead([first, second], values)
      await Promise.all([first.commit(), second.commit()])

      await first.leave()
      await shareAll([second], topic, PARTITIONS)
      values.push(...(await produceEverywhere(bench(), topic, PARTITIONS, 'by the other')))
      await haveRead([first, second], values)
      await second.commit()
      await second.leave()
      await haveCommitted(bench().helper, membership.group, topic, [9, 9, 9, 9])
    },
  )
}

function positionChecks(suite: GroupSuite): void {
  const { bench, crew, kind } = suite

  check(suite, 'a member goes on where its group has committed', ['commits by hand'], async () => {
    const topic = await newTopic(bench(), 'resumed')
    const membership = { group: topicName('group'), topics: [topic] }
    await produceEverywhere(bench(), topic, 1, 'early', 5)
    const first = await crew().join(kind, membership)
    await first.hasRead(5)
    await first.commit([{ topic, partition: 0, offset: 3 }])
    await first.leave()
    const second = await crew().join(kind, membership)
    await second.hasRead(2)
    deepEqual(second.values, ['early 0/3', 'early 0/4'])
  })

  check(suite, 'a group that has committed nothing starts at the end if its member wants it so', [], async () => {
    const topic = await newTopic(bench(), 'latest')
    await produceEverywhere(bench(), topic, 1, 'early')
    const member = await crew().join(kind, { group: topicName('group'), topics: [topic], reset: 'latest' })
    await shareAll([member], topic, 1)
    // It looks for the end some time after it has been assigned the partition.
    await eventually(async () => {
      await produceEverywhere(bench(), topic, 1, 'late')
      ok(member.records.length > 0)
    })
    ok(
      member.values.every(value => value.startsWith('late')),
      member.report(),
    )
  })

  check(suite, 'a group that has committed nothing is an error if its member wants it so', ['no reset'], async () => {
    const topic = await newTopic(bench(), 'none')
    await produceEverywhere(bench(), topic, 1, 'early')
    const member = await crew().join(kind, { group: topicName('group'), topics: [topic], reset: 'none' })
    await member.until('reports an error', () => member.errors.length > 0)
    deepEqual(member.values, [])
  })

  check(suite, 'a member reads from where it seeks', ['seeking'], async () => {
    const topic = await newTopic(bench(), 'sought')
    await produceEverywhere(bench(), topic, 1, 'value', 5)
    const member = await crew().join(kind, { group: topicName('group'), topics: [topic] })
    await member.hasRead(5)
    await member.seek(topic, 0, 1)
    await member.hasRead(9)
    await member.seek(topic, 0, 4)
    await member.hasRead(10)
    deepEqual(
      member.records.slice(5).map(({ offset }) => offset),
      [1, 2, 3, 4, 4],
    )
  })

  check(
    suite,
    'a partition that is paused gives nothing until it is resumed; the others go on',
    ['pausing'],
    async () => {
      const topic = await newTopic(bench(), 'paused', { partitions: 2 })
      const member = await crew().join(kind, { group: topicName('group'), topics: [topic] })
      await shareAll([member], topic, 2)
      const before = await produceEverywhere(bench(), topic, 2, 'before')
      await haveRead([member], before)
      await member.pause(topic, 0)
      // A fetch that was under way when it was paused has ended when something of the other partition arrives after this.
      for (let round = 0; round < 3; round++) {
        await produce(bench().helper, topic, [textRecord(null, `round ${round}`)], { partition: 1 })
        await member.until(`reads round ${round}`, () => member.values.includes(`round ${round}`))
      }
      const held = await produceEverywhere(bench(), topic, 2, 'held')
      await member.until('reads the other partition', () => member.values.includes('held 1/2'))
      ok(!member.values.some(value => value.startsWith('held 0')), member.report())
      await member.resume(topic, 0)
      await haveRead([member], [...before, 'round 0', 'round 1', 'round 2', ...held])
    },
  )
}

function staticMemberChecks(suite: GroupSuite): void {
  const { bench, crew, kind } = suite
  const assignor = kind.groups.assignors[0]!

  check(
    suite,
    'a static member that restarts gets its partitions back without a rebalance',
    ['static members'],
    async () => {
      const topic = await newTopic(bench(), 'static', { partitions: PARTITIONS })
      const membership = { group: topicName('group'), topics: [topic], assignor }
      const first = await crew().join(kind, { ...membership, instanceId: 'first' })
      const other = await crew().join(kind, { ...membership, instanceId: 'other' })
      await shareAll([first, other], topic, PARTITIONS)
      const had = first.assigned
      const assignments = other.events.length
      await first.kill()
      const again = await crew().join(kind, { ...membership, instanceId: 'first' })
      await shareAll([again, other], topic, PARTITIONS)
      deepEqual(again.assigned, had)
      equal(other.events.length, assignments, other.report())
    },
  )

  check(
    suite,
    'a second member with the same instance id takes the place of the first, which is fenced',
    ['static members', 'being fenced'],
    async () => {
      const topic = await newTopic(bench(), 'fenced')
      const membership = { group: topicName('group'), topics: [topic], assignor, instanceId: 'same' }
      const first = await crew().join(kind, membership)
      await shareAll([first], topic, 1)
      const second = await crew().join(kind, membership)
      await shareAll([second], topic, 1)
      await first.until('is told that it is fenced', () => first.errors.length > 0)
      const [record] = await produceEverywhere(bench(), topic, 1, 'for one', 1)
      await haveRead([second], [record!])
    },
  )
}

/** Long enough for a busy machine to keep a member that lives, short enough to wait for. */
const SHORT_SESSION_MS = 4_000

function silentMemberChecks(suite: GroupSuite): void {
  const { bench, crew, kind } = suite
  const assignor = kind.groups.assignors[0]!

  check(
    suite,
    'the partitions of a member that is killed move, and others read on from its commit',
    ['commits by hand'],
    async () => {
      const topic = await newTopic(bench(), 'killed', { partitions: PARTITIONS })
      const membership = { group: topicName('group'), topics: [topic], assignor }
      const doomed = await crew().join(kind, { ...membership, sessionTimeoutMs: SHORT_SESSION_MS })
      const heir = await crew().join(kind, membership)
      await shareAll([doomed, heir], topic, PARTITIONS)
      await haveRead([doomed, heir], await produceEverywhere(bench(), topic, PARTITIONS, 'committed'))
      await Promise.all([doomed.commit(), heir.commit()])
      const later = await produceEverywhere(bench(), topic, PARTITIONS, 'uncommitted')
      await untilAll([doomed, heir], 'has read everything', () => readBy([doomed, heir]).length === 24)
      await heir.commit()
      const own = doomed.values.filter(value => value.startsWith('uncommitted'))
      await doomed.kill()
      await shareAll([heir], topic, PARTITIONS)
      await untilAll([heir], 'reads what was not committed', () => own.every(value => heir.values.includes(value)))
      // Everything that the dead member had not committed, once, and nothing that it had.
      deepEqual(heir.values.filter(value => value.startsWith('uncommitted')).sort(), [...later].sort())
      equal(heir.values.filter(value => value.startsWith('committed')).length, 12 - (doomed.values.length - own.length))
    },
  )

  check(
    suite,
    'a member that was silent for too long is told so, and what it commits late changes nothing',
    ['commits by hand', 'commits of one generation'],
    async () => {
      const topic = await newTopic(bench(), 'silent', { partitions: 2 })
      const membership = { group: topicName('group'), topics: [topic], assignor }
      const silent = await crew().join(kind, { ...membership, sessionTimeoutMs: SHORT_SESSION_MS })
      const heir = await crew().join(kind, membership)
      await shareAll([silent, heir], topic, 2)
      const values = await produceEverywhere(bench(), topic, 2, 'value', 4)
      await haveRead([silent, heir], values)
      await Promise.all([silent.commit(), heir.commit()])
      const partition = Number(silent.assigned![0]!.at(-1))
      const assignments = silent.assignments
      silent.stop()
      await shareAll([heir], topic, 2)
      // The commit waits in front of the member until it wakes up; by then its place is somebody else's.
      const late = silent.commit([{ topic, partition, offset: 1 }]).catch((error: unknown) => error)
      silent.wakeUp()
      await late
      await silent.until('is assigned partitions again', () => silent.assignments > assignments)
      await shareAll([silent, heir], topic, 2)
      await haveCommitted(bench().helper, membership.group, topic, [4, 4])
      const more = await produceEverywhere(bench(), topic, 2, 'more')
      await haveRead([silent, heir], [...values, ...more])
    },
  )
}
