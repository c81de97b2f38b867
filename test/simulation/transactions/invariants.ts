// What must hold at the end of a simulation, whatever has happened. Each returns what is wrong, one line each.
import { isPrepared } from '../../../broker/coordinator/transaction/transaction.ts'
import type { TransactionRecord } from '../../../broker/coordinator/transaction/state.ts'
import type { Written } from './partitions.ts'
import type { Producers } from './producers.ts'
import type { World } from './world.ts'

type Fate = 'committed' | 'aborted' | 'open'

/** What a read_committed reader sees of every record. */
export function fates(world: World): Map<string, Fate> {
  const fateOf = new Map<string, Fate>()
  for (const [, { log }] of world.partitions.entries()) {
    const open = new Map<number, string[]>()
    for (const written of log) {
      if (written.kind === 'data') {
        fateOf.set(written.tag, 'open')
        open.set(written.producerId, [...(open.get(written.producerId) ?? []), written.tag])
        continue
      }
      for (const tag of open.get(written.producerId) ?? []) fateOf.set(tag, written.isCommit ? 'committed' : 'aborted')
      open.delete(written.producerId)
    }
  }
  return fateOf
}

/** Transactions are atomic, what was answered holds, and nothing is left open. */
export function brokenTransactions(world: World, { told }: Producers): string[] {
  const fateOf = fates(world)
  const wrong: string[] = []
  for (const { tags, outcome } of told) {
    const seen = tags.map(tag => fateOf.get(tag) ?? 'missing')
    const distinct = new Set(seen.filter(fate => fate !== 'missing'))
    if (distinct.size > 1) wrong.push(`torn: ${tags.map((tag, at) => `${tag} ${seen[at]}`).join(', ')}`)
    if (distinct.has('open')) wrong.push(`open: ${tags.join(', ')}`)
    if (outcome === 'unknown') continue
    const isKept = outcome === 'committed' ? seen.every(fate => fate === 'committed') : !seen.includes('committed')
    if (!isKept) wrong.push(`told that it is ${outcome}: ${tags.map((tag, at) => `${tag} ${seen[at]}`).join(', ')}`)
  }
  return wrong
}

/** A transaction has one kind of marker, and each partition is ended once by it. */
export function brokenMarkers(world: World): string[] {
  const wrong: string[] = []
  const kinds = new Map<string, boolean>()
  for (const [name, { log, openProducers }] of world.partitions.entries()) {
    for (const producerId of openProducers) wrong.push(`${name} has an open transaction of producer ${producerId}`)
    for (const written of log) {
      if (written.kind === 'data' || !bumps(written, log)) continue
      const transaction = `${written.producerId}/${written.epoch}`
      const known = kinds.get(transaction)
      if (known !== undefined && known !== written.isCommit) wrong.push(`${transaction} is both committed and aborted`)
      kinds.set(transaction, written.isCommit)
    }
    const ended = new Set<string>()
    for (const written of log) {
      if (written.kind === 'data' || !written.ended || !bumps(written, log)) continue
      const transaction = `${written.producerId}/${written.epoch}`
      if (ended.has(transaction)) wrong.push(`${name}: ${transaction} was ended twice`)
      ended.add(transaction)
    }
  }
  return wrong
}

/** Whether the marker has an epoch of its own: those of version 0 share theirs with the batches of many transactions. */
function bumps(marker: Written, log: readonly Written[]): boolean {
  return !log.some(
    other => other.kind === 'data' && other.producerId === marker.producerId && other.epoch === marker.epoch,
  )
}

/** Producer ids and epochs never go back, ids are never used twice, and no state follows one that it may not follow. */
export function brokenRecords(records: readonly TransactionRecord[]): string[] {
  const wrong: string[] = []
  const last = new Map<string, NonNullable<TransactionRecord['transaction']>>()
  const owner = new Map<number, string>()
  for (const { transactionalId, transaction } of records) {
    if (transaction === null) {
      last.delete(transactionalId)
      continue
    }
    const { producerId, producerEpoch, state } = transaction
    const known = owner.get(producerId) ?? transactionalId
    if (known !== transactionalId) wrong.push(`producer ${producerId} belongs to ${known} and ${transactionalId}`)
    owner.set(producerId, transactionalId)
    const before = last.get(transactionalId)
    last.set(transactionalId, transaction)
    if (before === undefined) continue
    if (before.producerId === producerId && producerEpoch < before.producerEpoch) {
      wrong.push(`${transactionalId}: epoch ${producerEpoch} after ${before.producerEpoch}`)
    }
    const completes = state === 'CompleteCommit' || state === 'CompleteAbort'
    if (isPrepared(before) !== completes) wrong.push(`${transactionalId}: ${state} after ${before.state}`)
    if (completes && (before.state === 'PrepareCommit') !== (state === 'CompleteCommit')) {
      wrong.push(`${transactionalId}: ${state} after ${before.state}`)
    }
  }
  for (const { transactionalId, state } of last.values()) {
    if (state === 'Ongoing' || state.startsWith('Prepare')) wrong.push(`${transactionalId} is ${state} for ever`)
  }
  return wrong
}

/** Once a producer was told its epoch, nothing of an earlier epoch is written. */
export function brokenReigns(world: World, { reigns }: Producers): string[] {
  const wrong: string[] = []
  for (const [name, { log }] of world.partitions.entries()) {
    for (const written of log) {
      if (written.kind !== 'data') continue
      const { producerId, epoch, atMs, tag } = written
      const successor = reigns.find(
        reign => reign.producerId === producerId && reign.epoch > epoch && reign.atMs < atMs,
      )
      if (successor !== undefined) {
        wrong.push(
          `${name}: ${tag} of epoch ${epoch} at ${atMs}, after epoch ${successor.epoch} began at ${successor.atMs}`,
        )
      }
    }
  }
  return wrong
}
