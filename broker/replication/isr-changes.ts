// Asks the controller for other ISRs, on behalf of the partitions that this broker leads: many in one AlterPartition, one request at a time.
// What is asked, and what the answer means, is in-sync-replicas.ts. A request without an answer may have been carried out or still
// be: its partitions ask again, and what they asked for counts until a later partition epoch is seen (B4, traps F2 and F9).
import type { Clock, Timer } from '../base/clock.ts'
import type { Logger } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Uuid } from '../base/uuid.ts'
import { Backoff } from '../client/backoff.ts'
import type { ControllerChannel } from '../client/controller-channel.ts'
import { ErrorCode, errorName } from '../protocol/errors.ts'
import { AlterPartition, type AlterPartitionResponse } from '../protocol/messages/alter-partition.ts'
import type { IsrProposal } from './in-sync-replicas.ts'
import type { Leader } from './leader.ts'

export type IsrChangesOptions = {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly channel: ControllerChannel
  readonly brokerId: number
  /** Of this broker's present life; null while it has none. */
  readonly brokerEpoch: () => number | null
  /** `replica.lag.time.max.ms` */
  readonly maxLagMs: number
  readonly mayJoin: (brokerId: number, brokerEpoch: number) => boolean
  /** All partitions led here. */
  readonly leaders: () => Iterable<Leader>
}

const VERSION = 3
const MAX_PARTITIONS = 1000
const FIRST_BACKOFF_MS = 50
const MAX_BACKOFF_MS = 2000

type Asked = { readonly leader: Leader; readonly proposal: IsrProposal }
type AnswerOfOne = AlterPartitionResponse['topics'][number]['partitions'][number]

export class IsrChanges {
  readonly #options: IsrChangesOptions
  readonly #due = new Set<Leader>()
  /** Refused: asked again only after a while, as the reason has to go away first. */
  readonly #refusedUntilMs = new WeakMap<Leader, { readonly partitionEpoch: number; readonly untilMs: number }>()
  readonly #backoff: Backoff
  #isAsking = false
  #isClosed = false
  #timer: Timer | null = null
  #shrinks = 0
  #expands = 0
  #failures = 0

  constructor(options: IsrChangesOptions) {
    this.#options = options
    this.#backoff = new Backoff({ random: options.random, firstMs: FIRST_BACKOFF_MS, maxMs: MAX_BACKOFF_MS })
    this.#schedule()
  }

  /** ISRs that became smaller, larger, and requests that were refused, since the start. */
  get counts(): { readonly shrinks: number; readonly expands: number; readonly failures: number } {
    return { shrinks: this.#shrinks, expands: this.#expands, failures: this.#failures }
  }

  /** The ISR of this partition may have to change; it is looked at when the turn ends. */
  readonly consider = (leader: Leader): void => {
    if (this.#isClosed || this.#due.has(leader)) return
    this.#due.add(leader)
    if (!this.#isAsking) void this.#run()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
    this.#due.clear()
  }

  /** Nobody tells when a follower falls silent. */
  #schedule(): void {
    this.#timer = this.#options.clock.after(this.#options.maxLagMs / 2, () => {
      for (const leader of this.#options.leaders()) if (leader.state.replicas.length > 1) this.consider(leader)
      if (!this.#isClosed) this.#schedule()
    })
  }

  async #run(): Promise<void> {
    this.#isAsking = true
    // After everything else of this turn: the partitions of one fetch go together.
    await Promise.resolve()
    while (this.#due.size > 0 && !this.#isClosed) {
      const asked = this.#take()
      if (asked.length > 0) await this.#ask(asked)
    }
    this.#isAsking = false
  }

  /** What is to be asked for; from here on who is to be added counts. */
  #take(): Asked[] {
    const { clock, maxLagMs, mayJoin } = this.#options
    const nowMs = clock.monotonic()
    const asked: Asked[] = []
    for (const leader of this.#due) {
      if (asked.length === MAX_PARTITIONS) break
      this.#due.delete(leader)
      const refused = this.#refusedUntilMs.get(leader)
      const isPaused = refused?.partitionEpoch === leader.state.partitionEpoch && nowMs < refused.untilMs
      if (leader.isClosed || isPaused) continue
      const { highWatermark, inSyncReplicas } = leader
      const logEndOffset = leader.log.endOffset
      const proposal = inSyncReplicas.propose({ nowMs, highWatermark, logEndOffset, maxLagMs, mayJoin })
      if (proposal !== null && inSyncReplicas.attempt(proposal)) asked.push({ leader, proposal })
    }
    return asked
  }

