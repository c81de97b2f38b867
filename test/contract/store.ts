// What every Store must do. test/contract/store.test.ts runs it on each of them.
import { deepEqual, equal, ok, rejects } from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'vitest'
import type { Entry, Range, Store } from '../../broker/storage/store.ts'
import { StorageError } from '../../broker/storage/storage-error.ts'
import { seededNumbers } from '../seeded.ts'

const bytes = (...values: (number | string)[]): Buffer =>
  Buffer.concat(values.map(value => (typeof value === 'string' ? Buffer.from(value) : Buffer.of(value))))

const ALL = { gte: Buffer.alloc(0), lt: Buffer.alloc(40, 0xff), limit: Infinity }

async function put(store: Store, entries: Iterable<readonly [Buffer, Buffer]>, sync = false): Promise<void> {
  const batch = store.batch()
  for (const [key, value] of entries) batch.put(key, value)
  await store.commit(batch, { sync })
}

async function keys(store: Store, range: Partial<Range> = {}): Promise<string[]> {
  return (await store.scan({ ...ALL, ...range })).map(entry => entry.key.toString('latin1'))
}

const letters = (text: string): [Buffer, Buffer][] => [...text].map(letter => [bytes(letter), bytes(`${letter}-value`)])

/** `open` makes an empty store, `dispose` removes what it left behind. */
export function storeContract(name: string, open: () => Promise<Store>, dispose: () => Promise<void>): void {
  describe(`${name} as a store`, () => {
    let store: Store
    beforeEach(async () => {
      store = await open()
    })
    afterEach(async () => {
      await store.close()
      await dispose()
    })
    readsWhatWasPut(() => store)
    scansInOrder(() => store)
    appliesBatchesWhole(() => store)
    keepsTheOrderOfCommits(() => store)
    bearsSize(() => store)
    ends(() => store)
  })
}

function readsWhatWasPut(store: () => Store): void {
  test('a key that was put has its value, another one has none', async () => {
    await put(store(), letters('b'))
    deepEqual(await store().get(bytes('b')), bytes('b-value'))
    equal(await store().get(bytes('a')), null)
    equal(await store().get(bytes('bb')), null)
  })

  test('the last value of a key wins', async () => {
    await put(store(), [
      [bytes('k'), bytes('one')],
      [bytes('k'), bytes('two')],
    ])
    deepEqual(await store().get(bytes('k')), bytes('two'))
    await put(store(), [[bytes('k'), bytes('three')]])
    deepEqual(await store().get(bytes('k')), bytes('three'))
  })

  test('an empty value is a value', async () => {
    await put(store(), [[bytes('k'), bytes()]])
    deepEqual(await store().get(bytes('k')), bytes())
    deepEqual(await store().scan(ALL), [{ key: bytes('k'), value: bytes() }])
  })

  test('getMany answers in the order of its keys, null for the missing and twice for the repeated', async () => {
    await put(store(), letters('abc'))
    const found = await store().getMany([bytes('c'), bytes('x'), bytes('a'), bytes('c')])
    deepEqual(found, [bytes('c-value'), null, bytes('a-value'), bytes('c-value')])
    deepEqual(await store().getMany([]), [])
  })

  test('a deleted key is gone, and deleting what is not there is fine', async () => {
    await put(store(), letters('abc'))
    const batch = store().batch()
    batch.delete(bytes('b'))
    batch.delete(bytes('x'))
    await store().commit(batch, { sync: false })
    deepEqual(await keys(store()), ['a', 'c'])
    equal(await store().get(bytes('b')), null)
  })

  test('deleteRange deletes from its start to before its end, and nothing when they are the wrong way round', async () => {
    await put(store(), letters('abcdef'))
    const batch = store().batch()
    batch.deleteRange(bytes('b'), bytes('d'))
    batch.deleteRange(bytes('f'), bytes('e'))
    batch.deleteRange(bytes('a'), bytes('a'))
    await store().commit(batch, { sync: false })
    deepEqual(await keys(store()), ['a', 'd', 'e', 'f'])
  })

  test('what was read stays as it was, whatever is written later', async () => {
    await put(store(), letters('a'))
    const value = await store().get(bytes('a'))
    const [entry] = await store().scan(ALL)
    await put(store(), [[bytes('a'), bytes('A-VALUE')]])
    deepEqual([value, entry!.value], [bytes('a-value'), bytes('a-value')])
  })

  test('the caller may reuse its buffers once the commit has resolved', async () => {
    const key = bytes('key')
    const value = bytes('value')
    await put(store(), [[key, value]])
    key.fill('x')
    value.fill('x')
    deepEqual(await store().scan(ALL), [{ key: bytes('key'), value: bytes('value') }])
  })
}

