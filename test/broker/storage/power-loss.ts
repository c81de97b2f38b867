// The power-loss check of the partition logs. A script, made from a seed, appends small and large batches to several partitions,
// strict and relaxed, seals, truncates, deletes records, removes and makes partitions, stops cleanly and starts again. It runs on twins of a disk
// whose power goes at a chosen change; then the directory is opened again and every log must be what its ledger (log-ledger.ts) allows:
//
// - a prefix of what was appended, byte for byte, and no offset twice
// - with everything that was acknowledged under a strict flush policy, or that `syncedOffset` claimed
// - with the log start, the leader epochs, the producers and the aborted transactions that belong to exactly these batches
// - and it goes on: more appends, a clean stop, another start.
import { equal, ok } from 'node:assert/strict'
import type { LogConfig } from '../../../broker/config/topic-config.ts'
import { baseOffset } from '../../../broker/records/batch.ts'
import { buildEndTransactionMarker } from '../../../broker/records/control.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { append, batchOf, CONFIG, openDirectory, settled, TOPIC } from './log-fixture.ts'
import { checkLog, emptyLedger, offsetOfBatchWith, promise, type Ledger } from './log-ledger.ts'
import { PowerLossWorld, type Script } from './power-loss-world.ts'

const CONFIGS: readonly LogConfig[] = [
  CONFIG,
  { ...CONFIG, segmentBytes: 2500 },
  { ...CONFIG, segmentBytes: 6000, flushMessages: -1 },
  { ...CONFIG, segmentBytes: 4000, flushMessages: 3, flushMs: 1000 },
  { ...CONFIG, segmentBytes: 900, retentionBytes: 5000 },
]

class World extends PowerLossWorld {
  readonly ledgers = new Map<number, Ledger>()
  readonly #cacheBytes: number
  #seed = 0

  constructor(seed: number, steps: number) {
    super(seed, steps)
    // With one of them what was appended is still at hand when it is moved, with the other it is read back.
    this.#cacheBytes = seed % 2 === 0 ? 1_000_000 : 4096
  }

  protected async openLogs(isCleanStart: boolean): Promise<void> {
    const { store, files, clock } = this
    const limits = { producerIdExpirationMs: Infinity, cacheBytes: this.#cacheBytes }
    this.logs = await openDirectory({ store, files, clock, isCleanStart, limits })
    for (const log of this.logs.logs()) log.configure(CONFIGS[log.partition % CONFIGS.length]!)
  }

  protected begin(): void {
    for (let partition = 0; partition < CONFIGS.length; partition++) this.#create(partition)
  }

  #create(partition: number): PartitionLog {
    this.ledgers.set(partition, emptyLedger())
    return this.logs.create(TOPIC, partition, 'orders', CONFIGS[partition % CONFIGS.length]!)
  }

  protected async step(): Promise<void> {
    const choice = this.pick(100)
    const partition = this.pick(CONFIGS.length)
    const log = this.logs.log(TOPIC, partition) ?? this.#create(partition)
    const ledger = this.ledgers.get(partition)!
    if (choice < 62) await this.#appendSome()
    else if (choice < 66) await log.flush()
    else if (choice < 74) await this.#truncate(log, ledger)
    else if (choice < 75) await this.#restart(log, ledger)
    else if (choice < 80) await this.#deleteRecords(log, ledger)
    else if (choice < 84) await this.#retain()
    else if (choice < 92) await this.#passTime()
    else if (choice < 94) await this.#remove(partition, log, ledger)
    else if (choice < 95) await this.reopen()
    else if (choice < 97) await this.die()
    else await settled()
  }

  protected note(): void {
    for (const log of this.logs.logs()) {
      const ledger = this.ledgers.get(log.partition)!
      promise(ledger, log.syncedOffset)
    }
  }