  async #ask(asked: readonly Asked[]): Promise<void> {
    const { channel, brokerId, brokerEpoch, log } = this.#options
    try {
      const body = { brokerId, brokerEpoch: brokerEpoch() ?? -1, topics: topicsOf(asked) }
      const response = await channel.request(AlterPartition, VERSION, body)
      if (response.errorCode !== ErrorCode.NONE) throw new Error(errorName(response.errorCode as ErrorCode))
      this.#backoff.reset()
      this.#onResponse(asked, response)
    } catch (error) {
      // The outcome is not known, so nothing is forgotten: they ask again.
      log.debug({ err: error, partitions: asked.length }, 'the controller did not answer a change of ISRs')
      await new Promise<void>(resolve => void this.#options.clock.after(this.#backoff.next(), resolve))
      for (const { leader } of asked) if (!this.#isClosed) this.#due.add(leader)
    }
  }

  #onResponse(asked: readonly Asked[], response: AlterPartitionResponse): void {
    const answers = new Map<string, AnswerOfOne>()
    for (const { topicId, partitions } of response.topics) {
      for (const answer of partitions) answers.set(`${answer.partitionIndex} ${topicId}`, answer)
    }
    for (const { leader, proposal } of asked) {
      const answer = answers.get(`${leader.log.partition} ${leader.log.topicId}`)
      if (answer === undefined) this.#pause(leader, proposal, ErrorCode.UNKNOWN_SERVER_ERROR)
      else this.#onAnswer(leader, proposal, answer)
    }
  }

  #onAnswer(leader: Leader, proposal: IsrProposal, answer: AnswerOfOne): void {
    if (leader.isClosed) return
    if (answer.errorCode !== ErrorCode.NONE) {
      this.#failures++
      leader.inSyncReplicas.onRefusal(proposal, answer.errorCode as ErrorCode)
      this.#pause(leader, proposal, answer.errorCode as ErrorCode)
      return
    }
    const before = leader.state
    if (answer.leaderId !== before.brokerId || answer.leaderEpoch !== before.leaderEpoch) return
    const { isr, partitionEpoch } = answer
    if (partitionEpoch <= before.partitionEpoch) return
    if (before.isr.some(id => !isr.includes(id))) this.#shrinks++
    if (isr.some(id => !before.isr.includes(id))) this.#expands++
    const partition = `${leader.topicName}-${leader.log.partition}`
    this.#options.log.info({ partition, from: before.isr, to: isr, partitionEpoch }, 'the ISR has changed')
    leader.update({ ...before, isr, partitionEpoch }, leader.config)
  }

  #pause(leader: Leader, { partitionEpoch }: IsrProposal, errorCode: ErrorCode): void {
    const { clock, log } = this.#options
    const partition = `${leader.topicName}-${leader.log.partition}`
    log.debug({ partition, error: errorName(errorCode) }, 'the controller refused a change of the ISR')
    this.#refusedUntilMs.set(leader, { partitionEpoch, untilMs: clock.monotonic() + MAX_BACKOFF_MS / 4 })
    clock.after(MAX_BACKOFF_MS / 4, () => this.consider(leader))
  }
}

function topicsOf(asked: readonly Asked[]) {
  const topics = new Map<Uuid, ReturnType<typeof partitionOf>[]>()
  for (const one of asked) {
    const { topicId } = one.leader.log
    const partitions = topics.get(topicId)
    if (partitions === undefined) topics.set(topicId, [partitionOf(one)])
    else partitions.push(partitionOf(one))
  }
  return [...topics].map(([topicId, partitions]) => ({ topicId, partitions }))
}

function partitionOf({ leader, proposal: { leaderEpoch, partitionEpoch, isr } }: Asked) {
  return { partitionIndex: leader.log.partition, leaderEpoch, partitionEpoch, newIsrWithEpochs: isr }
}
