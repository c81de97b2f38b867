// What a group's committed offsets may be after a crash. A client changes them one request after the other, each whole or not at all, so
// what is found is what some first part of the requests leaves: at least those that were acknowledged, at most those that were sent.
import { fail, ok } from 'node:assert/strict'

/** Partition -> offset. */
export type Offsets = ReadonlyMap<number, number>

export type Change =
  | { readonly kind: 'commit'; readonly offsets: Offsets }
  | { readonly kind: 'delete'; readonly partitions: readonly number[] }
  | { readonly kind: 'delete-group' }

export class OffsetHistory {
  readonly #groupId: string
  #acknowledged: Offsets = new Map()
  /** Sent and not acknowledged, in their order. */
  #open: Change[] = []

  constructor(groupId: string) {
    this.#groupId = groupId
  }

  /** Notes what is about to be sent. The returned function is called when it was acknowledged. */
  sent(change: Change): () => void {
    this.#open.push(change)
    return () => {
      ok(this.#open[0] === change, 'the requests of a connection are answered in their order')
      this.#open.shift()
      this.#acknowledged = after(this.#acknowledged, change)
    }
  }

  /** Takes what is there after a crash for what was done. Fails when it cannot have come from what was sent. */
  verify(found: Offsets): void {
    let state = this.#acknowledged
    const possible = [state]
    for (const change of this.#open) possible.push((state = after(state, change)))
    if (!possible.some(offsets => isSame(offsets, found))) {
      fail(
        `${this.#groupId} has ${text(found)}; possible are, from the acknowledged one on: ${possible.map(text).join('; ')}`,
      )
    }
    this.#acknowledged = found
    this.#open = []
  }
}

function after(offsets: Offsets, change: Change): Offsets {
  if (change.kind === 'delete-group') return new Map()
  const changed = new Map(offsets)
  if (change.kind === 'delete') for (const partition of change.partitions) changed.delete(partition)
  else for (const [partition, offset] of change.offsets) changed.set(partition, offset)
  return changed
}

function isSame(one: Offsets, other: Offsets): boolean {
  return one.size === other.size && [...one].every(([partition, offset]) => other.get(partition) === offset)
}

function text(offsets: Offsets): string {
  const sorted = [...offsets].sort(([one], [other]) => one - other)
  return `{${sorted.map(([partition, offset]) => `${partition}:${offset}`).join(' ')}}`
}
