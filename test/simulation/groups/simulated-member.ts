// A consumer in the simulation: joins, assigns when it leads, syncs, sends heartbeats and commits, over a network that delays, loses and
// repeats what it sends. It may pause, leave, or die and come back; a static one comes back under its instance id.
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { commitOffsets, fetchOffsets } from '../../../broker/coordinator/group/offsets.ts'
import { heartbeat, leave } from '../../../broker/coordinator/group/membership.ts'
import { join } from '../../../broker/coordinator/group/join.ts'
import { sync } from '../../../broker/coordinator/group/sync.ts'
import { JOIN } from '../../broker/coordinator/group/group-world.ts'
import type { GroupHistory } from './group-history.ts'
import type { GroupSimulation } from './group-simulation.ts'

export const PARTITIONS = 5
const GROUP = 'group'
const HEARTBEAT_MS = 2000
const REQUEST_TIMEOUT_MS = 20_000
const SESSION_MS = 10_000
const REBALANCE_MS = 15_000

/** What a member knows about itself in one life; a new life begins with nothing. */
type Life = { memberId: string; generation: number; partitions: readonly number[]; isStable: boolean }

const FRESH: Life = { memberId: '', generation: -1, partitions: [], isStable: false }

export class SimulatedMember {
  life: Life = { ...FRESH }
  isRunning = false
  #pausedUntilMs = 0
  #lives = 0
  readonly instance: string | null
  readonly #name: string
  readonly #world: GroupSimulation
  readonly #history: GroupHistory
  readonly #commitValues: { last: number }

  constructor(
    name: string,
    instance: string | null,
    world: GroupSimulation,
    history: GroupHistory,
    commitValues: { last: number },
  ) {
    this.#name = name
    this.instance = instance
    this.#world = world
    this.#history = history
    this.#commitValues = commitValues
  }

  start(): void {
    if (this.isRunning) return
    this.isRunning = true
    this.life = { ...FRESH }
    const number = ++this.#lives
    void this.#live(() => this.isRunning && this.#lives === number)
  }

  /** Dies without a word. */
  kill(): void {
    this.isRunning = false
  }

  pause(forMs: number): void {
    this.#pausedUntilMs = this.#world.clock.monotonic() + forMs
  }