function scansInOrder(store: () => Store): void {
  test('keys are ordered as unsigned bytes, a shorter one before those it begins', async () => {
    const sorted = [bytes(0), bytes(0, 0), bytes(0, 1), bytes(0, 0xff), bytes(1), bytes('a'), bytes('aa'), bytes('b')]
    sorted.push(bytes(0x7f), bytes(0x80), bytes(0xff), bytes(0xff, 0), bytes(0xff, 0xff))
    await put(
      store(),
      sorted.toReversed().map(key => [key, key]),
    )
    deepEqual(
      await store().scan(ALL),
      sorted.map(key => ({ key, value: key })),
    )
    deepEqual(
      await store().scan({ ...ALL, reverse: true }),
      sorted.toReversed().map(key => ({ key, value: key })),
    )
    for (const key of sorted) deepEqual(await store().get(key), key)
  })

  test('a scan has its start and not its end, in both directions', async () => {
    await put(store(), letters('abcdef'))
    deepEqual(await keys(store(), { gte: bytes('b'), lt: bytes('e') }), ['b', 'c', 'd'])
    deepEqual(await keys(store(), { gte: bytes('b'), lt: bytes('e'), reverse: true }), ['d', 'c', 'b'])
  })

  test('the bounds of a scan need not be keys', async () => {
    await put(store(), letters('bdf'))
    deepEqual(await keys(store(), { gte: bytes('a'), lt: bytes('e') }), ['b', 'd'])
    deepEqual(await keys(store(), { gte: bytes('c'), lt: bytes('z'), reverse: true }), ['f', 'd'])
    deepEqual(await keys(store(), { gte: bytes('b', 0), lt: bytes('f', 0) }), ['d', 'f'])
  })

  test('a range without keys, or with its end before its start, is empty', async () => {
    await put(store(), letters('adf'))
    deepEqual(await keys(store(), { gte: bytes('b'), lt: bytes('c') }), [])
    deepEqual(await keys(store(), { gte: bytes('d'), lt: bytes('d') }), [])
    deepEqual(await keys(store(), { gte: bytes('f'), lt: bytes('a') }), [])
    deepEqual(await keys(store(), { gte: bytes('f'), lt: bytes('a'), reverse: true }), [])
    deepEqual(await keys(store(), { gte: bytes(), lt: bytes() }), [])
  })

  test('a limit cuts a scan where it is, and 0 is nothing', async () => {
    await put(store(), letters('abcdef'))
    deepEqual(await keys(store(), { limit: 0 }), [])
    deepEqual(await keys(store(), { limit: 1 }), ['a'])
    deepEqual(await keys(store(), { limit: 1, reverse: true }), ['f'])
    deepEqual(await keys(store(), { limit: 6 }), ['a', 'b', 'c', 'd', 'e', 'f'])
    deepEqual(await keys(store(), { limit: 7, reverse: true }), ['f', 'e', 'd', 'c', 'b', 'a'])
  })

  test('a scan without values has keys and empty values', async () => {
    await put(store(), letters('ab'))
    const entries = await store().scan({ ...ALL, values: false })
    deepEqual(entries, [
      { key: bytes('a'), value: bytes() },
      { key: bytes('b'), value: bytes() },
    ])
  })

  test('random commits leave what a sorted map would have', async () => {
    const chance = seededNumbers(7)
    const key = (): Buffer => Buffer.from([chance() * 4, chance() * 256].slice(0, 1 + Math.floor(chance() * 2)))
    const expected = new Map<string, Buffer>()
    for (let round = 0; round < 200; round++) {
      const batch = store().batch()
      for (let operation = 0; operation < 10; operation++) change(batch, expected, chance, key)
      await store().commit(batch, { sync: round % 50 === 0 })
    }
    const sorted = [...expected].sort(([a], [b]) => (a < b ? -1 : 1))
    const entries = sorted.map(([name, value]): Entry => ({ key: Buffer.from(name, 'latin1'), value }))
    deepEqual(await store().scan(ALL), entries)
    deepEqual(await store().scan({ ...ALL, reverse: true }), entries.toReversed())
    for (let probe = 0; probe < 50; probe++) {
      const [gte, lt] = [key(), key()]
      const inside = entries.filter(entry => entry.key.compare(gte) >= 0 && entry.key.compare(lt) < 0)
      deepEqual(await store().scan({ gte, lt, limit: 5 }), inside.slice(0, 5))
      deepEqual(await store().scan({ gte, lt, limit: 5, reverse: true }), inside.toReversed().slice(0, 5))
    }
  })
}

