// A small world of candidates for the model checker: some logs with their disks, one election record, messages and compare-and-swaps in
// flight; what must hold in it, and which worlds are the same. What a candidate does is broker/metadata/quorum/quorum-state.ts itself, and
// what logs agree on broker/machine/log-matching.ts. What happens in it: actions.ts.
import type { LogEnd } from '../../broker/machine/log-matching.ts'
import type { ElectionRecord } from '../../broker/metadata/election/election.ts'
import {
  ownId,
  seeRecord,
  startedState,
  type Identity,
  type QuorumLog,
  type QuorumState,
} from '../../broker/metadata/quorum/quorum-state.ts'
import { LeaderEpochs } from '../../broker/storage/leader-epochs.ts'

/** What may happen at most in one history; what makes an instance small. */
export type Bounds = {
  readonly nodes: number
  readonly maxEpoch: number
  readonly maxLog: number
  readonly maxCrashes: number
  readonly maxWipes: number
  readonly maxVersion: number
  readonly maxMessages: number
  readonly maxSwaps: number
  /** Watches and reads may show the record as it was before. */
  readonly isStale: boolean
  readonly duplicates: boolean
  /** Processes may be killed while the system, and with it what was not flushed, lives on. */
  readonly kills: boolean
  readonly leaves: boolean
  /** An epoch is seen and on the disk in one step. */
  readonly storesAtOnce: boolean
}

/** An entry is its epoch times eight, and a number that tells it from others of the same epoch and offset. */
export type Node = {
  isUp: boolean
  directory: number
  incarnation: number
  durableEpoch: number
  log: number[]
  disk: number[]
  state: QuorumState
}

export type Message =
  | { kind: 'fetch'; from: number; to: number; directoryId: string; epoch: number; end: LogEnd }
  | { kind: 'entries'; to: number; epoch: number; end: LogEnd; entries: number[]; highWatermark: number }
  | { kind: 'diverges'; to: number; epoch: number; end: LogEnd; divergingEpoch: number; endOffset: number }

export type Swap = { from: number; kind: string; next: ElectionRecord }

export type World = {
  record: ElectionRecord
  before: ElectionRecord | null
  nodes: Node[]
  messages: Message[]
  swaps: Swap[]
  committed: number[]
  crashes: number
  wipes: number
  violation: string | null
}

/** Node 0 leads epoch 1, and `inSync` nodes are in sync. */
export function firstWorld(bounds: Bounds, inSync: number): World {
  const members = Array.from({ length: inSync }, (_, id) => `${id}@0`)
  const record: ElectionRecord = {
    version: 1, epoch: 1, leader: '0@0', incarnation: '1', inSync: members, clusterId: 'c',
  } // prettier-ignore
  const nodes = Array.from({ length: bounds.nodes }, (): Node => {
    const state = startedState(1, 0)
    return { isUp: true, directory: 0, incarnation: 1, durableEpoch: 1, log: [], disk: [], state }
  })
  const world: World = {
    record, before: null, nodes, messages: [], swaps: [], committed: [], crashes: 0, wipes: 0, violation: null,
  } // prettier-ignore
  for (const [id, node] of nodes.entries()) seeRecord(node.state, identity(id, node), logOf(node), record, null)
  return world
}

export function identity(id: number, { directory, incarnation }: Node): Identity {
  return { nodeId: id, directoryId: `${directory}`, incarnation: `${incarnation}`, clusterId: 'c', isCandidate: true }
}

export function logOf({ log, disk }: Node): QuorumLog {
  let flushedOffset = 0
  while (flushedOffset < log.length && log[flushedOffset] === disk[flushedOffset]) flushedOffset++
  const leaderEpochs = new LeaderEpochs()
  let latest = -1
  for (let at = 0; at < log.length; at++) {
    const epoch = log[at]! >> 3
    if (epoch !== latest) leaderEpochs.assign(epoch, at)
    latest = epoch
  }
  const isFlushed = log.length === disk.length && flushedOffset === log.length
  return { logStartOffset: 0, endOffset: log.length, leaderEpochs, flushedOffset, isFlushed }
}

