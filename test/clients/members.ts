// Members of consumer groups as the checks see them: each is a process of its own, which can be killed or stopped, and what it
// reports is kept. Programs whose member has left are used again, since some of them take a second to start.
import { equal, ok } from 'node:assert/strict'
import type { ClientKind } from './client-kinds.ts'
import type { Membership, MemberEvent, TopicPartition, TopicPartitionOffset } from './group-commands.ts'
import type { Program } from './program.ts'

export type MembershipInit = Partial<Membership> & Pick<Membership, 'group' | 'topics'>
export type ReadRecord = TopicPartitionOffset & { value: string }

const DEFAULTS = {
  assignor: 'range',
  instanceId: null,
  reset: 'earliest',
  // Long: only the checks about silent members make it short, and nothing else depends on how busy the machine is.
  sessionTimeoutMs: 45_000,
  heartbeatIntervalMs: 300,
} as const

const PATIENCE_MS = 60_000

/** A member of a group, from when it joins until it leaves or dies. */
export class Member {
  readonly name: string
  readonly kind: ClientKind
  readonly #program: Program
  readonly #assigned = new Map<string, TopicPartition>()
  readonly #positions = new Map<string, TopicPartitionOffset>()
  readonly #wakeUps = new Set<() => void>()
  /** Everything it was given, in order. */
  readonly records: ReadRecord[] = []
  readonly events: MemberEvent[] = []
  #hasBeenAssigned = false
  isGone = false

  constructor(kind: ClientKind, program: Program, name: string) {
    this.kind = kind
    this.name = name
    this.#program = program
    program.onEvent(event => this.#hear(event))
  }

  /** The partitions that it has, in the form `topic-0`, in order; null before it has been told for the first time. */
  get assigned(): string[] | null {
    return this.#hasBeenAssigned ? [...this.#assigned.keys()].sort() : null
  }

  get values(): string[] {
    return this.records.map(({ value }) => value)
  }

  get errors(): { code: number | null; name: string; message: string }[] {
    return this.events.flatMap(event => (event.event === 'error' ? [event.error] : []))
  }

  /** How often it was assigned partitions, none included. */
  get assignments(): number {
    return this.events.filter(({ event }) => event === 'assigned').length
  }

  join(init: MembershipInit): Promise<object> {
    return this.#program.run('joinGroup', { ...DEFAULTS, ...init })
  }

  /** Commits what it has read of the partitions that it has, or `offsets`. */
  async commit(offsets?: readonly TopicPartitionOffset[]): Promise<void> {
    const read = [...this.#positions].flatMap(([key, position]) => (this.#assigned.has(key) ? [position] : []))
    await this.#program.run('commitOffsets', { offsets: offsets ?? read })
  }

  async seek(topic: string, partition: number, offset: number): Promise<void> {
    await this.#program.run('seek', { topic, partition, offset })
  }

  async pause(topic: string, partition: number): Promise<void> {
    await this.#program.run('pause', { topic, partition })
  }

  async resume(topic: string, partition: number): Promise<void> {
    await this.#program.run('resume', { topic, partition })
  }

  async leave(): Promise<void> {
    await this.#program.run('leaveGroup', {})
    this.isGone = true
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.isGone = true
    await this.#program.kill()
  }

  /** SIGSTOP, until `wakeUp`. */
  stop(): void {
    this.#program.signal('SIGSTOP')
  }

  wakeUp(): void {
    this.#program.signal('SIGCONT')
  }

  /** Waits until `holds`; rejects after a minute with what the member has reported. */
  async until(what: string, holds: () => boolean): Promise<void> {
    await untilAll([this], what, holds)
  }

  async hasRead(count: number): Promise<void> {
    await this.until(`has read ${count} records`, () => this.records.length >= count)
    equal(this.records.length, count, this.report())
  }

  onChange(run: () => void): () => void {
    this.#wakeUps.add(run)
    return () => this.#wakeUps.delete(run)
  }

  /** What it has reported, for the message of a failure. */
  report(): string {
    const partitions = (list: readonly TopicPartition[]) => list.map(nameOf).join(' ')
    const lines = this.events.map(event => {
      if (event.event === 'error') return `error ${JSON.stringify(event.error)}`
      if (event.event === 'records')
        return `records ${event.records.map(each => `${nameOf(each)}@${each.offset}`).join(' ')}`
      return `${event.event} ${partitions(event.partitions)}`
    })
    return `${this.name}:\n  ${lines.slice(-30).join('\n  ')}`
  }

  #hear(event: MemberEvent): void {
    this.events.push(event)
    if (event.event === 'records') {
      for (const { topic, partition, offset, value } of event.records) {
        this.records.push({ topic, partition, offset, value: String(value) })
        this.#positions.set(nameOf({ topic, partition }), { topic, partition, offset: offset + 1 })
      }
    } else if (event.event === 'assigned') {
      this.#hasBeenAssigned = true
      for (const partition of event.partitions) this.#assigned.set(nameOf(partition), partition)
    } else if (event.event !== 'error') {
      for (const partition of event.partitions) {
        this.#assigned.delete(nameOf(partition))
        this.#positions.delete(nameOf(partition))
      }
    }
    for (const run of this.#wakeUps) run()
  }
}

/** Waits until `holds`, which is asked whenever a member reports something. */
export async function untilAll(members: readonly Member[], what: string, holds: () => boolean): Promise<void> {
  const stopListening: (() => void)[] = []
  let tooLate: NodeJS.Timeout | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      const look = () => void (holds() && resolve())
      for (const member of members) stopListening.push(member.onChange(look))
      const reports = () => members.map(member => member.report()).join('\n')
      tooLate = setTimeout(() => reject(new Error(`not in time: ${what}\n${reports()}`)), PATIENCE_MS)
      look()
    })
  } finally {
    clearTimeout(tooLate)
    for (const stop of stopListening) stop()
  }
}

