// Looks for a history of the world in which an invariant breaks: breadth first through everything that can happen in a small world, or along
// random walks through a larger one. A walk ends with the question of liveness (settle.ts). Same seed, same walks.
import { seededNumbers } from '../seeded.ts'
import { actionsOf, apply, type Action, type ActionKind } from './actions.ts'
import { settle } from './settle.ts'
import { check, copyOf, firstWorld, keyOf, type Bounds, type World } from './world.ts'

export type Found = { readonly problem: string; readonly trace: readonly string[] }

export type Explored = {
  readonly steps: number
  readonly states: number
  readonly depth: number
  /** Nothing is left that was not looked at. */
  readonly isComplete: boolean
  readonly found: Found | null
}

/** Small enough to be explored completely: one crash, one change of the record, one message and one swap in flight. */
export const SMALL: Bounds = {
  nodes: 3, maxEpoch: 2, maxLog: 1, maxCrashes: 1, maxWipes: 0, maxVersion: 2, maxMessages: 1, maxSwaps: 1,
  isStale: false, duplicates: false, kills: false, leaves: false, storesAtOnce: true,
} // prettier-ignore

/** Too large for anything but walks. */
export const LARGE: Bounds = {
  nodes: 3, maxEpoch: 6, maxLog: 6, maxCrashes: 6, maxWipes: 2, maxVersion: 14, maxMessages: 4, maxSwaps: 3,
  isStale: true, duplicates: true, kills: true, leaves: true, storesAtOnce: false,
} // prettier-ignore

/** Everything that can happen, nearest first, up to `maxStates` worlds. */
export function exploreBreadthFirst(bounds: Bounds, inSync: number, maxStates: number): Explored {
  const first = firstWorld(bounds, inSync)
  const seen = new Seen(1 << 23)
  seen.add(keyOf(first))
  let level = [first]
  let states = 1
  let steps = 0
  let depth = 0
  for (; level.length > 0 && states < maxStates; depth++) {
    const next: World[] = []
    for (const world of level) {
      for (const action of actionsOf(world, bounds)) {
        const after = copyOf(world)
        steps++
        if (!apply(after, bounds, action) || !seen.add(keyOf(after))) continue
        states++
        const problem = check(after)
        if (problem !== null)
          return { steps, states, depth, isComplete: false, found: { problem, trace: [`depth ${depth}`] } }
        next.push(after)
      }
    }
    level = next
  }
  return { steps, states, depth, isComplete: level.length === 0, found: null }
}

/** Which worlds were seen, by 52 bits of hash. */
class Seen {
  readonly #slots: Float64Array
  #count = 0

  constructor(capacity: number) {
    this.#slots = new Float64Array(capacity)
  }

  add(key: string): boolean {
    let low = 0x811c9dc5
    let high = 0x9e3779b9
    for (let at = 0; at < key.length; at++) {
      const code = key.charCodeAt(at)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul(high ^ code, 0x85ebca6b)
      high = (high << 13) | (high >>> 19)
    }
    const hash = (high >>> 12) * 2 ** 32 + (low >>> 0) + 1
    const mask = this.#slots.length - 1
    let slot = (low ^ (high >>> 7)) & mask
    while (this.#slots[slot] !== 0) {
      if (this.#slots[slot] === hash) return false
      slot = (slot + 1) & mask
    }
    if (++this.#count > mask * 0.9) throw new Error('more worlds than there is room for')
    this.#slots[slot] = hash
    return true
  }
}

// What makes progress is taken more often than what destroys it: a walk of nothing but faults shows nothing.
const WEIGHTS: Partial<Record<ActionKind, number>> = {
  crash: 0.25, kill: 0.25, wipe: 0.5, lose: 0.3, 'lose-swap': 0.2, leave: 0.05, 'give-up': 0.3, deliver: 4, fetch: 3, restart: 2, flush: 2, commit: 2,
} // prettier-ignore

export type Walked = {
  readonly steps: number
  readonly walks: number
  readonly found: Found | null
}

export type WalkOptions = {
  readonly seed: number
  readonly maxSteps: number
  readonly walkSteps?: number
  readonly inSync?: number
}

/** Random walks until there were `maxSteps` steps or something is wrong. */
export function walk(bounds: Bounds, { seed, maxSteps, walkSteps = 160, inSync }: WalkOptions): Walked {
  let steps = 0
  let walks = 0
  for (; steps < maxSteps; walks++) {
    const next = seededNumbers(seed * 1_000_003 + walks)
    const members = inSync ?? 1 + Math.floor(next() * bounds.nodes)
    const world = firstWorld(bounds, members)
    const trace: string[] = [`${members} in sync`]
    for (let step = 0; step < walkSteps; step++, steps++) {
      const action = pick(actionsOf(world, bounds), next)
      if (action === null) break
      if (!apply(world, bounds, action)) continue
      trace.push(`${action.kind} ${action.a} ${action.b}`)
      const problem = check(world)
      if (problem !== null) return { steps, walks, found: { problem, trace } }
    }
    const problem = settle(world, bounds)
    if (problem !== null) return { steps, walks, found: { problem, trace } }
  }
  return { steps, walks, found: null }
}

function pick(actions: readonly Action[], next: () => number): Action | null {
  let total = 0
  for (const { kind } of actions) total += WEIGHTS[kind] ?? 1
  let at = next() * total
  for (const action of actions) {
    at -= WEIGHTS[action.kind] ?? 1
    if (at < 0) return action
  }
  return actions.at(-1) ?? null
}
