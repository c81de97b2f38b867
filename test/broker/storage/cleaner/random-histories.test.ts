// Random histories, cleaned any number of times at any time. What readers may rely on:
// - the newest value of each key does not change, whether they read committed records only or all
// - nothing that is there was not there before, and it has the offset that it had
// - who reads from the start in less than delete.retention.ms ends up with the newest values, deletions included
// - what a broker remembers of producers can be read back from the batches
// Now and then records are deleted from the front, or a broker starts with nothing but the log.
// FLOTILLA_SEED=n runs other histories.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { lastOffset, readHeader } from '../../../../broker/records/batch.ts'
import { readEndTransactionMarker } from '../../../../broker/records/control.ts'
import { ProducerState } from '../../../../broker/storage/producer-state.ts'
import { seededNumbers } from '../../../seeded.ts'
import { History, type Reading } from './history.ts'

const DELETE_RETENTION_MS = 2000
const STEPS = 150
const SEEDS = 30
const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** Reads the log from its start in pieces, and keeps the newest value of each key. */
type Consumer = { startMs: number; position: number; view: Map<string, string> }

class World {
  readonly log = new History()
  readonly #random: () => number
  nowMs = 10_000
  #value = 0
  #sequences = new Map<number, number>()
  // Everything ever appended that was not aborted, by offset.
  readonly truth = new Map<number, Reading>()
  #open = new Map<number, Reading[]>()
  consumers: Consumer[] = []

  constructor(seed: number) {
    this.#random = seededNumbers(seed)
  }

  pick(count: number): number {
    return Math.floor(this.#random() * count)
  }

  step(): void {
    this.nowMs += this.pick(120)
    const choice = this.pick(100)
    if (choice < 18) this.#put(-1)
    else if (choice < 28) this.#put(1 + this.pick(3))
    else if (choice < 40) this.#put(11 + this.pick(3))
    else if (choice < 50) this.#end(11 + this.pick(3))
    else if (choice < 53) this.#expire()
    else if (choice < 55) this.#restart()
    else if (choice < 58) this.#deleteRecords()
    else if (choice < 78) this.consume()
    else this.#clean()
  }

  // Producers from 11 on are transactional.
  #put(producerId: number): void {
    const { log } = this
    const texts = Array.from({ length: 1 + this.pick(4) }, () => {
      const key = `key-${this.pick(12)}`
      return this.pick(4) === 0 ? key : `${key}=${this.#value++}`
    })
    const base = log.endOffset
    const baseSequence = producerId < 0 ? -1 : (this.#sequences.get(producerId) ?? 0)
    if (producerId >= 0) this.#sequences.set(producerId, baseSequence + texts.length)
    const isTransactional = producerId > 10
    const producerEpoch = producerId < 0 ? -1 : 0
    const compression = COMPRESSIONS[this.pick(COMPRESSIONS.length)]!
    log.put(texts, { producerId, producerEpoch, baseSequence, isTransactional, compression }, this.nowMs)
    const readings = texts.map((text, at): Reading => {
      const [key, value] = text.split('=')
      return { offset: base + at, key: key!, value: value ?? null }
    })
    if (!isTransactional) for (const reading of readings) this.truth.set(reading.offset, reading)
    else this.#open.set(producerId, [...(this.#open.get(producerId) ?? []), ...readings])
  }

  #end(producerId: number): void {
    const readings = this.#open.get(producerId)
    if (readings === undefined) return
    this.#open.delete(producerId)
    const result = this.pick(2) === 0 ? 'commit' : 'abort'
    this.log.end(producerId, 0, result, this.nowMs)
    if (result === 'commit') for (const reading of readings) this.truth.set(reading.offset, reading)
  }

