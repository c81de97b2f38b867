// Transactions in virtual time: producers that crash, repeat themselves and outlive their time-outs, a coordinator that crashes, a log that
// loses what was not committed, partitions that refuse. Whatever happens, transactions are atomic and all of them end.
// SEEDS=n tries more, SEED=n only that one.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { describe, test } from 'vitest'
import type { Transaction } from '../../../broker/coordinator/transaction/transaction.ts'
import type { TransactionRecord, TransactionsState } from '../../../broker/coordinator/transaction/state.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { brokenMarkers, brokenRecords, brokenReigns, brokenTransactions, fates } from './invariants.ts'
import { Producers } from './producers.ts'
import { World, type Sabotage } from './world.ts'

const SEEDS = Number(process.env['SEEDS'] ?? 300)
const ONLY = process.env['SEED']
const BUSY_MS = 6000
/** Long enough for every time-out, back-off and sweep once faults have ended. */
const QUIET_MS = 30_000
const IDS = ['a', 'b', 'c']

type Result = { readonly wrong: readonly string[]; readonly committed: number; readonly aborted: number }

async function simulate(seed: number, sabotage: Sabotage = {}): Promise<Result> {
  const world = new World(seed, sabotage)
  const producers = new Producers(world)
  const { clock, dice } = world
  void world.start()
  for (const id of IDS) void producers.live(id)
  const crashes = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(100 + dice.below(1500))
      if (dice.isKind) return
      world.crash()
      await clock.sleep(dice.below(100))
      void world.start()
    }
  }
  void crashes()
  await clock.run(BUSY_MS)
  producers.end()
  dice.isKind = true
  await clock.run(BUSY_MS + QUIET_MS)
  const seen = [...fates(world).values()]
  return {
    wrong: [
      ...brokenTransactions(world, producers),
      ...brokenMarkers(world),
      ...brokenRecords(world.records()),
      ...brokenReigns(world, producers),
    ],
    committed: seen.filter(fate => fate === 'committed').length,
    aborted: seen.filter(fate => fate === 'aborted').length,
  }
}

test('whatever happens, transactions are atomic, answers hold, epochs only grow, and every transaction ends', async () => {
  const seeds = ONLY === undefined ? Array.from({ length: SEEDS }, (_, index) => index + 1) : [Number(ONLY)]
  let committed = 0
  let aborted = 0
  for (const seed of seeds) {
    const result = await simulate(seed)
    deepEqual(result.wrong.slice(0, 10), [], `replay with SEED=${seed} npm run simulate -- transactions`)
    committed += result.committed
    aborted += result.aborted
  }
  // A world in which nothing happens proves nothing.
  ok(committed > 20 * seeds.length && aborted > 20 * seeds.length, `${committed} committed, ${aborted} aborted`)
})

describe('a coordinator that crashes when a record has been committed', () => {
  // Start, two partitions, Prepare and Complete: whichever of them is the last, the transaction is whole.
  for (let crashAt = 1; crashAt <= 6; crashAt++) {
    for (const isCommit of [true, false]) {
      for (const version of [0, 2]) {
        const what = `${isCommit ? 'commit' : 'abort'} of version ${version}`
        test(`record ${crashAt} of a ${what}: all or nothing, and what was answered holds`, async () => {
          for (let seed = 1; seed <= 20; seed++) await crashOnce(seed, crashAt, version, isCommit)
        })
      }
    }
  }
})

async function crashOnce(seed: number, crashAt: number, version: number, isCommit: boolean): Promise<void> {
  const world = new World(seed)
  const producers = new Producers(world)
  const { clock, dice } = world
  dice.isKind = true
  world.crashAt = crashAt
  world.onCrash = () => void world.start()
  void world.start()
  void producers.once('a', version, isCommit)
  await clock.run(QUIET_MS)
  equal(world.crashes, crashAt <= 5 ? 1 : 0, `crashes with seed ${seed}`)
  deepEqual(
    [...brokenTransactions(world, producers), ...brokenMarkers(world), ...brokenRecords(world.records())],
    [],
    `seed ${seed}`,
  )
  // The one who asked goes on asking, so it learns what has become of the transaction; only a lost start is in its way.
  equal(producers.told.length, 1)
}

describe('the invariants notice a coordinator that', () => {
  const cases: Readonly<Record<string, Sabotage>> = {
    'sends markers for decisions that are not committed': {
      machine: machine => {
        const replay = machine.replay.bind(machine)
        let isLoaded = false
        const onLoaded = machine.onLoaded.bind(machine)
        machine.onLoaded = state => {
          isLoaded = true
          onLoaded(state)
        }
        machine.replay = (state, record) => {
          replay(state, record)
          if (isLoaded) machine.onCommitted([record])
        }
        return machine
      },
    },
    'forgets a marker now and then': {
      writer: writer => {
        let count = 0
        return {
          write: (topic, partition, end) =>
            count++ % 17 === 16 ? Promise.resolve(ErrorCode.NONE) : writer.write(topic, partition, end),
        }
      },
    },
    'turns a commit into an abort for some partitions': {
      writer: writer => ({
        write: (topic, partition, end) =>
          writer.write(topic, partition, { ...end, isCommit: end.isCommit && partition !== 1 }),
      }),
    },
    'does not send the markers of what it finds prepared': {
      machine: machine => {
        const onLoaded = machine.onLoaded.bind(machine)
        machine.onLoaded = (state: TransactionsState) => onLoaded({ ...state, prepared: new Set() })
        return machine
      },
    },
    'fences without a higher epoch': altering(transaction =>
      transaction.state === 'PrepareAbort' && transaction.lastProducerEpoch >= 0
        ? { ...transaction, producerEpoch: transaction.lastProducerEpoch }
        : transaction,
    ),
    'loses partitions of a transaction': altering(transaction =>
      transaction.state === 'Ongoing' && transaction.partitions.get('orders')!.size > 2
        ? { ...transaction, partitions: new Map([['orders', new Set([0, 1])]]) }
        : transaction,
    ),
    'never times out': altering(transaction => ({ ...transaction, timeoutMs: 2 ** 31 - 1 })),
    'answers before the log has the records': {
      journal: journal => ({
        ...journal,
        append: records => {
          journal.append(records).catch(() => {})
          return Promise.resolve()
        },
      }),
    },
  }

  for (const [name, sabotage] of Object.entries(cases)) {
    test(name, async () => {
      for (let seed = 1; seed <= 200; seed++) {
        if ((await simulate(seed, sabotage)).wrong.length > 0) return
      }
      throw new Error('no seed of 200 has noticed')
    })
  }
})

/** A coordinator that replays something else than what was decided. */
function altering(alter: (transaction: Transaction) => Transaction): Sabotage {
  return {
    machine: machine => {
      const replay = machine.replay.bind(machine)
      machine.replay = (state, { transactionalId, transaction }: TransactionRecord) =>
        replay(state, { transactionalId, transaction: transaction === null ? null : alter(transaction) })
      return machine
    },
  }
}
