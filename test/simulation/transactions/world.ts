// A transaction coordinator with one partition of `__transaction_state` in a world of virtual time: its log takes time, refuses, and loses
// what was not committed when the coordinator crashes; partitions refuse; producers do what producers do (producers.ts).
import { silentLogger } from '../../../broker/base/log.ts'
import { transactionCodec } from '../../../broker/coordinator/transaction/codec.ts'
import { TransactionCoordinator } from '../../../broker/coordinator/transaction/coordinator.ts'
import { TransactionShard, type LoadedShard } from '../../../broker/coordinator/transaction/shard.ts'
import type { TransactionRecord } from '../../../broker/coordinator/transaction/state.ts'
import { Shard } from '../../../broker/coordinator/shard.ts'
import type { Journal } from '../../../broker/machine/journal.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import type { MarkerWriter } from '../../../broker/replication/transactions.ts'
import { Dice } from '../dice.ts'
import { SimulatedPartitions } from './partitions.ts'
import { VirtualClock } from './virtual-clock.ts'

export const TOPIC = 'orders'
export const PARTITIONS = 3

type Bytes = { readonly key: Buffer; readonly value: Buffer | null }

/** Ways to break the coordinator, to see that the invariants notice. */
export type Sabotage = {
  /** The machine as the shard gets it. */
  readonly machine?: (machine: TransactionShard) => TransactionShard
  readonly writer?: (writer: MarkerWriter) => MarkerWriter
  /** What a decision emits, before it is replayed and written. */
  readonly journal?: (journal: Journal<TransactionRecord>) => Journal<TransactionRecord>
}

export class World {
  readonly clock = new VirtualClock()
  readonly dice: Dice
  readonly partitions: SimulatedPartitions
  readonly coordinator: TransactionCoordinator
  /** Batches of the log that are committed. */
  readonly committed: Bytes[][] = []
  /** Crashes the coordinator when this many batches are committed; for tests of one crash. */
  crashAt = -1
  crashes = 0
  onCrash: () => void = () => {}
  readonly #sabotage: Sabotage
  #shard: LoadedShard | null = null
  #epoch = 0
  #nextProducerId = 1000

  constructor(seed: number, sabotage: Sabotage = {}) {
    this.dice = new Dice(seed)
    this.#sabotage = sabotage
    const names = Array.from({ length: PARTITIONS }, (_, index) => `${TOPIC}-${index}`)
    this.partitions = new SimulatedPartitions(this.clock, this.dice, names)
    this.coordinator = new TransactionCoordinator({
      clock: this.clock,
      log: silentLogger,
      settings: {
        idExpirationMs: 3_600_000,
        abortIntervalMs: 200,
        forgetIntervalMs: 600_000,
        addRetryMaxMs: 100,
        commitTimeoutMs: 1000,
      },
      shards: {
        find: () => this.#found(),
        idle: () => Promise.resolve(),
        all: () => (this.#shard === null ? [] : [this.#shard])[Symbol.iterator]() as Generator<LoadedShard>,
      },
      nextProducerId: async () => {
        await this.clock.sleep(this.dice.below(3))
        return this.dice.fails(0.05)
          ? { errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS }
          : { producerId: this.#nextProducerId++ }
      },
    })
  }

  /** Where the log ends as of now, decoded. */
  records(): TransactionRecord[] {
    return this.committed.flat().map(({ key, value }) => transactionCodec.decode(key, value, null)!)
  }

  /** A coordinator takes over in the next epoch, from what is committed. */
  async start(): Promise<void> {
    const coordinatorEpoch = this.#epoch++
    const writer = this.#sabotage.writer?.(this.partitions) ?? this.partitions
    const machine = new TransactionShard({
      clock: this.clock,
      log: silentLogger,
      coordinatorEpoch,
      writer,
      exists: () => true,
    })
    const journal = this.#journal()
    const shard: LoadedShard = new Shard({
      clock: this.clock,
      log: silentLogger,
      topicName: '__transaction_state',
      partition: 0,
      machine: this.#sabotage.machine?.(machine) ?? machine,
      journal: () => this.#sabotage.journal?.(journal) ?? journal,
      refusal: () => (this.dice.fails(0.02) ? ErrorCode.NOT_ENOUGH_REPLICAS : ErrorCode.NONE),
      commitTimeoutMs: 1000,
    })
    this.#shard = shard
    await shard.load()
  }

  /** The coordinator is gone; what it had not committed is kept or lost, in order. */
  crash(): void {
    this.crashes++
    this.#shard?.close()
    this.#shard = null
    this.#cut()
    this.onCrash()
  }

  /** What the crash does to appends in flight. */
  #cut: () => void = () => {}

  #found(): LoadedShard | ErrorCode {
    const shard = this.#shard
    if (shard === null) return ErrorCode.NOT_COORDINATOR
    return shard.errorCode === ErrorCode.NONE ? shard : shard.errorCode
  }

  #journal(): Journal<TransactionRecord> {
    const { clock, dice, committed } = this
    const records = (): TransactionRecord[] => this.records()
    const pending: { batch: Bytes[]; resolve: () => void; reject: (error: Error) => void }[] = []
    let isBroken = false
    let isOver = false
    const fail = (): void => {
      isBroken = true
      // The log took a prefix of what was asked, and nobody knows of which length.
      const kept = dice.below(pending.length + 1)
      for (const [at, { batch, reject }] of pending.splice(0).entries()) {
        if (at < kept && batch.length > 0) committed.push(batch)
        reject(new Error('the log has failed'))
      }
    }
    const commitNext = (): void => {
      const next = pending.shift()
      if (next === undefined || isOver) return
      if (next.batch.length > 0) committed.push(next.batch)
      next.resolve()
      if (committed.length !== this.crashAt) return
      this.crashAt = -1
      this.crash()
    }
    this.#cut = () => {
      fail()
      isOver = true
    }
    return {
      append: records => {
        if (isBroken || isOver) return Promise.reject(new Error('replay first'))
        const batch = records.map(record => transactionCodec.encode(record) as Bytes)
        return new Promise((resolve, reject) => {
          pending.push({ batch, resolve, reject })
          clock.after(1 + dice.below(3), () => {
            if (dice.fails(0.01)) fail()
            else commitNext()
          })
        })
      },
      async replay(onRecord) {
        await clock.sleep(dice.below(20))
        if (isOver) throw new Error('the coordinator is gone')
        pending.length = 0
        isBroken = false
        for (const record of records()) onRecord(record)
      },
    }
  }
}
