// Liveness: when faults stop and everybody does what the state machine suggests, a new entry is committed.
import {
  isLeaderless,
  memberOf,
  ownId,
  planAddition,
  planRemoval,
  planRewrite,
  planTakeover,
} from '../../broker/metadata/quorum/quorum-state.ts'
import { apply, type ActionKind } from './actions.ts'
import { check, identity, logOf, type Bounds, type World } from './world.ts'

/** Faults stop, everybody does what he should: a new entry is committed, unless nobody is left who has all of them. */
export function settle(world: World, tight: Bounds): string | null {
  const bounds = {
    ...tight,
    maxEpoch: 99,
    maxLog: 99,
    maxVersion: 99,
    maxMessages: 99,
    maxSwaps: 99,
    duplicates: false,
    isStale: false,
  }
  world.messages = []
  for (let at = world.swaps.length; at > 0; at--)
    apply(world, bounds, { kind: at % 2 ? 'swap' : 'lose-swap', a: 0, b: 0 })
  for (const [id, node] of world.nodes.entries()) {
    if (node.isUp && node.state.isLeaving) apply(world, { ...bounds, maxCrashes: 99 }, { kind: 'kill', a: id, b: 0 })
    if (!node.isUp) apply(world, bounds, { kind: 'restart', a: id, b: 0 })
  }
  const hasKeeper = world.nodes.some((node, id) => world.record.inSync.includes(ownId(identity(id, node))))
  if (!hasKeeper) return null
  const before = world.committed.length
  let hasAppended = false
  for (let round = 0; round < 40; round++) {
    for (let id = 0; id < world.nodes.length; id++) hasAppended = takeTurn(world, bounds, id, round, hasAppended)
    const problem = check(world)
    if (problem !== null) return problem
    if (hasAppended && world.committed.length > before) return null
  }
  return 'no new entry is committed although all faults have stopped'
}

function takeTurn(world: World, bounds: Bounds, id: number, round: number, hasAppended: boolean): boolean {
  const act = (kind: ActionKind, a = id, b = 0): boolean => apply(world, bounds, { kind, a, b })
  const node = world.nodes[id]!
  const { state } = node
  const log = logOf(node)
  if (state.view?.version !== world.record.version) act('read')
  if (state.wantedEpoch > state.epoch) act('store')
  act('flush')
  const swap = (kind: ActionKind, b = 0): void => void (act(kind, id, b) && act('swap', 0))
  if (state.role.kind === 'follower') {
    act('give-up')
    act('fetch')
    while (world.messages.length > 0) act('deliver', 0)
    const leader = world.nodes[memberOf(state.role.kind === 'follower' ? state.role.leader : '0@0').id]!
    const leads = leader.state.role.kind === 'leader' && leader.state.epoch === state.epoch
    if ((!leads || isLeaderless(state)) && planTakeover(state, identity(id, node), log) !== null) swap('take-over')
  } else if (state.role.kind === 'unattached') {
    if (planTakeover(state, identity(id, node), log) !== null) swap('take-over')
  } else if (state.role.kind === 'leader') {
    const isFirst = !hasAppended
    if (isFirst && act('append')) hasAppended = true
    act('commit')
    for (let other = 0; other < world.nodes.length; other++) {
      if (other === id) continue
      const tag = `${other}@${world.nodes[other]!.directory}`
      const gone = state.view!.inSync.find(member => memberOf(member).id === other && member !== tag)
      if (gone !== undefined && planRemoval(state, identity(id, node), gone) !== null) swap('remove', other)
      act('read')
      if (state.role.kind === 'leader' && round % 4 === 3 && planAddition(state, other) !== null) swap('add', other)
      act('read')
    }
    if (planRewrite(state) !== null) swap('rewrite')
  }
  return hasAppended
}