  async leave(): Promise<void> {
    const { memberId } = this.life
    this.isRunning = false
    if (memberId === '') return
    const member = { memberId, groupInstanceId: this.instance }
    await this.#send(signal => {
      void signal
      return this.#world.coordinator.write((state, decision) => leave(state, GROUP, [member], decision))
    })
  }

  async #live(isAlive: () => boolean): Promise<void> {
    while (isAlive()) {
      if (!(await this.#join(isAlive))) await this.#sleep(100)
      else if (await this.#sync(isAlive)) await this.#consume(isAlive)
    }
  }

  /** True when it is in a generation. */
  async #join(isAlive: () => boolean): Promise<boolean> {
    const { life } = this
    const { memberId } = life
    const answer = await this.#send(signal =>
      this.#world.coordinator.join(signal, (state, ticket, decision) =>
        join(state, this.#request(memberId), ticket, decision),
      ),
    )
    if (answer === null || !isAlive()) return false
    if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      life.memberId = answer.memberId
      return this.#join(isAlive)
    }
    if (answer.errorCode !== ErrorCode.NONE) {
      this.#suffer(answer.errorCode)
      return false
    }
    Object.assign(life, { memberId: answer.memberId, generation: answer.generationId, partitions: [], isStable: false })
    const ids = answer.members.map(member => member.memberId)
    this.#toAssign = answer.skipAssignment ? [] : ids
    return true
  }
  #toAssign: readonly string[] = []

  async #sync(isAlive: () => boolean): Promise<boolean> {
    const { life } = this
    const { memberId, generation } = life
    const request = {
      groupId: GROUP,
      generationId: generation,
      memberId,
      groupInstanceId: this.instance,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: assign(this.#toAssign),
    }
    const answer = await this.#send(async signal => {
      const said = await this.#world.coordinator.sync(signal, (state, ticket, decision) =>
        sync(state, request, ticket, decision),
      )
      if (said.errorCode === ErrorCode.NONE) {
        this.#history.assigned(generation, this.instance ?? memberId, [...said.assignment])
      }
      return said
    })
    if (answer === null || !isAlive()) return false
    if (answer.errorCode !== ErrorCode.NONE) {
      this.#suffer(answer.errorCode)
      return false
    }
    Object.assign(life, { partitions: [...answer.assignment], isStable: true })
    for (const partition of life.partitions) await this.#fetch(partition)
    return true
  }

  async #consume(isAlive: () => boolean): Promise<void> {
    while (isAlive()) {
      await this.#sleep(HEARTBEAT_MS)
      if (!isAlive()) return
      const { memberId, generation } = this.life
      const member = { groupId: GROUP, memberId, generationId: generation, groupInstanceId: this.instance }
      const beat = await this.#send(() =>
        this.#world.coordinator.read((state, decision) => heartbeat(state, member, decision)),
      )
      const errorCode = beat === null ? ErrorCode.NONE : 'errorCode' in beat ? beat.errorCode : beat.response
      if (errorCode !== ErrorCode.NONE && !isRetriable(errorCode)) {
        this.life.isStable = false
        this.#suffer(errorCode)
        return
      }
      for (const partition of this.life.partitions) if (this.#world.next() < 0.5) await this.#commit(partition)
    }
  }

  async #commit(partition: number): Promise<void> {
    const { memberId, generation } = this.life
    const request = { groupId: GROUP, memberId, generationId: generation, groupInstanceId: this.instance }
    await this.#send(async () => {
      const offset = ++this.#commitValues.last
      const settle = this.#history.commits(partition, offset)
      const offsets = [{ topic: 'orders', partition, offset, leaderEpoch: -1, metadata: null }]
      const answer = await this.#world.coordinator.write((state, decision) =>
        commitOffsets(state, { ...request, offsets, retentionMs: -1, knowsGroupNotFound: true }, decision),
      )
      if ('errorCode' in answer)
        settle(answer.errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ? 'refused' : 'unknown')
      else settle(typeof answer.response === 'number' ? 'refused' : 'kept')
      return answer
    })
  }

  async #fetch(partition: number): Promise<void> {
    await this.#send(async () => {
      const check = this.#history.fetchesOf(partition)
      const answer = await this.#world.coordinator.read(state =>
        fetchOffsets(state, GROUP, [{ topic: 'orders', partition }], false),
      )
      if ('response' in answer) check(answer.response[0]!.committed?.offset ?? null)
      return answer
    })
  }

  #suffer(errorCode: ErrorCode): void {
    if (errorCode === ErrorCode.UNKNOWN_MEMBER_ID) this.life = { ...FRESH }
    else if (errorCode === ErrorCode.FENCED_INSTANCE_ID) this.isRunning = false
    else this.life.isStable = false
  }

  #request(memberId: string) {
    return {
      ...JOIN,
      memberId,
      groupInstanceId: this.instance,
      clientId: this.#name,
      sessionTimeoutMs: SESSION_MS,
      rebalanceTimeoutMs: REBALANCE_MS,
    }
  }

  /** One request over the network: null when no answer came in time. */
  async #send<A>(request: (signal: AbortSignal) => Promise<A>): Promise<A | null> {
    const world = this.#world
    await this.#sleep(world.below(30))
    if (world.chance(0.03)) return this.#sleep(REQUEST_TIMEOUT_MS).then(() => null)
    const connection = new AbortController()
    if (world.chance(0.02)) {
      // The same once more, and later, as from a connection that was thought to be dead.
      world.clock.after(world.below(5000), () => void request(connection.signal))
    }
    const late = this.#sleep(REQUEST_TIMEOUT_MS).then(() => null)
    const answer = await Promise.race([request(connection.signal), late])
    if (answer === null || world.chance(0.03)) {
      connection.abort()
      return null
    }
    await this.#sleep(world.below(30))
    return answer
  }

  async #sleep(forMs: number): Promise<void> {
    const { clock } = this.#world
    const untilMs = Math.max(clock.monotonic() + forMs, this.#pausedUntilMs)
    await new Promise<void>(resolve => void clock.after(untilMs - clock.monotonic(), resolve))
    if (this.#pausedUntilMs > clock.monotonic()) await this.#sleep(0)
  }
}

/** As the round-robin assignor: partitions one by one; bytes that list them. */
function assign(members: readonly string[]): { readonly memberId: string; readonly assignment: Buffer }[] {
  return members.map((memberId, at) => ({
    memberId,
    assignment: Buffer.from(
      Array.from({ length: PARTITIONS }, (_, partition) => partition).filter(
        partition => partition % members.length === at,
      ),
    ),
  }))
}

function isRetriable(errorCode: ErrorCode): boolean {
  return (
    errorCode === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ||
    errorCode === ErrorCode.COORDINATOR_NOT_AVAILABLE ||
    errorCode === ErrorCode.NOT_COORDINATOR
  )
}
