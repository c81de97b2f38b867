// Transactions: what commits is read by everybody, what aborts or is still open by nobody who asks for committed records; a second producer with
// the same transactional id fences the first; one that takes too long is aborted.
import { deepEqual, ok } from 'node:assert/strict'
import { ClientError } from '../program.ts'
import type { Client, ConsumedRecord, Isolation } from '../program.ts'
import { check, newTopic, produce, textRecord } from './check.ts'
import type { Suite } from './check.ts'

export const TRANSACTION_TIMEOUT_MS = 60_000
/** Shorter than any that the suite waits for, and long enough for a client to send a record. */
const SHORT_TIMEOUT_MS = 2_000

let producers = 0

/** A transactional producer of a client; ids that no other check uses. */
export class TransactionalProducer {
  readonly #client: Client
  readonly #producer: string
  readonly transactionalId: string

  constructor(client: Client, transactionalId?: string) {
    this.#client = client
    this.#producer = `producer-${++producers}`
    this.transactionalId = transactionalId ?? `id-${process.pid}-${producers}`
  }

  static async open(client: Client, transactionalId?: string, timeoutMs = TRANSACTION_TIMEOUT_MS) {
    const opened = new TransactionalProducer(client, transactionalId)
    await client.run('openTransactional', {
      producer: opened.#producer,
      transactionalId: opened.transactionalId,
      timeoutMs,
    })
    return opened
  }

  async begin(): Promise<void> {
    await this.#client.run('beginTransaction', { producer: this.#producer })
  }

  async send(topic: string, values: readonly string[], partition = 0): Promise<readonly number[]> {
    const records = values.map(value => textRecord('key', value))
    const { offsets } = await this.#client.run('sendInTransaction', {
      producer: this.#producer,
      topic,
      partition,
      records,
    })
    return offsets
  }

  async end(commit: boolean): Promise<void> {
    await this.#client.run('endTransaction', { producer: this.#producer, commit })
  }

  /** One whole transaction in partition 0. */
  async transact(topic: string, values: readonly string[], commit: boolean): Promise<void> {
    await this.begin()
    await this.send(topic, values)
    await this.end(commit)
  }

  async close(): Promise<void> {
    await this.#client.run('closeTransactional', { producer: this.#producer })
  }
}

/** The values of the first `count` records from `from` on. */
export async function read(
  client: Client,
  topic: string,
  count: number,
  isolation: Isolation = 'read_committed',
  partition = 0,
  from: number | 'earliest' = 'earliest',
): Promise<string[]> {
  const { records } = await client.run('consume', { topic, partition, from, count, isolation })
  return records.map(({ value }: ConsumedRecord) => String(value))
}