  async #appendSome(): Promise<void> {
    const waits: Promise<void>[] = []
    for (let count = 1 + this.pick(6); count > 0; count--) {
      const partition = this.pick(CONFIGS.length)
      const log = this.logs.log(TOPIC, partition) ?? this.#create(partition)
      const ledger = this.ledgers.get(partition)!
      if (this.pick(20) === 0) ledger.epoch++
      const size = [20, 100, 400, 700, 2000][this.pick(5)]!
      waits.push(this.append(log, ledger, size))
    }
    // Often the next step begins before these are stored.
    if (this.pick(3) > 0) await Promise.all(waits)
    else for (const wait of waits) wait.catch(() => {})
  }

  append(log: PartitionLog, ledger: Ledger, sizeBytes: number): Promise<void> {
    const seed = this.#seed++
    const producerId = seed % 3 === 0 ? -1 : 10 + (seed % 4)
    const producerEpoch = producerId < 0 ? -1 : Math.floor(seed / 40)
    // Producers 12 and 13 end every third of their transactions' batches with a marker.
    const isTransactional = producerId >= 12
    if (isTransactional && this.pick(3) === 0)
      return this.#appendTo(log, ledger, this.#marker(producerId, producerEpoch))
    const batch = batchOf(sizeBytes, seed, {
      producerId,
      producerEpoch,
      baseSequence: producerId < 0 ? -1 : seed,
      isTransactional,
      records: Array.from({ length: 1 + (seed % 3) }, () => ({
        timestamp: 1000 + seed,
        value: Buffer.alloc(sizeBytes, seed),
      })),
    })
    return this.#appendTo(log, ledger, batch)
  }

  #marker(producerId: number, producerEpoch: number): Buffer {
    const result = this.pick(3) === 0 ? 'commit' : 'abort'
    return buildEndTransactionMarker({
      result,
      coordinatorEpoch: 1,
      producerId,
      producerEpoch,
      timestamp: 1000 + this.#seed,
    })
  }

  #appendTo(log: PartitionLog, ledger: Ledger, batch: Buffer): Promise<void> {
    const stored = append(log, batch, ledger.epoch)
    ledger.batches.push(batch)
    const endOffset = log.endOffset
    const isStrict = CONFIGS[log.partition % CONFIGS.length]!.flushMessages === 1
    return stored.then(() => {
      ledger.mayBeGone = ledger.mayBeGone && !isStrict
      const isThere = ledger.batches.includes(batch)
      if (isStrict && isThere) promise(ledger, endOffset)
    })
  }

  async #truncate(log: PartitionLog, ledger: Ledger): Promise<void> {
    const room = log.endOffset - log.logStartOffset
    if (room === 0) return
    const target = log.logStartOffset + 1 + this.pick(room)
    const cutAt = offsetOfBatchWith(ledger.batches, target)
    const beginsAnew = cutAt < log.logStartOffset
    ledger.ceiling = cutAt
    promise(ledger, 0)
    if (beginsAnew) ledger.restartOffset = target
    await log.truncate(target)
    ledger.ceiling = Infinity
    ok(log.endOffset <= target)
    ledger.batches = ledger.batches.filter(batch => baseOffset(batch, 0) < log.endOffset)
    if (beginsAnew) this.#restarted(log, ledger)
    ledger.epoch++
  }

  async #restart(log: PartitionLog, ledger: Ledger): Promise<void> {
    const target = log.endOffset + this.pick(50)
    ledger.restartOffset = target
    ledger.ceiling = log.logStartOffset
    promise(ledger, 0)
    await log.truncateFullyAndStartAt(target)
    this.#restarted(log, ledger)
  }

  #restarted(log: PartitionLog, ledger: Ledger): void {
    ledger.batches = []
    ledger.restartOffset = null
    ledger.ceiling = Infinity
    ledger.guaranteedOffset = log.endOffset
    ledger.minStartOffset = log.logStartOffset
    ledger.maxStartOffset = log.logStartOffset
    ledger.mayBeGone = false
  }

  async #deleteRecords(log: PartitionLog, ledger: Ledger): Promise<void> {
    const target = log.logStartOffset + this.pick(log.endOffset - log.logStartOffset + 1)
    ledger.maxStartOffset = Math.max(ledger.maxStartOffset, target)
    equal(await log.deleteRecordsBefore(target), target)
    ledger.minStartOffset = target
  }

  async #retain(): Promise<void> {
    await this.#whileStartsMove(() => this.logs.runRetention())
  }

  // Retention has its own times in it.
  async #passTime(): Promise<void> {
    await this.#whileStartsMove(async () => {
      this.clock.advance([500, 2500, 70_000][this.pick(3)]!)
      await settled()
    })
  }

  async #whileStartsMove(work: () => Promise<void>): Promise<void> {
    for (const log of this.logs.logs()) this.ledgers.get(log.partition)!.maxStartOffset = log.endOffset
    await work()
    for (const log of this.logs.logs()) {
      const ledger = this.ledgers.get(log.partition)!
      ledger.minStartOffset = log.logStartOffset
      ledger.maxStartOffset = log.logStartOffset
    }
  }

  async #remove(partition: number, log: PartitionLog, ledger: Ledger): Promise<void> {
    ledger.isRemoved = true
    ledger.ceiling = 0
    promise(ledger, 0)
    const removed = this.logs.remove(TOPIC, partition)
    ok(this.logs.log(TOPIC, partition) === undefined)
    // Made anew at once, sometimes: the removal must not take the new log with it.
    if (this.pick(2) === 0) {
      const next = this.#create(partition)
      const mine = this.ledgers.get(partition)!
      mine.former = ledger
      const stored = this.append(next, mine, 300)
      stored.catch(() => {})
      await removed
      mine.former = null
      await stored
      ok(log !== next)
    } else {
      await removed
      this.ledgers.delete(partition)
    }
  }

  protected override onReopened(): void {
    for (const log of this.logs.logs()) this.ledgers.get(log.partition)!.mayBeGone = false
  }

  async check(): Promise<void> {
    for (const log of this.logs.logs()) {
      const ledger = this.ledgers.get(log.partition)
      ok(ledger !== undefined, `partition ${log.partition} was removed`)
      if (ledger.former === null) await checkLog(log, ledger)
      else await this.#checkEither(log, ledger, ledger.former)
    }
    for (const [partition, ledger] of [...this.ledgers]) {
      if (this.logs.log(TOPIC, partition) !== undefined) continue
      ok(ledger.mayBeGone || ledger.isRemoved, `partition ${partition} is gone`)
      this.ledgers.delete(partition)
    }
  }

  // The removal of the former log is on the disk, or it is not.
  async #checkEither(log: PartitionLog, ledger: Ledger, former: Ledger): Promise<void> {
    try {
      await checkLog(log, ledger)
      ledger.former = null
    } catch {
      await checkLog(log, former)
      this.ledgers.set(log.partition, former)
    }
  }

  async goOn(): Promise<void> {
    for (let partition = 0; partition < CONFIGS.length; partition++) {
      const log = this.logs.log(TOPIC, partition) ?? this.#create(partition)
      const ledger = this.ledgers.get(partition)!
      ledger.epoch++
      for (const size of [30, 800, 2000, 50]) await this.append(log, ledger, size)
    }
    await settled()
    await this.check()
    await this.reopen()
    await this.#noOrphans()
    await this.logs.close()
    await this.store.close()
  }

  async #noOrphans(): Promise<void> {
    await this.logs.close()
    await this.store.close()
    await this.open(true)
    const names = await this.files.list('/data/segments')
    equal(new Set(names.map(name => name.split('.')[1])).size, names.length, 'a file id is used once')
  }
}

/** The script of a seed. */
export const logScript: Script = (seed, steps) => new World(seed, steps)
