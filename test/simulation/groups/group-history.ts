// What members and the coordinator have said to each other, and what must be true of it: in a generation every partition has one owner,
// generations that were assigned only grow, and a group's offset is what was committed last.
import { deepEqual, ok } from 'node:assert/strict'

type Commit = { readonly value: number; outcome: 'pending' | 'kept' | 'unknown' | 'refused' }

export class GroupHistory {
  readonly #owners = new Map<string, string>()
  readonly #commits = new Map<number, Commit[]>()
  #lastGeneration = 0
  assignments = 0
  fetches = 0

  /** A SyncGroup was answered. `owner` is the instance of a static member, which may have several ids in a generation. */
  assigned(generation: number, owner: string, partitions: readonly number[]): void {
    ok(generation >= this.#lastGeneration, `generation ${generation} was assigned after ${this.#lastGeneration}`)
    this.#lastGeneration = generation
    for (const partition of partitions) {
      const place = `${generation} ${partition}`
      const before = this.#owners.get(place)
      ok(
        before === undefined || before === owner,
        `partition ${partition} belongs to ${before} and ${owner} in generation ${generation}`,
      )
      this.#owners.set(place, owner)
      this.assignments++
    }
  }

  /** An OffsetCommit is decided; call what is returned with its outcome. */
  commits(partition: number, value: number): (outcome: 'kept' | 'unknown' | 'refused') => void {
    const commit: Commit = { value, outcome: 'pending' }
    const known = this.#commits.get(partition)
    if (known === undefined) this.#commits.set(partition, [commit])
    else known.push(commit)
    return outcome => {
      commit.outcome = outcome
    }
  }

  /** The coordinator died: nobody will ever say what became of the commits under way. */
  crashed(): void {
    for (const commits of this.#commits.values()) {
      for (const commit of commits) if (commit.outcome === 'pending') commit.outcome = 'unknown'
    }
  }

  /** An OffsetFetch is decided; call what is returned with what it found. */
  fetchesOf(partition: number): (value: number | null) => void {
    const before = [...(this.#commits.get(partition) ?? [])]
    return value => {
      this.fetches++
      const possible: (number | null)[] = []
      let isCertain = false
      for (let at = before.length - 1; at >= 0 && !isCertain; at--) {
        const { value: committed, outcome } = before[at]!
        if (outcome === 'refused') continue
        possible.push(committed)
        // What a read saw pending is committed before the read is answered.
        isCertain = outcome !== 'unknown'
      }
      if (!isCertain) possible.push(null)
      ok(possible.includes(value), `partition ${partition} has offset ${value}, not one of ${possible.join(', ')}`)
    }
  }

  /** All partitions have an owner in one generation, which all members share. */
  settled(
    members: readonly { readonly generation: number; readonly partitions: readonly number[] }[],
    count: number,
  ): void {
    deepEqual(new Set(members.map(({ generation }) => generation)).size, 1)
    const all = members.flatMap(({ partitions }) => partitions).sort((a, b) => a - b)
    deepEqual(
      all,
      Array.from({ length: count }, (_, partition) => partition),
    )
  }
}
