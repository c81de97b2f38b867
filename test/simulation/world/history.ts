// What clients were told, and what must be true of it:
// - what was read at an offset below the high watermark is there for ever, and is the same for everybody;
// - a record whose append was acknowledged is at that offset;
// - nothing is read that was not sent, nothing that was refused for good;
// - a record of an idempotent producer is there once, and those of one producer are in their order.
// At the end, with all faults over, every acknowledged record is read.
import { ok } from 'node:assert/strict'

type State = 'pending' | 'acked' | 'unknown' | 'refused'

type Sent = {
  readonly value: string
  readonly producer: string
  /** Grows by one with each record of this producer in this partition. */
  readonly number: number
  readonly isIdempotent: boolean
  state: State
  offset: number
}

class PartitionHistory {
  readonly name: string
  readonly sent = new Map<string, Sent>()
  readonly read = new Map<number, string>()
  readonly ackedAt = new Map<number, Sent>()
  readonly readAt = new Map<string, number>()
  /** The end of what anybody has read. */
  readEnd = 0
  ackedEnd = 0

  constructor(name: string) {
    this.name = name
  }
}

export class History {
  /** By `topicId-partition`. */
  readonly partitions = new Map<string, PartitionHistory>()
  /** What was deleted, or may have been: nothing is expected of it. */
  readonly gone = new Set<string>()
  acked = 0
  reads = 0

  partition(topicId: string, partition: number): PartitionHistory {
    const key = `${topicId}-${partition}`
    let found = this.partitions.get(key)
    if (found === undefined) this.partitions.set(key, (found = new PartitionHistory(key)))
    return found
  }

  sends(place: PartitionHistory, value: string, producer: string, number: number, isIdempotent: boolean): Sent {
    const sent: Sent = { value, producer, number, isIdempotent, state: 'pending', offset: -1 }
    place.sent.set(value, sent)
    return sent
  }

  acks(place: PartitionHistory, sent: Sent, offset: number): void {
    ok(sent.state === 'pending', `${place.name}: ${sent.value} is acknowledged although it is ${sent.state}`)
    sent.state = 'acked'
    sent.offset = offset
    this.acked++
    // A duplicate's offset may have been forgotten.
    if (offset < 0) return
    const other = place.ackedAt.get(offset)
    ok(
      other === undefined,
      `${place.name}: ${sent.value} and ${other?.value} are both acknowledged at offset ${offset}`,
    )
    place.ackedAt.set(offset, sent)
    place.ackedEnd = Math.max(place.ackedEnd, offset + 1)
    const read = place.read.get(offset)
    ok(
      read === undefined || read === sent.value,
      `${place.name}: ${sent.value} is acknowledged at offset ${offset}, where ${read} was read`,
    )
  }

  readsAt(place: PartitionHistory, offset: number, value: string): void {
    this.reads++
    const known = place.read.get(offset)
    if (known !== undefined) {
      ok(known === value, `${place.name}: offset ${offset} is ${value}, and was ${known}`)
      return
    }
    const sent = place.sent.get(value)
    ok(sent !== undefined, `${place.name}: offset ${offset} is ${value}, which nobody sent`)
    ok(sent.state !== 'refused', `${place.name}: ${value} was refused, and is at offset ${offset}`)
    const acked = place.ackedAt.get(offset)
    ok(
      acked === undefined || acked.value === value,
      `${place.name}: offset ${offset} is ${value}, and ${acked?.value} was acknowledged there`,
    )
    place.read.set(offset, value)
    place.readEnd = Math.max(place.readEnd, offset + 1)
    const before = place.readAt.get(value)
    place.readAt.set(value, offset)
    if (!sent.isIdempotent) return
    ok(before === undefined, `${place.name}: ${value} is at offset ${before} and at ${offset}`)
  }

  /** All of a partition was read, from its start to its end. */
  checkWhole(place: PartitionHistory, values: readonly string[]): void {
    const last = new Map<string, number>()
    for (const [offset, value] of values.entries()) {
      this.readsAt(place, offset, value)
      const sent = place.sent.get(value)!
      if (!sent.isIdempotent) continue
      const before = last.get(sent.producer) ?? -1
      ok(sent.number > before, `${place.name}: ${value} comes after number ${before} of its producer`)
      last.set(sent.producer, sent.number)
    }
    ok(place.readEnd <= values.length, `${place.name} ends at ${values.length}, and was read up to ${place.readEnd}`)
    for (const sent of place.sent.values()) {
      if (sent.state !== 'acked') continue
      if (sent.offset >= 0) {
        const found = values[sent.offset]
        ok(found === sent.value, `${place.name}: ${sent.value} is lost: offset ${sent.offset} is ${found}`)
      } else ok(place.readAt.has(sent.value), `${place.name}: ${sent.value} is lost`)
    }
  }
}

export type { PartitionHistory, Sent }
