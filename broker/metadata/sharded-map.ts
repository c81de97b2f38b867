// An immutable map with string keys for the two big tables of the metadata image. `with` and `without` give another map that shares
// all shards but one, so a change costs a few microseconds whatever the size, and `get` is nearly that of a Map. A hash array mapped
// trie would scale further; up to a hundred thousand topics this is faster and forty lines (docs/metadata.md has the numbers).

const SHARDS = 512

/** Whoever builds a map in many steps, alone, passes one of these: shards made under it are changed in place. */
export type Edit = { readonly kind: 'edit' }

type Shard<V> = { readonly entries: Map<string, V>; readonly edit: Edit | null }

export class ShardedMap<V> implements ReadonlyMap<string, V> {
  readonly #shards: (Shard<V> | undefined)[]
  readonly size: number
  readonly #edit: Edit | null

  private constructor(shards: (Shard<V> | undefined)[], size: number, edit: Edit | null) {
    this.#shards = shards
    this.size = size
    this.#edit = edit
  }

  static empty<V>(): ShardedMap<V> {
    return new ShardedMap<V>(new Array<Shard<V> | undefined>(SHARDS).fill(undefined), 0, null)
  }

  get(key: string): V | undefined {
    return this.#shards[shardOf(key)]?.entries.get(key)
  }

  has(key: string): boolean {
    return this.#shards[shardOf(key)]?.entries.has(key) ?? false
  }

  /** This map with one entry set. With `edit`, maps got under the same edit become this one: keep only the last. */
  with(key: string, value: V, edit: Edit | null = null): ShardedMap<V> {
    const at = shardOf(key)
    const shard = this.#shards[at]
    const size = shard?.entries.has(key) ? this.size : this.size + 1
    return this.#replace(at, own(shard, edit), size, edit, entries => entries.set(key, value))
  }

  /** This map without one entry; itself when there is no such entry. */
  without(key: string, edit: Edit | null = null): ShardedMap<V> {
    const at = shardOf(key)
    const shard = this.#shards[at]
    if (shard === undefined || !shard.entries.has(key)) return this
    return this.#replace(at, own(shard, edit), this.size - 1, edit, entries => entries.delete(key))
  }

  #replace(
    at: number,
    shard: Shard<V>,
    size: number,
    edit: Edit | null,
    change: (entries: Map<string, V>) => void,
  ): ShardedMap<V> {
    change(shard.entries)
    const shards = edit !== null && edit === this.#edit ? this.#shards : this.#shards.slice()
    shards[at] = shard
    return new ShardedMap(shards, size, edit)
  }

  *entries(): MapIterator<[string, V]> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.entries
  }

  *keys(): MapIterator<string> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.entries.keys()
  }

  *values(): MapIterator<V> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.entries.values()
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries()
  }

  forEach(visit: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) visit(value, key, this)
  }
}

function own<V>(shard: Shard<V> | undefined, edit: Edit | null): Shard<V> {
  if (shard === undefined) return { entries: new Map(), edit }
  if (edit !== null && shard.edit === edit) return shard
  return { entries: new Map(shard.entries), edit }
}

// FNV-1a over the whole key: topic names differ at the end, in the middle or at the start.
function shardOf(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return (hash ^ (hash >>> 16)) & (SHARDS - 1)
}
