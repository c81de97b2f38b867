import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { buildEndTransactionMarker } from '../../../broker/records/control.ts'
import { storedAborted } from '../../../broker/storage/aborted-transactions.ts'
import { LogKeys, MAX_OFFSET } from '../../../broker/storage/keys.ts'
import type { LogDirectory } from '../../../broker/storage/log-directory.ts'
import { openMemoryStore } from '../../../broker/storage/memory-store.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import type { Store } from '../../../broker/storage/store.ts'
import { CrashingFiles } from './crashing-files.ts'
import { append, batchOf, CONFIG, openDirectory, TOPIC } from './log-fixture.ts'
import { abortedIn, checkTransactions } from './transaction-model.ts'

const KEYS = new LogKeys(TOPIC, 0)

class History {
  readonly batches: Buffer[] = []
  readonly store: Store
  readonly files = new CrashingFiles()
  logs!: LogDirectory
  log!: PartitionLog

  constructor(store: Store) {
    this.store = store
  }

  static async begin(): Promise<History> {
    const history = new History(openMemoryStore())
    history.logs = await openDirectory(history)
    history.log = history.logs.create(TOPIC, 0, 'orders', { ...CONFIG, segmentBytes: 3000 })
    return history
  }

  /** A transactional batch of one record. */
  async write(producerId: number, sizeBytes = 50): Promise<void> {
    const seed = this.batches.length
    const init = { producerId, producerEpoch: 0, baseSequence: seed, isTransactional: true }
    await this.#append(batchOf(sizeBytes, seed, init))
  }

  async end(producerId: number, result: 'commit' | 'abort'): Promise<void> {
    await this.#append(
      buildEndTransactionMarker({ result, producerId, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 1 }),
    )
  }

  async #append(batch: Buffer): Promise<void> {
    await append(this.log, batch)
    this.batches.push(batch)
  }

  async restart(): Promise<void> {
    await this.logs.close()
    this.logs = await openDirectory({ ...this, store: this.store, files: this.files, isCleanStart: true })
    this.log = this.logs.log(TOPIC, 0)!
  }

  check(): Promise<void> {
    return checkTransactions(this.log, this.batches)
  }

  async keysLeft(): Promise<number> {
    return (await this.store.scan({ ...KEYS.abortedBetween(0, MAX_OFFSET), limit: 10_000 })).length
  }
}

/** Producers 1 to 3 write by turns; 2 aborts, the others commit. */
async function filled(transactions = 12): Promise<History> {
  const history = await History.begin()
  for (let at = 0; at < transactions; at++) {
    for (const producerId of [1, 2, 3]) await history.write(producerId, 100)
    for (const producerId of [2, 1]) await history.end(producerId, producerId === 2 ? 'abort' : 'commit')
    if (at % 3 === 2) await history.end(3, 'commit')
  }
  return history
}

test('an aborted transaction is known from its first record to its marker, and a committed one is not', async () => {
  const history = await History.begin()
  await history.write(1)
  await history.write(2)
  await history.end(1, 'abort')
  await history.end(2, 'commit')
  const expected = [{ producerId: 1, firstOffset: 0, lastOffset: 2, lastStableOffset: 1 }]
  deepEqual(history.log.abortedTransactions(0, 1), expected)
  deepEqual(history.log.abortedTransactions(2, 4), expected)
  deepEqual(history.log.abortedTransactions(3, 4), [])
  await history.check()
})

test('the newest are found in memory, those from before the start in the store', async () => {
  const history = await filled()
  ok(!(history.log.abortedTransactions(0, history.log.endOffset) instanceof Promise))
  await history.restart()
  ok(history.log.abortedTransactions(0, history.log.endOffset) instanceof Promise)
  await history.check()
  await history.write(2)
  const from = history.log.endOffset - 1
  await history.end(2, 'abort')
  equal((await history.log.abortedTransactions(from, from + 1)).length, 1)
  ok(!(history.log.abortedTransactions(from, from + 1) instanceof Promise))
  await history.check()
})

test('memory keeps a bounded number, and the store has the rest', async () => {
  const history = await filled(200)
  ok(history.log.abortedTransactions(0, history.log.endOffset) instanceof Promise)
  await history.check()
})

test('a look at the store ends as soon as no later transaction can matter', async () => {
  const history = await filled(300)
  let scans = 0
  const counting: Store = {
    ...history.store,
    scan: range => {
      scans++
      return history.store.scan(range)
    },
  }
  deepEqual(
    (await storedAborted(counting, KEYS, 0, 3)).map(({ producerId, firstOffset, lastOffset }) => ({
      producerId,
      firstOffset,
      lastOffset,
    })),
    abortedIn(history.batches, 0, 3),
  )
  equal(scans, 1)
})

test('a cut takes the aborted transactions whose markers it takes, and opens them again', async () => {
  for (const end of [60, 37, 5, 3, 0]) {
    const history = await filled()
    await history.log.truncate(end)
    history.batches.length = end
    await history.check()
    await history.write(2)
    await history.end(2, 'abort')
    await history.check()
    await history.restart()
    await history.check()
  }
})

test('what DeleteRecords passes is forgotten, in memory and in the store', async () => {
  const history = await filled()
  const before = await history.keysLeft()
  await history.log.deleteRecordsBefore(30)
  await history.check()
  equal(
    await history.keysLeft(),
    before - abortedIn(history.batches, 0, MAX_OFFSET).filter(({ lastOffset }) => lastOffset < 30).length,
  )
  await history.log.deleteRecordsBefore(history.log.endOffset)
  equal(await history.keysLeft(), 0)
})

test('a log that starts anew, or is removed, leaves no aborted transaction behind', async () => {
  const history = await filled()
  await history.log.truncateFullyAndStartAt(7)
  equal(await history.keysLeft(), 0)
  deepEqual(history.log.abortedTransactions(7, 9), [])
  const other = await filled()
  await other.logs.remove(TOPIC, 0)
  equal(await other.keysLeft(), 0)
})
