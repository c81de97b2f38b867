// What may happen in the world of world.ts. Only disks, the network and the record's store are made up, as hostile as they may be: messages
// are lost, doubled and late, swaps land at any later time or never, reads are stale, crashes take what was not flushed, disks are replaced.
import { cutOffset } from '../../broker/machine/log-matching.ts'
import type { ElectionRecord } from '../../broker/metadata/election/election.ts'
import {
  advanceHighWatermark,
  epochStored,
  learnHighWatermark,
  memberOf,
  onFetch,
  planAddition,
  planFetch,
  planLeave,
  planRemoval,
  planRewrite,
  planTakeover,
  seeRecord,
  startedState,
  takeAnswer,
  type Identity,
  type QuorumLog,
} from '../../broker/metadata/quorum/quorum-state.ts'
import { identity, keyOf, logOf, type Bounds, type Message, type Node, type World } from './world.ts'

export const ACTIONS = [
  'read', 'read-old', 'take-over', 'remove', 'add', 'rewrite', 'leave', 'swap', 'lose-swap', 'fetch', 'give-up', 'deliver', 'deliver-copy',
  'lose', 'append', 'flush', 'commit', 'store', 'crash', 'kill', 'restart', 'wipe',
] as const // prettier-ignore
export type ActionKind = (typeof ACTIONS)[number]
export type Action = { readonly kind: ActionKind; readonly a: number; readonly b: number }

const BATCH = 2

/** Everything that may happen next. */
export function actionsOf(world: World, bounds: Bounds): Action[] {
  const found: Action[] = []
  const add = (kind: ActionKind, a = 0, b = 0): void => void found.push({ kind, a, b })
  for (let id = 0; id < world.nodes.length; id++) {
    const node = world.nodes[id]!
    if (node.isUp) addOfNode(world, bounds, id, add)
    else {
      add('restart', id)
      if (world.wipes < bounds.maxWipes && node.disk.length > 0) add('wipe', id)
    }
  }
  for (let at = 0; at < world.swaps.length; at++) {
    add('swap', at)
    add('lose-swap', at)
  }
  for (let at = 0; at < world.messages.length; at++) {
    add('deliver', at)
    add('lose', at)
    if (bounds.duplicates) add('deliver-copy', at)
  }
  return found
}

type Add = (kind: ActionKind, a?: number, b?: number) => void

function addOfNode(world: World, bounds: Bounds, id: number, add: Add): void {
  const node = world.nodes[id]!
  const { state } = node
  if (world.crashes < bounds.maxCrashes) {
    add('crash', id)
    if (bounds.kills && !logOf(node).isFlushed) add('kill', id)
  }
  if (!logOf(node).isFlushed) add('flush', id)
  if (state.wantedEpoch > state.epoch) add('store', id)
  if (state.view?.version !== world.record.version) add('read', id)
  if (bounds.isStale && world.before !== null && state.view?.version !== world.before.version) add('read-old', id)
  const maySwap = world.swaps.length < bounds.maxSwaps && world.record.version < bounds.maxVersion
  if (maySwap && (state.view?.epoch ?? bounds.maxEpoch) < bounds.maxEpoch && state.role.kind !== 'leader')
    add('take-over', id)
  if (maySwap && bounds.leaves && !state.isLeaving) add('leave', id)
  if (state.role.kind === 'leader') {
    if (node.log.length < bounds.maxLog) add('append', id)
    add('commit', id)
    if (!maySwap) return
    for (let other = 0; other < world.nodes.length; other++) {
      if (other === id) continue
      add('remove', id, other)
      add('add', id, other)
    }
    add('rewrite', id)
  } else if (state.role.kind === 'follower') {
    if (state.outstanding !== null) add('give-up', id)
    else if (world.messages.length < bounds.maxMessages) add('fetch', id)
  }
}

/** Changes `world`; false when nothing happened. */
export function apply(world: World, bounds: Bounds, action: Action): boolean {
  const { kind, a, b } = action
  switch (kind) {
    case 'swap': {
      const [swap] = world.swaps.splice(a, 1)
      if (swap!.next.version !== world.record.version + 1) return true
      world.before = bounds.isStale ? world.record : null
      world.record = swap!.next
      return true
    }
    case 'lose-swap':
      world.swaps.splice(a, 1)
      return true
    case 'lose':
      world.messages.splice(a, 1)
      return true
    case 'deliver':
      deliver(world, bounds, world.messages.splice(a, 1)[0]!)
      return true
    case 'deliver-copy': {
      const before = keyOf(world)
      deliver(world, bounds, world.messages[a]!)
      return keyOf(world) !== before
    }
    default:
      return applyToNode(world, bounds, kind, a, b)
  }
}

