// What the members of groups of both Node programs report, as events between the answers.
import { described, encode, write } from './lines.mjs'

/** The partitions that a member has; `become` reports what that changes. */
export class Assignment {
  #current = new Map()

  /** `topics`: [topic, partitions] each; what goes is reported before what comes. */
  become(topics) {
    const next = new Map(topics.flatMap(([topic, ids]) => ids.map(id => [`${topic}-${id}`, { topic, partition: id }])))
    const revoked = [...this.#current].flatMap(([name, partition]) => (next.has(name) ? [] : [partition]))
    const assigned = [...next].flatMap(([name, partition]) => (this.#current.has(name) ? [] : [partition]))
    this.#current = next
    if (revoked.length > 0) write({ event: 'revoked', partitions: revoked })
    return assigned
  }

  /** The same after a rebalance: a member is also told when that brought nothing. */
  rejoin(topics) {
    write({ event: 'assigned', partitions: this.become(topics) })
  }

  has(topic, partition) {
    return this.#current.has(`${topic}-${partition}`)
  }
}

export function reportRecord(topic, partition, { offset, value }) {
  write({ event: 'records', records: [{ topic, partition, offset: Number(offset), value: encode(value) }] })
}

export function reportError(error, codeOf) {
  write({ event: 'error', error: described(error, codeOf) })
}