export function transactionChecks(suite: Suite): void {
  const { bench } = suite

  check(
    suite,
    'what a transaction commits is read, also by those who want committed records only',
    ['transactions'],
    async () => {
      const topic = await newTopic(bench(), 'committed')
      const producer = await TransactionalProducer.open(bench().client)
      await producer.transact(topic, ['a', 'b'], true)
      deepEqual(await read(bench().helper, topic, 2), ['a', 'b'])
      await producer.close()
    },
  )

  check(
    suite,
    'what a transaction aborts is skipped by those who want committed records only',
    ['transactions'],
    async () => {
      const topic = await newTopic(bench(), 'aborted')
      const producer = await TransactionalProducer.open(bench().client)
      await producer.transact(topic, ['a'], false)
      await producer.transact(topic, ['b', 'c'], true)
      await producer.transact(topic, ['d'], false)
      await producer.transact(topic, ['e'], true)
      deepEqual(await read(bench().helper, topic, 3), ['b', 'c', 'e'])
      deepEqual(await read(bench().helper, topic, 5, 'read_uncommitted'), ['a', 'b', 'c', 'd', 'e'])
      await producer.close()
    },
  )

  check(
    suite,
    'it skips aborted records itself, wherever it starts',
    ['transactions', 'committed records'],
    async () => {
      const topic = await newTopic(bench(), 'skipping')
      const producer = await TransactionalProducer.open(bench().helper)
      await producer.transact(topic, ['a', 'b', 'c'], false)
      await producer.transact(topic, ['d', 'e'], true)
      await produce(bench().helper, topic, [textRecord('key', 'f')])
      await producer.transact(topic, ['g'], false)
      await producer.transact(topic, ['h'], true)
      const { client } = bench()
      deepEqual(await read(client, topic, 4), ['d', 'e', 'f', 'h'])
      deepEqual(await read(client, topic, 4, 'read_committed', 0, 1), ['d', 'e', 'f', 'h'])
      deepEqual(await read(client, topic, 3, 'read_committed', 0, 5), ['e', 'f', 'h'])
      deepEqual(await read(client, topic, 8, 'read_uncommitted'), ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
      await producer.close()
    },
  )

  check(
    suite,
    'nothing behind an open transaction is given to those who want committed records only',
    ['transactions', 'committed records'],
    async () => {
      const topic = await newTopic(bench(), 'open')
      const producer = await TransactionalProducer.open(bench().helper)
      await producer.transact(topic, ['a'], true)
      await producer.begin()
      await producer.send(topic, ['b'])
      await produce(bench().helper, topic, [textRecord('key', 'c')])
      deepEqual(await read(bench().client, topic, 3, 'read_uncommitted'), ['a', 'b', 'c'])
      // Asked for while the transaction is open: two records are there only when it has ended.
      const reading = read(bench().client, topic, 2)
      await producer.end(false)
      deepEqual(await reading, ['a', 'c'])
      await producer.close()
    },
  )

  check(
    suite,
    'a transaction over several partitions is seen in all of them or in none',
    ['transactions'],
    async () => {
      const topic = await newTopic(bench(), 'several', { partitions: 3 })
      const producer = await TransactionalProducer.open(bench().client)
      for (const [value, commit] of [
        ['x', false],
        ['y', true],
      ] as const) {
        // prettier-ignore
        await producer.begin()
        for (const partition of [0, 1, 2]) await producer.send(topic, [value], partition)
        await producer.end(commit)
      }
      for (const partition of [0, 1, 2])
        deepEqual(await read(bench().helper, topic, 1, 'read_committed', partition), ['y'])
      await producer.close()
    },
  )

  check(
    suite,
    'a second producer with the same transactional id fences the first one and aborts what it had begun',
    ['transactions', 'taking over transactional ids'],
    async () => {
      const topic = await newTopic(bench(), 'fenced')
      const zombie = await TransactionalProducer.open(bench().client)
      await zombie.begin()
      await zombie.send(topic, ['lost'])
      const heir = await TransactionalProducer.open(bench().client, zombie.transactionalId)
      await heir.transact(topic, ['kept'], true)
      await failed(zombie.end(true))
      deepEqual(await read(bench().helper, topic, 1), ['kept'])
      await zombie.close()
      await heir.close()
    },
  )

  check(
    suite,
    'a transaction that takes longer than its producer has said is aborted',
    ['transactions', 'transaction timeouts'],
    async () => {
      const topic = await newTopic(bench(), 'late')
      const late = await TransactionalProducer.open(bench().client, undefined, SHORT_TIMEOUT_MS)
      await late.begin()
      await late.send(topic, ['lost'])
      await produce(bench().helper, topic, [textRecord('key', 'kept')])
      // The reader gets this far only when the broker has ended the transaction.
      deepEqual(await read(bench().helper, topic, 1), ['kept'])
      await failed(late.end(true))
      deepEqual(await read(bench().helper, topic, 1), ['kept'])
      await late.close()
    },
  )
}

/** Whatever the client makes of it: the transaction did not commit. */
async function failed(outcome: Promise<unknown>): Promise<void> {
  const error = await outcome.then(
    () => null,
    (reason: unknown) => reason,
  )
  ok(error instanceof ClientError, `the client said that the transaction was committed: ${String(error)}`)
}