function change(
  batch: ReturnType<Store['batch']>,
  expected: Map<string, Buffer>,
  chance: () => number,
  randomKey: () => Buffer,
): void {
  const key = randomKey()
  const kind = chance()
  if (kind < 0.7) {
    const value = Buffer.from(String(chance()))
    batch.put(key, value)
    expected.set(key.toString('latin1'), value)
  } else if (kind < 0.95) {
    batch.delete(key)
    expected.delete(key.toString('latin1'))
  } else {
    const end = Buffer.from([key[0]!, Math.min(255, (key[1] ?? 0) + 20)])
    batch.deleteRange(key, end)
    for (const name of expected.keys()) {
      const other = Buffer.from(name, 'latin1')
      if (other.compare(key) >= 0 && other.compare(end) < 0) expected.delete(name)
    }
  }
}

function appliesBatchesWhole(store: () => Store): void {
  test('the operations of a batch apply in their order', async () => {
    await put(store(), letters('ac'))
    const batch = store().batch()
    batch.put(bytes('b'), bytes('lost'))
    batch.deleteRange(bytes('a'), bytes('d'))
    batch.put(bytes('b'), bytes('kept'))
    batch.put(bytes('e'), bytes('lost'))
    batch.delete(bytes('e'))
    await store().commit(batch, { sync: true })
    deepEqual(await store().scan(ALL), [{ key: bytes('b'), value: bytes('kept') }])
  })

  test('a batch knows its operations and its bytes', async () => {
    const batch = store().batch()
    deepEqual([batch.size, batch.sizeBytes], [0, 0])
    batch.put(bytes('key'), bytes('value'))
    batch.delete(bytes('key'))
    batch.deleteRange(bytes('a'), bytes('b'))
    deepEqual([batch.size, batch.sizeBytes], [3, 8 + 3 + 2])
    await store().commit(batch, { sync: false })
  })

  test('an empty batch commits', async () => {
    await store().commit(store().batch(), { sync: false })
    await store().commit(store().batch(), { sync: true })
    deepEqual(await store().scan(ALL), [])
  })

  test('a scan and a getMany that run beside commits see each of them whole or not at all', async () => {
    const names = Array.from({ length: 50 }, (_, index) => bytes(`key-${String(index).padStart(3, '0')}`))
    const write = (round: number): Promise<void> =>
      put(
        store(),
        names.map(name => [name, bytes(String(round))]),
      )
    await write(0)
    const reads: Promise<string[]>[] = []
    const writes: Promise<void>[] = []
    for (let round = 1; round <= 40; round++) {
      writes.push(write(round))
      reads.push(
        store()
          .scan(ALL)
          .then(entries => entries.map(entry => String(entry.value))),
      )
      reads.push(
        store()
          .getMany(names)
          .then(values => values.map(String)),
      )
      if (round % 4 === 0) await writes.at(-1)
    }
    for (const values of await Promise.all(reads)) {
      equal(values.length, 50)
      equal(new Set(values).size, 1)
    }
    await Promise.all(writes)
  })
}

