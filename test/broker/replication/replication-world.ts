// Three brokers in one process: the real replicas, leaders, followers, fetchers, fetch handler and logs, on disks that lose power. The controller is
// a script over the real decide functions; views of the metadata, fetches and requests to the controller are delayed, lost or answered in
// vain. Everything follows from the seed.
import { equal } from 'node:assert/strict'
import { fetch as fetchHandler } from '../../../broker/api/fetch.ts'
import type { Call } from '../../../broker/api/handler.ts'
import { ConnectionLost } from '../../../broker/client/connection.ts'
import type { ControllerChannel } from '../../../broker/client/controller-channel.ts'
import { alterPartitions } from '../../../broker/metadata/alter-partition.ts'
import { registerBroker, setFenced } from '../../../broker/metadata/brokers.ts'
import { electLeaders, ElectionType } from '../../../broker/metadata/elections.ts'
import { type MetadataImage } from '../../../broker/metadata/image.ts'
import type { MetadataRecord } from '../../../broker/metadata/records.ts'
import { decodeRequest, decodeResponse } from '../../../broker/protocol/compile.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import {
  encodeRequest,
  encodeResponse,
  readRequestHeader,
  readResponseHeader,
} from '../../../broker/protocol/header.ts'
import { AlterPartition } from '../../../broker/protocol/messages/alter-partition.ts'
import { Fetch } from '../../../broker/protocol/messages/fetch.ts'
import type { Api, RequestInit, RequestOf, ResponseOf } from '../../../broker/protocol/schema.ts'
import { buildBatch } from '../../../broker/records/batch.ts'
import { eachBatch, sizeOf } from '../../../broker/records/batch.ts'
import { readRecords } from '../../../broker/records/record.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { manualClock, type ManualClock } from '../../manual-clock.ts'
import { seededNumbers } from '../../seeded.ts'
import { created, decide, imageOf } from '../metadata/images.ts'
import { DATA, delayedStore, openDirectory, TOPIC } from '../storage/log-fixture.ts'
import { Life, Machine } from './replica-machine.ts'

export const BROKERS = [1, 2, 3]
const PARTITIONS = 2
const TOPIC_ID = TOPIC

export class ReplicationWorld {
  readonly clock: ManualClock = manualClock()
  readonly dice: () => number
  readonly machines = new Map(BROKERS.map(id => [id, new Machine()]))
  /** What the controller knows. */
  truth: MetadataImage
  readonly past: MetadataImage[] = []
  /** By partition and offset: what was ever below somebody's high watermark. */
  readonly committed: Map<number, string>[] = Array.from({ length: PARTITIONS }, () => new Map<number, string>())
  readonly acknowledged: { partition: number; offset: number; value: string }[] = []
  hasFaults = true
  /** Counts what a run has been through, so that a test can tell that it was no idle one. */
  readonly seen = { crashes: 0, elections: 0, cuts: 0 }
  #starts = 0
  #values = 0

  constructor(seed: number) {
    this.dice = seededNumbers(seed)
    const minIsr = String(1 + this.below(2))
    const assignments = [
      [1, 2, 3],
      [2, 3, 1],
    ].slice(0, PARTITIONS)
    this.truth = imageOf()
    for (const id of BROKERS) this.#register(id)
    const image = this.truth
    this.truth = decide(image, (_, emit) =>
      emit({
        ...created('orders', assignments, { 'min.insync.replicas': minIsr }),
        topicId: TOPIC_ID,
      } as MetadataRecord),
    ).image
  }

  below(limit: number): number {
    return Math.floor(this.dice() * limit)
  }

  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  change(run: Parameters<typeof decide>[1]): unknown {
    this.past.push(this.truth)
    const decided = decide(this.truth, run)
    this.truth = decided.image
    return decided.answer
  }

