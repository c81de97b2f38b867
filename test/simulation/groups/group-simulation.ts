// A coordinator of one partition in a world with virtual time: the real shard, journal, leader and decisions over a log in memory. The log
// flushes late, refuses appends and loses what it had not flushed when the coordinator crashes. Only the seed decides.
import { silentLogger } from '../../../broker/base/log.ts'
import { topicConfig } from '../../../broker/config/topic-config.ts'
import { GroupShard } from '../../../broker/coordinator/group/group-shard.ts'
import { groupCodec, type GroupRecord } from '../../../broker/coordinator/group/record.ts'
import type { GroupsState } from '../../../broker/coordinator/group/state.ts'
import { Shard } from '../../../broker/coordinator/shard.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { Leader } from '../../../broker/replication/leader.ts'
import { replicatedJournal } from '../../../broker/replication/replicated-journal.ts'
import { brokerConfig } from '../../broker/api/fixture.ts'
import { SETTINGS } from '../../broker/coordinator/group/group-world.ts'
import { MemoryLog } from '../../broker/replication/memory-log.ts'
import { manualClock } from '../../manual-clock.ts'
import { seededNumbers } from '../../seeded.ts'

const TOPIC = '__consumer_offsets'
const CONFIG = topicConfig(new Map(), brokerConfig({}))

export class GroupSimulation {
  readonly clock = manualClock()
  readonly next: () => number
  /** Off when the world has calmed down: everything must come to an end then. */
  isHostile = true
  crashes = 0
  onCrash: () => void = () => {}
  #log = new MemoryLog('topic-id', 0, TOPIC)
  #epoch = 0
  #machine!: GroupShard
  #shard!: Shard<GroupsState, GroupRecord>
  #leader!: Leader

  constructor(seed: number) {
    this.next = seededNumbers(seed)
    this.#start()
  }

  /** The machine that answers at this moment. */
  get coordinator(): GroupShard {
    return this.#machine
  }

  chance(probability: number): boolean {
    return this.isHostile && this.next() < probability
  }

  /** An integer below `count`. */
  below(count: number): number {
    return Math.floor(this.next() * count)
  }

  /** The process dies: what the log had not flushed is lost, or not. Another one starts at once. */
  crash(): void {
    this.crashes++
    this.onCrash()
    this.#shard.close(ErrorCode.NOT_COORDINATOR)
    this.#leader.close(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    this.#log = this.#log.afterCrash(this.next() < 0.5)
    this.#start()
  }

  /** Moves the time on by a little, with whatever the world has in store. */
  async step(byMs: number): Promise<void> {
    if (this.chance(0.05)) this.#log.isHeld = true
    if (!this.isHostile || this.chance(0.15)) {
      this.#log.isHeld = false
      this.#log.flushAll()
    }
    if (this.chance(0.004)) this.#log.refusesNext = true
    if (this.chance(0.004)) this.#log.isFull = !this.#log.isFull
    if (!this.isHostile) this.#log.isFull = false
    // A crash means most while something is not flushed.
    if (this.chance(this.#log.isHeld ? 0.03 : 0.004)) this.crash()
    this.clock.advance(byMs)
    await new Promise(resolve => setImmediate(resolve))
  }

  #start(): void {
    const log = this.#log
    const state = {
      brokerId: 1,
      leaderEpoch: ++this.#epoch,
      partitionEpoch: 1,
      replicas: [1],
      isr: [1],
      minInsyncReplicas: 1,
    }
    const leader = new Leader(this.clock, TOPIC, log.asPartitionLog, state, CONFIG)
    log.onAdvance(() => leader.advance())
    this.#leader = leader
    const bytes = (size: number) => Buffer.from(Array.from({ length: size }, () => this.next() * 256))
    this.#machine = new GroupShard({
      clock: this.clock,
      random: { next: this.next, bytes },
      settings: { ...SETTINGS, initialRebalanceDelayMs: 1000 },
      // Not within a history: a group that nobody uses is deleted, and another of its name begins with generation 1.
      offsetsRetentionCheckIntervalMs: 600_000,
    })
    this.#shard = new Shard<GroupsState, GroupRecord>({
      clock: this.clock,
      log: silentLogger,
      topicName: TOPIC,
      partition: 0,
      machine: this.#machine,
      journal: signal => replicatedJournal(groupCodec, { clock: this.clock, leader, signal }),
      refusal: () => leader.ownRefusal,
      commitTimeoutMs: 5000,
    })
    void this.#shard.load()
  }
}