function keepsTheOrderOfCommits(store: () => Store): void {
  test('commits that nobody waits for apply in the order of their calls', async () => {
    const commits: Promise<void>[] = []
    const resolved: number[] = []
    for (let number = 0; number < 300; number++) {
      const batch = store().batch()
      batch.put(bytes('last'), bytes(String(number)))
      batch.put(bytes(`commit-${number}`), bytes('there'))
      commits.push(
        store()
          .commit(batch, { sync: number % 7 === 0 })
          .then(() => void resolved.push(number)),
      )
    }
    await Promise.all(commits)
    deepEqual(await store().get(bytes('last')), bytes('299'))
    equal((await store().scan(ALL)).length, 301)
    const synced = resolved.filter(number => number % 7 === 0)
    deepEqual(
      synced,
      synced.toSorted((a, b) => a - b),
    )
  })

  test('a commit that has resolved is seen by every read after it', async () => {
    for (let number = 0; number < 100; number++) {
      await put(store(), [[bytes('counter'), bytes(String(number))]], number % 10 === 0)
      deepEqual(await store().get(bytes('counter')), bytes(String(number)))
      deepEqual((await store().scan(ALL))[0]!.value, bytes(String(number)))
    }
  })

  test('after a sync, what was committed before it is there', async () => {
    const commit = put(store(), letters('abc'))
    await store().sync()
    deepEqual(await keys(store()), ['a', 'b', 'c'])
    await commit
  })
}

function bearsSize(store: () => Store): void {
  test('a value of 10 MB comes back as it was', async () => {
    const value = Buffer.alloc(10 * 1024 * 1024)
    const chance = seededNumbers(1)
    for (let at = 0; at < value.length; at += 4) value.writeUInt32LE(Math.floor(chance() * 2 ** 32), at)
    await put(store(), [[bytes('large'), value]], true)
    ok(value.equals((await store().get(bytes('large')))!))
    ok(value.equals((await store().scan(ALL))[0]!.value))
  })

  test('100,000 keys in random order come back sorted, and a range of them goes in one operation', async () => {
    const chance = seededNumbers(2)
    const numbers = Array.from({ length: 100_000 }, (_, number) => number)
    for (let at = numbers.length - 1; at > 0; at--) {
      const other = Math.floor(chance() * (at + 1))
      ;[numbers[at], numbers[other]] = [numbers[other]!, numbers[at]!]
    }
    const key = (number: number): Buffer => bytes(`key-${String(number).padStart(6, '0')}`)
    for (let at = 0; at < numbers.length; at += 5_000) {
      await put(
        store(),
        numbers.slice(at, at + 5_000).map(number => [key(number), bytes(String(number))]),
      )
    }
    const entries = await store().scan(ALL)
    equal(entries.length, 100_000)
    ok(entries.every((entry, number) => entry.key.equals(key(number)) && String(entry.value) === String(number)))
    const batch = store().batch()
    batch.deleteRange(key(1_000), key(99_000))
    await store().commit(batch, { sync: true })
    equal((await keys(store())).length, 2_000)
    deepEqual(await keys(store(), { gte: key(998), limit: 4, values: false }), [
      'key-000998',
      'key-000999',
      'key-099000',
      'key-099001',
    ])
  })
}

function ends(store: () => Store): void {
  test('every call on a closed store rejects with a StorageError, and closing again is fine', async () => {
    const batch = store().batch()
    batch.put(bytes('k'), bytes('v'))
    await store().close()
    await store().close()
    await rejects(store().get(bytes('k')), StorageError)
    await rejects(store().getMany([bytes('k')]), StorageError)
    await rejects(store().scan(ALL), StorageError)
    await rejects(store().commit(batch, { sync: false }), StorageError)
    await rejects(store().sync(), StorageError)
  })

  test('closing waits for the commits and reads in flight', async () => {
    const calls: Promise<unknown>[] = []
    for (let number = 0; number < 20; number++) {
      calls.push(put(store(), [[bytes(`k${number}`), bytes('v')]], number % 3 === 0), store().scan(ALL))
    }
    await Promise.all([store().close(), ...calls])
  })
}