/** What must hold at every moment; null when it does. */
export function check(world: World): string | null {
  if (world.violation !== null) return world.violation
  const { nodes, record, committed } = world
  for (let id = 0; id < nodes.length; id++) {
    const node = nodes[id]!
    const isLeader = node.isUp && node.state.role.kind === 'leader'
    if (isLeader && node.state.epoch === record.epoch && record.leader === ownId(identity(id, node))) {
      if (committed.some((entry, at) => node.log[at] !== entry)) return 'the leader lacks a committed entry'
    }
    for (let next = id + 1; next < nodes.length; next++) {
      const other = nodes[next]!
      if (isLeader && other.isUp && other.state.role.kind === 'leader' && other.state.epoch === node.state.epoch) {
        return 'two leaders in one epoch'
      }
      let at = 0
      while (at < node.log.length && at < other.log.length && node.log[at] === other.log[at]) at++
      for (; at < node.log.length && at < other.log.length; at++) {
        if (node.log[at]! >> 3 === other.log[at]! >> 3) return 'the same epoch and offset with another history'
      }
    }
  }
  return null
}

/** Two worlds with the same key are the same. */
export function keyOf(world: World): string {
  const { record, before, nodes, messages, swaps, committed, crashes, wipes } = world
  let key = `${recordKey(record)}|${recordKey(before)}|${committed.join()}|${crashes}|${wipes}`
  for (const { isUp, directory, incarnation, durableEpoch, log, disk, state } of nodes) {
    key += `#${isUp ? 1 : 0},${directory},${incarnation},${durableEpoch};${log.join()};${disk.join()};`
    key += `${recordKey(state.view)};${state.epoch},${state.wantedEpoch},${state.highWatermark},${state.isLeaving ? 1 : 0}`
    key += state.outstanding === null ? '' : `;f${state.outstanding.end.offset},${state.outstanding.end.epoch}`
    const { role } = state
    if (role.kind === 'follower') key += `;F${role.leader}`
    else if (role.kind === 'failed') key += ';X'
    else if (role.kind === 'leader') {
      key += `;L${role.epochStartOffset}`
      for (const { id, tag, version } of role.additions) key += `+${id}@${tag},${version}`
      for (let id = 0; id < nodes.length; id++) {
        const acknowledged = role.acknowledged.get(id)
        if (acknowledged !== undefined) key += `a${id}@${acknowledged.tag},${acknowledged.offset}`
      }
    }
  }
  const inFlight = messages.map(messageKey).sort().join('')
  return `${key}#${inFlight}#${swaps.map(({ from, next }) => `${from}${recordKey(next)}`).sort().join('')}` // prettier-ignore
}

function recordKey(record: ElectionRecord | null): string {
  if (record === null) return '-'
  return `${record.version},${record.epoch},${record.leader},${record.incarnation},${record.inSync.join('/')}`
}

function messageKey(message: Message): string {
  const head = `m${message.kind},${message.to},${message.epoch},${message.end.offset},${message.end.epoch}`
  if (message.kind === 'fetch') return `${head},${message.from},${message.directoryId}`
  if (message.kind === 'entries') return `${head},${message.entries.join('/')},${message.highWatermark}`
  return `${head},${message.divergingEpoch},${message.endOffset}`
}

/** A copy that shares nothing that `apply` changes. */
export function copyOf(world: World): World {
  return {
    ...world,
    nodes: world.nodes.map(node => ({
      ...node,
      log: [...node.log],
      disk: [...node.disk],
      state: { ...node.state, role: copyOfRole(node.state.role) },
    })),
    messages: [...world.messages],
    swaps: [...world.swaps],
    committed: [...world.committed],
  }
}

function copyOfRole(role: QuorumState['role']): QuorumState['role'] {
  if (role.kind !== 'leader') return role
  const acknowledged = new Map<number, { tag: string; offset: number }>()
  for (const [id, { tag, offset }] of role.acknowledged) acknowledged.set(id, { tag, offset })
  return { ...role, acknowledged }
}
