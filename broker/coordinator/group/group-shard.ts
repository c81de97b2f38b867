// The groups of one partition, run: hands requests and deadlines to the decisions, keeps the answers that wait (tickets) and the deadlines,
// and lets all of them go when the state is lost. Not here: what is decided, and the partition (shard.ts).
import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { randomUuidText } from '../../base/uuid.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { ErrorCode as Code } from '../../protocol/errors.ts'
import type { Answered, Shard, ShardMachine } from '../shard.ts'
import { Timers } from '../timers.ts'
import {
  failedJoin,
  failedSync,
  type Deadline,
  type Decision,
  type GroupSettings,
  type JoinAnswer,
  type SyncAnswer,
} from './decision.ts'
import { expire, resume } from './membership.ts'
import type { GroupRecord } from './record.ts'
import { replay } from './replay.ts'
import { newGroupsState, type GroupsState } from './state.ts'
import { expireOffsets, forgetTopics } from './upkeep.ts'

export type GroupShardOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly settings: GroupSettings
  readonly offsetsRetentionCheckIntervalMs: number
}

/** An answer that waits. */
type Ticket =
  | { readonly kind: 'join'; readonly settle: (answer: JoinAnswer) => void }
  | { readonly kind: 'sync'; readonly settle: (answer: SyncAnswer) => void }

type Given = { readonly ticket: number; readonly answer: JoinAnswer | SyncAnswer }

type State = GroupsState
type Decide<T> = (state: State, decision: Decision) => T

const UPKEEP_KEY = 'upkeep'
/** Groups that are looked at before others have their turn, and whose records are one batch. */
const UPKEEP_GROUPS = 200
const SETTLED_AT_ONCE = 100
/** A deadline whose records the partition does not take comes again. */
const RETRY_MS = 1000

export class GroupShard implements ShardMachine<GroupsState, GroupRecord> {
  readonly #options: GroupShardOptions
  readonly #timers: Timers
  readonly #tickets = new Map<number, Ticket>()
  #lastTicket = 0
  #shard: Shard<GroupsState, GroupRecord> | null = null
  #forgottenTopics = new Set<string>()

  constructor(options: GroupShardOptions) {
    this.#options = options
    this.#timers = new Timers(options.clock)
  }

  /** Where its decisions are kept; set once, before the first load. */
  attach(shard: Shard<GroupsState, GroupRecord>): void {
    this.#shard = shard
  }

  readonly create = newGroupsState
  readonly replay = replay