  #register(brokerId: number): number {
    const listeners = [{ name: 'PLAINTEXT', host: 'h', port: brokerId, securityProtocol: 'PLAINTEXT' }]
    const registration = {
      brokerId,
      incarnation: `start ${++this.#starts}`,
      directoryId: `directory-${brokerId}`,
      rack: null,
      listeners,
      isFenced: false,
      previousBrokerEpoch: -1,
    }
    const answer = this.change((image, emit) => registerBroker(image, registration, () => false, emit))
    return (answer as { brokerEpoch: number }).brokerEpoch
  }

  async start(brokerId: number): Promise<void> {
    const machine = this.machines.get(brokerId)!
    machine.power.restore()
    const { files } = machine
    await files.makeFolder(DATA)
    await files.syncFolder('/')
    const disk = await machine.disk.open()
    machine.isSlow = false
    const store = delayedStore(disk, method => (method === 'commit' ? this.#diskTurn(machine) : Promise.resolve()))
    const logs = await openDirectory({ store, files, clock: this.clock, limits: { producerIdExpirationMs: Infinity } })
    const life = new Life(this, brokerId, logs)
    machine.life = life
    machine.isSlow = true
    life.brokerEpoch = this.#register(brokerId)
    life.see(this.truth, brokerId)
  }

  #diskTurn(machine: Machine): Promise<void> {
    return new Promise(resolve => {
      if (machine.isSlow && this.hasFaults) this.clock.after(this.below(30), resolve)
      else resolve()
    })
  }

  async crash(brokerId: number): Promise<void> {
    const machine = this.machines.get(brokerId)!
    if (machine.life === null) return
    this.seen.crashes++
    machine.life.die()
    machine.life = null
    machine.power.cut()
    await settled()
    machine.files.crash(this.below(2) === 0 ? undefined : this.dice)
    await machine.disk.crash(this.below(2) === 0 ? undefined : this.dice)
  }

  produce(): void {
    const leaders = [...this.machines.values()].flatMap(({ life }) =>
      life === null ? [] : [...life.replicas.leaders()],
    )
    if (leaders.length === 0) return
    const leader = this.of(leaders)
    const value = `value ${++this.#values}`
    const batch = buildBatch({ records: [{ timestamp: 1, key: null, value: Buffer.from(value) }] })
    const { errorCode, baseOffset, endOffset, stored } = leader.appendOwn(batch)
    if (errorCode !== ErrorCode.NONE) return
    const wait = async (): Promise<void> => {
      await stored
      const outcome = await leader.committed(endOffset, 5000)
      if (outcome !== ErrorCode.NONE) return
      this.acknowledged.push({ partition: leader.log.partition, offset: baseOffset, value })
    }
    // The disk fails with its power.
    wait().catch(() => {})
  }

  fence(brokerId: number, isFenced: boolean): void {
    const broker = this.truth.brokers.get(brokerId)!
    if (broker.isFenced === isFenced) return
    this.seen.elections++
    this.change((image, emit) => setFenced(image, brokerId, broker.brokerEpoch, isFenced, emit))
  }

  prefer(): void {
    const wanted = [{ topic: 'orders', partitions: [0, 1] }]
    this.change((image, emit) => electLeaders(image, ElectionType.PREFERRED, wanted, emit))
  }

  look(brokerId: number): void {
    const recent = this.past.slice(-4)
    const image = this.hasFaults && recent.length > 0 && this.below(3) === 0 ? this.of(recent) : this.truth
    this.machines.get(brokerId)!.life?.see(image, brokerId)
  }

  delay(life: Life, mostMs: number): Promise<void> {
    return new Promise(resolve => void life.clock.after(this.below(mostMs), resolve))
  }

  peer(life: Life, leaderId: number) {
    let isClosed = false
    let abort: (() => void) | null = null
    const lost = (): never => {
      throw new ConnectionLost('lost')
    }
    const ask = async (body: RequestInit<typeof Fetch>): Promise<ResponseOf<typeof Fetch>> => {
      await this.delay(life, 5)
      const target = this.machines.get(leaderId)!.life
      if (target === null || isClosed || (this.hasFaults && this.below(20) === 0)) return lost()
      const controller = new AbortController()
      const broken = new Promise<never>((_, reject) => {
        abort = () => {
          controller.abort()
          reject(new ConnectionLost('closed'))
        }
      })
      broken.catch(() => {})
      const answer = await Promise.race([this.#serve(target, body, controller.signal), broken])
      await Promise.race([this.delay(life, 5), broken])
      if (target.isDead || (this.hasFaults && this.below(20) === 0)) return lost()
      return answer
    }
    return {
      brokerId: leaderId,
      request: (_api: Api, _version: number, body: RequestInit<typeof Fetch>) => ask(body),
      reset: () => abort?.(),
      close: () => {
        isClosed = true
        abort?.()
      },
    }
  }

  async #serve(target: Life, body: RequestInit<typeof Fetch>, signal: AbortSignal) {
    const version = 18
    const call = {
      apiKey: 1,
      apiVersion: version,
      signal,
      reserveResponse: (bytes: number) => bytes,
      connection: { listenerName: 'PLAINTEXT' },
    }
    const response = await fetchHandler.handle(decoded(Fetch, version, body), target.context, call as unknown as Call)
    const answer = Buffer.concat(encodeResponse(Fetch, version, 1, response as never)).subarray(4)
    return decodeResponse(Fetch, version, answer, readResponseHeader(Fetch, version, answer).bodyAt)
  }

  /** AlterPartition over a network that loses requests and answers, and carries requests that were given up later. */
  channel(life: Life): ControllerChannel {
    const request = async (_api: Api, _version: number, init: RequestInit<typeof AlterPartition>): Promise<unknown> => {
      const body = decoded(AlterPartition, 3, init)
      await this.delay(life, 20)
      const fate = this.hasFaults ? this.below(6) : 5
      if (fate === 0) throw new Error('the request is lost')
      const apply = () => this.change((image, emit) => alterPartitions(image, body, emit))
      if (fate === 1) {
        this.clock.after(this.below(3000), apply)
        throw new Error('the request is late')
      }
      const answer = apply()
      await this.delay(life, 20)
      if (fate === 2) throw new Error('the answer is lost')
      return { throttleTimeMs: 0, ...(answer as object) }
    }
    return { request } as unknown as ControllerChannel
  }

  *replicas(): Generator<{ brokerId: number; log: PartitionLog; highWatermark: number }> {
    for (const [brokerId, { life }] of this.machines) {
      if (life === null) continue
      for (const { log, highWatermark } of life.replicas.leaders()) yield { brokerId, log, highWatermark }
      for (const { log, highWatermark } of life.replicas.followers()) yield { brokerId, log, highWatermark }
    }
  }

  /** Whatever is below a high watermark anywhere is the same everywhere, and for ever. */
  async check(): Promise<void> {
    let isDone = false
    const checking = this.#compare().finally(() => {
      isDone = true
    })
    // A read may have to wait for the disk.
    for (;;) {
      await settled()
      if (isDone) break
      this.clock.advance(5)
    }
    await checking
  }

  async #compare(): Promise<void> {
    for (const { brokerId, log, highWatermark } of this.replicas()) {
      const committed = this.committed[log.partition]!
      const values = await valuesOf(log, highWatermark)
      equal(values.size, highWatermark, `broker ${brokerId} has all of ${log.partition} below its high watermark`)
      for (const [offset, value] of values) {
        const known = committed.get(offset)
        if (known === undefined) committed.set(offset, value)
        else equal(value, known, `partition ${log.partition}, offset ${offset} at broker ${brokerId}`)
      }
    }
  }

  async run(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 5) {
      this.clock.advance(5)
      await settled()
    }
  }

  /** Faults end: everybody is back, sees everything, and is in sync. */
  async heal(): Promise<void> {
    this.hasFaults = false
    for (const id of BROKERS) if (this.machines.get(id)!.life === null) await this.start(id)
    for (const id of BROKERS) this.fence(id, false)
    for (let round = 0; round < 40; round++) {
      for (const id of BROKERS) this.look(id)
      await this.run(500)
      const { partitions } = this.truth.topics.get('orders')!
      if (partitions.every(({ isr }) => isr.length === BROKERS.length) && this.#isLevel()) return
    }
    throw new Error(`the replicas do not come together: ${this.#describe()}`)
  }

  #describe(): string {
    const partitions = this.truth.topics.get('orders')!.partitions
    const logs = [...this.replicas()].map(
      ({ brokerId, log, highWatermark }) => `${brokerId}: ${log.partition} ${highWatermark}/${log.endOffset}`,
    )
    return `${JSON.stringify(partitions)} ${logs.join(', ')}`
  }

  #isLevel(): boolean {
    return [...this.replicas()].every(({ log, highWatermark }) => highWatermark === log.endOffset)
  }

  async stop(): Promise<void> {
    for (const { life } of this.machines.values()) life?.die()
    await settled()
  }
}

/** A request as it arrives. */
function decoded<A extends Api>(api: A, version: number, body: RequestInit<A>): RequestOf<A> {
  const frame = Buffer.concat(encodeRequest(api, version, 1, 'a broker', body)).subarray(4)
  return decodeRequest(api, version, frame, readRequestHeader(frame, () => api).bodyAt)
}

/** Everything here goes by promises alone, so all that can happen has happened after a turn. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await new Promise(resolve => setImmediate(resolve))
}

export async function valuesOf(log: PartitionLog, endOffset: number): Promise<Map<number, string>> {
  const values = new Map<number, string>()
  for (let offset = log.logStartOffset; offset < endOffset;) {
    const read = await log.read(offset, { maxBytes: 1e6, endOffset, minOneBatch: true })
    if (typeof read === 'string' || read.length === 0) break
    for (const chunk of read) {
      for (const at of eachBatch(chunk)) {
        for (const record of readRecords(chunk.subarray(at, at + sizeOf(chunk, at)))) {
          values.set(record.offset, record.value!.toString())
          offset = record.offset + 1
        }
      }
    }
  }
  return values
}