/** Waits until the members have all `partitions` of the topic together, each partition once and each member at least one. */
export async function shareAll(members: readonly Member[], topic: string, partitions: number): Promise<void> {
  const all = Array.from({ length: partitions }, (_, partition) => nameOf({ topic, partition })).sort()
  await untilAll(members, `${members.length} members share ${partitions} partitions`, () => {
    const assigned = members.map(member => member.assigned ?? [])
    return assigned.every(({ length }) => length > 0) && String(assigned.flat().sort()) === String(all)
  })
}

/** The programs of a test file that are members of groups. */
export class Crew {
  readonly #start: (kind: ClientKind) => Program
  readonly #idle: { kind: ClientKind; program: Program }[] = []
  readonly #members = new Map<Member, Program>()
  #count = 0

  constructor(start: (kind: ClientKind) => Program) {
    this.#start = start
  }

  /** Lets a client join. It has not been assigned anything yet when this returns. */
  async join(kind: ClientKind, init: MembershipInit): Promise<Member> {
    const at = this.#idle.findIndex(idle => idle.kind === kind)
    const program = at === -1 ? this.#start(kind) : this.#idle.splice(at, 1)[0]!.program
    const member = new Member(kind, program, `${kind.name} ${++this.#count}`)
    this.#members.set(member, program)
    await member.join(init)
    return member
  }

  /** Ends all members; their programs are used again. */
  async dismiss(): Promise<void> {
    for (const [member, program] of this.#members) {
      this.#members.delete(member)
      // A check that has failed may have left it stopped. One that cannot leave is of no use any more.
      member.wakeUp()
      const isIdle = member.isGone
        ? program.isRunning()
        : await member.leave().then(
            () => true,
            () => false,
          )
      if (isIdle) this.#idle.push({ kind: member.kind, program })
      else await program.kill()
    }
  }

  async stop(): Promise<void> {
    await this.dismiss()
    await Promise.all(this.#idle.splice(0).map(({ program }) => program.stop()))
  }
}

export function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

/** The member that has a partition. */
export function ownerOf(members: readonly Member[], topic: string, partition: number): Member {
  const owners = members.filter(({ assigned }) => assigned?.includes(nameOf({ topic, partition })))
  ok(owners.length === 1, `${owners.length} members have ${topic}-${partition}`)
  return owners[0]!
}