function applyToNode(world: World, bounds: Bounds, kind: ActionKind, id: number, other: number): boolean {
  const node = world.nodes[id]!
  const { state } = node
  const self = identity(id, node)
  const log = logOf(node)
  switch (kind) {
    case 'read':
    case 'read-old':
      seeRecord(state, self, log, kind === 'read' ? world.record : world.before!, null)
      if (bounds.storesAtOnce) store(node, self, log)
      return true
    case 'take-over':
      return swapWith(world, id, kind, planTakeover(state, self, log))
    case 'remove': {
      const member = state.view?.inSync.find(candidate => memberOf(candidate).id === other)
      return member !== undefined && swapWith(world, id, kind, planRemoval(state, self, member))
    }
    case 'add':
      return swapWith(world, id, kind, planAddition(state, other))
    case 'rewrite':
      return swapWith(world, id, kind, planRewrite(state))
    case 'leave':
      return swapWith(world, id, kind, planLeave(state, self))
    case 'store':
      store(node, self, log)
      return true
    case 'fetch': {
      const fetch = planFetch(state, log)
      if (fetch === null || state.role.kind !== 'follower') return false
      // Two fetches are not told apart by their numbers: weaker than what the broker does.
      state.fetchCount = 0
      const { id: to } = memberOf(state.role.leader)
      const { directoryId } = self
      world.messages.push({ kind: 'fetch', from: id, to, directoryId, epoch: fetch.leaderEpoch, end: fetch.end })
      return true
    }
    case 'give-up':
      state.outstanding = null
      return true
    case 'append':
      node.log.push(state.epoch * 8 + freshValue(world, state.epoch, node.log.length))
      return true
    case 'flush':
      node.disk = [...node.log]
      return true
    case 'commit': {
      const before = state.highWatermark
      advanceHighWatermark(state, self, log)
      expose(world, node)
      return state.highWatermark !== before
    }
    default:
      return applyToProcess(world, kind, node)
  }
}

function applyToProcess(world: World, kind: ActionKind, node: Node): boolean {
  switch (kind) {
    case 'crash':
    case 'kill':
      world.crashes++
      node.isUp = false
      if (kind === 'crash') node.log = [...node.disk]
      node.state = startedState(0, 0)
      return true
    case 'restart':
      node.isUp = true
      node.incarnation++
      node.state = startedState(node.durableEpoch, 0)
      return true
    case 'wipe':
      world.wipes++
      node.directory++
      node.log = []
      node.disk = []
      node.durableEpoch = 0
      return true
    default:
      throw new Error(`nobody knows ${kind}`)
  }
}

function store(node: Node, self: Identity, log: QuorumLog): void {
  node.durableEpoch = node.state.wantedEpoch
  epochStored(node.state, self, log, node.durableEpoch)
}

function swapWith(world: World, from: number, kind: string, next: ElectionRecord | null): boolean {
  if (next === null) return false
  world.swaps.push({ from, kind, next })
  return true
}

function deliver(world: World, bounds: Bounds, message: Message): void {
  const node = world.nodes[message.to]!
  if (!node.isUp) return
  const { state } = node
  const log = logOf(node)
  if (message.kind === 'fetch') {
    const { from, directoryId, epoch, end } = message
    const verdict = onFetch(state, log, { nodeId: from, directoryId, epoch, end })
    if (verdict.kind === 'fits') {
      const entries = node.log.slice(end.offset, end.offset + BATCH)
      send(world, bounds, { kind: 'entries', to: from, epoch, end, entries, highWatermark: state.highWatermark })
    } else if (verdict.kind === 'diverges') {
      const { epoch: divergingEpoch, endOffset } = verdict
      send(world, bounds, { kind: 'diverges', to: from, epoch, end, divergingEpoch, endOffset })
    }
    if (bounds.storesAtOnce) store(node, identity(message.to, node), log)
    return
  }
  if (!takeAnswer(state, log, { number: 1, leaderEpoch: message.epoch, end: message.end })) return
  if (message.kind === 'entries') {
    node.log.push(...message.entries)
    learnHighWatermark(state, logOf(node), message.highWatermark)
    expose(world, node)
  } else {
    node.log.length = cutOffset(log, { epoch: message.divergingEpoch, endOffset: message.endOffset })
    if (state.highWatermark > node.log.length) world.violation = 'a follower cut below its own high watermark'
  }
}

function send(world: World, bounds: Bounds, message: Message): void {
  if (world.messages.length < bounds.maxMessages) world.messages.push(message)
}

/** A number that no living copy of an entry of this epoch and offset has: a leader that restarted does not write the same again. */
function freshValue(world: World, epoch: number, offset: number): number {
  const used = new Set<number>()
  const see = (entry: number | undefined): void => {
    if (entry !== undefined && entry >> 3 === epoch) used.add(entry & 7)
  }
  for (const { log, disk } of world.nodes) {
    see(log[offset])
    see(disk[offset])
  }
  see(world.committed[offset])
  for (const message of world.messages)
    if (message.kind === 'entries') see(message.entries[offset - message.end.offset])
  for (let value = 0; value < 7; value++) if (!used.has(value)) return value
  return 7
}

/** Readers see what is below the high watermark of anybody. */
function expose(world: World, node: Node): void {
  for (let at = 0; at < node.state.highWatermark; at++) {
    const entry = node.log[at]
    if (at === world.committed.length && entry !== undefined) world.committed.push(entry)
    else if (world.committed[at] !== entry) world.violation = 'a committed entry differs between two readers'
  }
}
