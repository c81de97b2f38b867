// An immutable map with string keys for the big tables of the metadata image: `with` and `without` give another map that shares nearly
// everything with this one. A hash array of fixed depth, two levels of 64 and a bucket, so a change copies two arrays of 64 and a few
// entries, and `get` is a hash and two or three steps. Up to some hundred thousand keys that is all that is needed (docs/metadata.md).

const BITS = 6
const WIDTH = 1 << BITS
const MASK = WIDTH - 1

/** Whoever builds a map in many steps, alone, passes one of these: what was made under it is changed in place. */
export type Edit = { readonly kind: 'edit' }

type Entry<V> = { readonly hash: number; readonly key: string; readonly value: V }
type Bucket<V> = readonly Entry<V>[]
type Node<V> = { readonly buckets: (Bucket<V> | undefined)[]; readonly edit: Edit | null }

export class ShardedMap<V> implements ReadonlyMap<string, V> {
  readonly size: number
  readonly #nodes: (Node<V> | undefined)[]
  readonly #edit: Edit | null

  private constructor(nodes: (Node<V> | undefined)[], size: number, edit: Edit | null) {
    this.#nodes = nodes
    this.size = size
    this.#edit = edit
  }

  static empty<V>(): ShardedMap<V> {
    return new ShardedMap<V>(new Array<Node<V> | undefined>(WIDTH).fill(undefined), 0, null)
  }

  get(key: string): V | undefined {
    const hash = hashOf(key)
    const bucket = this.#nodes[hash & MASK]?.buckets[(hash >>> BITS) & MASK]
    if (bucket === undefined) return undefined
    for (const entry of bucket) if (entry.hash === hash && entry.key === key) return entry.value
    return undefined
  }

  has(key: string): boolean {
    return this.get(key) !== undefined
  }

  /** This map with one entry set. With `edit`, maps got under the same edit become this one: keep only the last. */
  with(key: string, value: V, edit: Edit | null = null): ShardedMap<V> {
    const hash = hashOf(key)
    const bucket = this.#nodes[hash & MASK]?.buckets[(hash >>> BITS) & MASK] ?? []
    const at = indexIn(bucket, hash, key)
    const changed = bucket.slice()
    changed[at < 0 ? bucket.length : at] = { hash, key, value }
    return this.#replace(hash, changed, at < 0 ? this.size + 1 : this.size, edit)
  }

  /** This map without one entry; itself when there is no such entry. */
  without(key: string, edit: Edit | null = null): ShardedMap<V> {
    const hash = hashOf(key)
    const bucket = this.#nodes[hash & MASK]?.buckets[(hash >>> BITS) & MASK] ?? []
    const at = indexIn(bucket, hash, key)
    if (at < 0) return this
    const changed = bucket.slice()
    changed.splice(at, 1)
    return this.#replace(hash, changed.length === 0 ? undefined : changed, this.size - 1, edit)
  }

  #replace(hash: number, bucket: Bucket<V> | undefined, size: number, edit: Edit | null): ShardedMap<V> {
    const at = hash & MASK
    const node = own(this.#nodes[at], edit)
    node.buckets[(hash >>> BITS) & MASK] = bucket
    const nodes = edit !== null && edit === this.#edit ? this.#nodes : this.#nodes.slice()
    nodes[at] = node
    return new ShardedMap(nodes, size, edit)
  }

  *entries(): MapIterator<[string, V]> {
    for (const node of this.#nodes) {
      if (node === undefined) continue
      for (const bucket of node.buckets)
        if (bucket !== undefined) for (const { key, value } of bucket) yield [key, value]
    }
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries()
  }

  forEach(visit: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this)
  }
}

function own<V>(node: Node<V> | undefined, edit: Edit | null): Node<V> {
  if (node === undefined) return { buckets: new Array<Bucket<V> | undefined>(WIDTH).fill(undefined), edit }
  return edit !== null && node.edit === edit ? node : { buckets: node.buckets.slice(), edit }
}

function indexIn<V>(bucket: Bucket<V>, hash: number, key: string): number {
  return bucket.findIndex(entry => entry.hash === hash && entry.key === key)
}

// FNV-1a over the whole key, mixed: topic names differ at the end, in the middle or at the start.
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return hash ^ (hash >>> 15)
}