  onLoaded(state: State): void {
    // Resuming writes nothing, so it needs no answer of the log.
    resume(
      state,
      this.#decision([], () => {}),
    )
    this.#planUpkeep()
    if (this.#forgottenTopics.size > 0) void this.#forgetTopics()
  }

  onLost(errorCode: ErrorCode): void {
    this.#timers.clear()
    for (const ticket of [...this.#tickets.keys()]) this.#fail(ticket, errorCode)
  }

  /** Requests that wait here for their group. */
  get parked(): number {
    return this.#tickets.size
  }

  /** A decision that emits records. */
  write<T>(decide: Decide<T>): Promise<Answered<T>> {
    return this.#run(decide, true)
  }

  /** A decision that emits nothing; it may answer others and set deadlines. */
  read<T>(decide: Decide<T>): Promise<Answered<T>> {
    return this.#run(decide, false)
  }

  /** `decide` answers the ticket, or somebody does later. The client being gone lets go of the request, not of the member. */
  join(signal: AbortSignal, decide: (state: State, ticket: number, decision: Decision) => void): Promise<JoinAnswer> {
    return this.#park<JoinAnswer>(signal, settle => ({ kind: 'join', settle }), decide)
  }

  sync(signal: AbortSignal, decide: (state: State, ticket: number, decision: Decision) => void): Promise<SyncAnswer> {
    return this.#park<SyncAnswer>(signal, settle => ({ kind: 'sync', settle }), decide)
  }

  /** The topics are gone: so are the offsets of them. */
  forgetTopics(names: Iterable<string>): void {
    for (const name of names) this.#forgottenTopics.add(name)
    if (this.#shard?.errorCode === Code.NONE) void this.#forgetTopics()
  }

  async #park<A extends JoinAnswer | SyncAnswer>(
    signal: AbortSignal,
    ticketFor: (settle: (answer: A) => void) => Ticket,
    decide: (state: State, ticket: number, decision: Decision) => void,
  ): Promise<A> {
    const number = ++this.#lastTicket
    const answered = new Promise<A>(resolve => this.#tickets.set(number, ticketFor(resolve)))
    const leave = (): void => this.#fail(number, Code.COORDINATOR_NOT_AVAILABLE)
    signal.addEventListener('abort', leave, { once: true })
    const outcome = await this.write((state, decision) => decide(state, number, decision))
    if ('errorCode' in outcome) this.#fail(number, outcome.errorCode)
    if (signal.aborted) leave()
    const answer = await answered
    signal.removeEventListener('abort', leave)
    return answer
  }

  async #run<T>(decide: Decide<T>, mayEmit: boolean): Promise<Answered<T>> {
    const given: Given[] = []
    const shard = this.#shard!
    const outcome = mayEmit
      ? await shard.write((state, emit) => decide(state, this.#decision(given, emit)))
      : await shard.read(state =>
          decide(
            state,
            this.#decision(given, () => {}),
          ),
        )
    this.#settleAll(given, 'errorCode' in outcome ? outcome.errorCode : Code.NONE)
    return outcome
  }

  /** Each answer is a write to a socket: thousands of them let others have their turn in between. */
  #settleAll(given: readonly Given[], errorCode: ErrorCode, from = 0): void {
    const end = Math.min(given.length, from + SETTLED_AT_ONCE)
    for (let at = from; at < end; at++) {
      const { ticket, answer } = given[at]!
      if (errorCode !== Code.NONE) this.#fail(ticket, errorCode)
      else this.#settle(ticket, answer)
    }
    if (end < given.length) this.#options.clock.after(0, () => this.#settleAll(given, errorCode, end))
  }

  #settle(number: number, answer: JoinAnswer | SyncAnswer): void {
    const ticket = this.#tickets.get(number)
    if (ticket === undefined) return
    this.#tickets.delete(number)
    if (ticket.kind === 'join') ticket.settle(answer as JoinAnswer)
    else ticket.settle(answer as SyncAnswer)
  }

  #fail(number: number, errorCode: ErrorCode): void {
    const ticket = this.#tickets.get(number)
    if (ticket === undefined) return
    this.#settle(number, ticket.kind === 'join' ? failedJoin(errorCode, '') : failedSync(errorCode))
  }

  #decision(given: Given[], emit: (record: GroupRecord) => void): Decision {
    const { clock, random, settings } = this.#options
    return {
      nowMs: clock.now(),
      settings,
      emit,
      newMemberId: prefix => `${prefix}-${randomUuidText(random)}`,
      answerJoin: (ticket, answer) => void given.push({ ticket, answer }),
      answerSync: (ticket, answer) => void given.push({ ticket, answer }),
      setDeadline: (key, delayMs, deadline) => this.#timers.set(key, delayMs, () => this.#expire(key, deadline)),
      cancelDeadline: key => this.#timers.cancel(key),
    }
  }

  #expire(key: string, deadline: Deadline): void {
    void this.write((state, decision) => expire(state, deadline, decision)).then(outcome => {
      // Refused, as the partition takes no records for the time being; if the state was lost instead, so were its deadlines.
      if (!('errorCode' in outcome) || this.#shard!.errorCode !== Code.NONE || this.#timers.has(key)) return
      this.#timers.set(key, RETRY_MS, () => this.#expire(key, deadline))
    })
  }

  #planUpkeep(): void {
    const { offsetsRetentionCheckIntervalMs } = this.#options
    this.#timers.set(UPKEEP_KEY, offsetsRetentionCheckIntervalMs, () => {
      this.#planUpkeep()
      void this.#forEachGroup((state, groupId, decision) => expireOffsets(state, groupId, decision))
    })
  }

  async #forgetTopics(): Promise<void> {
    const topics = this.#forgottenTopics
    this.#forgottenTopics = new Set()
    const isDone = await this.#forEachGroup((state, groupId, decision) =>
      forgetTopics(state, groupId, topics, decision),
    )
    if (!isDone) for (const topic of topics) this.#forgottenTopics.add(topic)
  }

  /** False when the partition took no records: what is left is for the next time. */
  async #forEachGroup(decide: (state: State, groupId: string, decision: Decision) => void): Promise<boolean> {
    const listed = await this.read(state => [...state.groups.keys()])
    if ('errorCode' in listed) return false
    const groupIds = listed.response
    for (let at = 0; at < groupIds.length; at += UPKEEP_GROUPS) {
      const some = groupIds.slice(at, at + UPKEEP_GROUPS)
      const outcome = await this.write((state, decision) => {
        for (const groupId of some) decide(state, groupId, decision)
      })
      if ('errorCode' in outcome) return false
      if (at + UPKEEP_GROUPS < groupIds.length) {
        await new Promise<void>(resolve => void this.#options.clock.after(0, resolve))
      }
    }
    return true
  }
}