  #expire(): void {
    for (const { producerId } of [...this.log.producers.entries()]) {
      if (this.pick(3) === 0) this.#sequences.delete(producerId)
    }
    this.log.producers.expire(this.nowMs, 800)
  }

  // Producers of which nothing is left begin anew.
  #restart(): void {
    this.log.restart()
    for (const producerId of this.#sequences.keys())
      if (this.log.producers.get(producerId) === undefined) this.#sequences.delete(producerId)
  }

  // Up to the last stable offset; whole segments may go with it, or all stay.
  #deleteRecords(): void {
    const { log } = this
    const { logStartOffset: start } = log
    const offset = start + this.pick(Math.ceil((log.stableOffset - start) / 3) + 1)
    log.deleteBefore(offset, this.pick(offset + 1))
    this.consumers = []
  }

  #clean(): void {
    const roundEnd = this.pick(3) === 0 ? this.#batchEnd() : this.log.stableOffset
    const before = { committed: this.log.read('read_committed'), all: this.log.read('read_uncommitted') }
    const mapBytes = [72, 240, 960, 100_000][this.pick(4)]!
    this.log.clean(this.nowMs, { roundEnd, mapBytes, deleteRetentionMs: DELETE_RETENTION_MS })
    subset(this.log.read('read_committed'), before.committed)
    subset(this.log.read('read_uncommitted'), before.all)
  }

  // Somewhere in the part that may be cleaned.
  #batchEnd(): number {
    const ends = this.log.batches.map(batch => lastOffset(batch, 0) + 1).filter(end => end <= this.log.stableOffset)
    return ends[this.pick(ends.length)] ?? 0
  }

  consume(): void {
    if (this.consumers.length < 3) this.consumers.push({ startMs: this.nowMs, position: 0, view: new Map() })
    const consumer = this.consumers[this.pick(this.consumers.length)]!
    const isLate = this.nowMs - consumer.startMs >= DELETE_RETENTION_MS
    const records = this.log.read('read_committed', consumer.position)
    const isAll = this.pick(3) === 0
    for (const record of isAll ? records : records.slice(0, this.pick(records.length + 1))) {
      note(consumer.view, record)
      consumer.position = record.offset + 1
    }
    if (!isAll && !isLate) return
    this.consumers.splice(this.consumers.indexOf(consumer), 1)
    if (!isLate) deepEqual(sorted(consumer.view), sorted(this.newest(this.log.stableOffset)), 'a consumer in time sees the newest') // prettier-ignore
  }

  newest(endOffset: number): Map<string, string> {
    const newest = new Map<string, string>()
    const offsets = [...this.truth.keys()].sort((a, b) => a - b)
    for (const offset of offsets)
      if (offset >= this.log.logStartOffset && offset < endOffset) note(newest, this.truth.get(offset)!)
    return newest
  }

  check(): void {
    const { log } = this
    const committed = viewOf(log.read('read_committed'))
    deepEqual(sorted(committed), sorted(this.newest(log.stableOffset)), 'what read_committed sees')
    const decided = log.read('read_uncommitted').filter(({ offset }) => this.truth.has(offset))
    deepEqual(sorted(viewOf(decided)), sorted(this.newest(log.endOffset)), 'what read_uncommitted sees')
    for (const record of decided) deepEqual(record, this.truth.get(record.offset))
    let end = 0
    for (const batch of log.batches) {
      ok(readHeader(batch).baseOffset >= end, 'offsets grow')
      end = lastOffset(batch, 0) + 1
    }
    equal(end, log.endOffset, 'the end of the log can be seen')
    this.#checkProducers()
  }

  #checkProducers(): void {
    const found = new ProducerState()
    for (const batch of this.log.batches) found.apply(readHeader(batch), readEndTransactionMarker(batch))
    for (const known of this.log.producers.entries()) {
      // What was deleted tells nothing any more.
      if ((known.batches.at(-1)?.lastOffset ?? -1) < this.log.logStartOffset) continue
      const entry = found.get(known.producerId)
      equal(entry?.producerEpoch, known.producerEpoch)
      equal(entry?.batches.at(-1)?.lastSequence, known.batches.at(-1)?.lastSequence)
      equal(entry?.currentTransactionStartOffset === -1, known.currentTransactionStartOffset === -1)
    }
    for (const entry of found.entries())
      if (entry.currentTransactionStartOffset >= 0)
        ok(this.log.producers.get(entry.producerId)!.currentTransactionStartOffset >= 0, 'no transaction opens again')
  }
}

function note(view: Map<string, string>, { key, value }: Reading): void {
  if (value === null) view.delete(key!)
  else view.set(key!, value)
}

function viewOf(records: readonly Reading[]): Map<string, string> {
  const view = new Map<string, string>()
  for (const record of records) note(view, record)
  return view
}

function sorted(view: ReadonlyMap<string, string>): [string, string][] {
  return [...view].sort(([a], [b]) => (a < b ? -1 : 1))
}

function subset(after: readonly Reading[], before: readonly Reading[]): void {
  const was = new Map(before.map(record => [record.offset, record]))
  for (const record of after) deepEqual(record, was.get(record.offset))
}

const first = Number(process.env['FLOTILLA_SEED'] ?? 1)

test('readers of a random history do not notice how often it is cleaned', () => {
  for (let seed = first; seed < first + SEEDS; seed++) {
    const world = new World(seed)
    try {
      for (let step = 0; step < STEPS; step++) {
        world.step()
        if (step % 5 === 4) world.check()
      }
    } catch (cause) {
      throw new Error(`FLOTILLA_SEED=${seed}`, { cause })
    }
  }
})
