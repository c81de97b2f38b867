// The store by itself: what a commit costs with and without sync, reads and scans, and the memory of a process that has one open.
// docs/decisions/0001-rocksdb-binding.md quotes it. `cpu` is time of all threads of the process, background work included.
//
//   node bench/store.ts [--seconds 2] [--write-buffer-mb 16] [--folder /tmp] [--only commit,read,memory,disk]
import { fork } from 'node:child_process'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openRocksStore } from '../broker/storage/rocks-store.ts'
import type { Store } from '../broker/storage/store.ts'

const KIB = 1024
const MIB = 1024 * KIB

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    'write-buffer-mb': { type: 'string', default: '16' },
    folder: { type: 'string', default: tmpdir() },
    only: { type: 'string', default: 'disk,commit,read,memory' },
    child: { type: 'string' },
  },
})
const seconds = Number(flags.seconds)
const writeBufferBytes = Number(flags['write-buffer-mb']) * MIB

const rssMb = (): number => process.memoryUsage.rss() / 1e6
const key = (number: number): Buffer => Buffer.from(`some-topic-id-16/0003/${String(number).padStart(12, '0')}`)

/** Calls `run` one after the other for a while; prints rate, latency and CPU of one call. */
async function measure(name: string, run: (call: number) => Promise<unknown>, forSeconds = seconds): Promise<void> {
  for (let call = 0; call < 20; call++) await run(call)
  const latencies: number[] = []
  const cpu = process.cpuUsage()
  const start = performance.now()
  while (performance.now() - start < forSeconds * 1000) {
    const before = performance.now()
    await run(latencies.length + 20)
    latencies.push((performance.now() - before) * 1000)
  }
  const elapsed = (performance.now() - start) / 1000
  const { user, system } = process.cpuUsage(cpu)
  latencies.sort((a, b) => a - b)
  const at = (part: number): string => latencies[Math.floor(latencies.length * part)]!.toFixed(0).padStart(6)
  const rate = (latencies.length / elapsed).toFixed(0).padStart(7)
  const cpuUs = ((user + system) / latencies.length).toFixed(0).padStart(6)
  console.log(
    `${name.padEnd(36)} ${rate}/s  p50 ${at(0.5)}  p99 ${at(0.99)} us  cpu ${cpuUs} us  rss ${rssMb().toFixed(0)} MB`,
  )
}

async function withStore(run: (store: Store) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(join(flags.folder, 'flotilla-bench-'))
  try {
    const store = await openRocksStore(join(folder, 'store'), { writeBufferBytes })
    await run(store)
    await store.close()
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
}

/** What the disk itself does: append and fdatasync, without a store. */
async function disk(): Promise<void> {
  const folder = fs.mkdtempSync(join(flags.folder, 'flotilla-bench-'))
  for (const sizeBytes of [KIB, 16 * KIB, 96 * KIB]) {
    const file = await fs.promises.open(join(folder, String(sizeBytes)), 'w')
    const bytes = Buffer.alloc(sizeBytes, 1)
    await measure(`append ${sizeBytes / KIB} KiB and fdatasync`, async call => {
      await file.write(bytes, 0, sizeBytes, call * sizeBytes)
      await file.datasync()
    })
    await file.close()
  }
  fs.rmSync(folder, { recursive: true })
}

async function commits(): Promise<void> {
  for (const sync of [false, true]) {
    for (const [count, sizeBytes] of [
      [1, KIB],
      [1, 16 * KIB],
      [6, 16 * KIB],
      [1000, 100],
      [10_000, 50],
    ] as const) {
      const value = Buffer.alloc(sizeBytes, 5)
      const size = sizeBytes >= KIB ? `${sizeBytes / KIB} KiB` : `${sizeBytes} B`
      await withStore(store =>
        measure(`commit ${count} x ${size}${sync ? ', sync' : ''}`, call => {
          const batch = store.batch()
          for (let entry = 0; entry < count; entry++) batch.put(key(call * count + entry), value)
          return store.commit(batch, { sync })
        }),
      )
    }
  }
  await withStore(async store => {
    const value = Buffer.alloc(KIB, 5)
    await measure('64 callers, commit 1 x 1 KiB, sync', async call => {
      const pending: Promise<void>[] = []
      for (let caller = 0; caller < 64; caller++) {
        const batch = store.batch()
        batch.put(key(call * 64 + caller), value)
        pending.push(store.commit(batch, { sync: true }))
      }
      await Promise.all(pending)
    })
  })
}

async function reads(): Promise<void> {
  await withStore(async store => {
    const value = Buffer.alloc(200, 5)
    for (let start = 0; start < 200_000; start += 1000) {
      const batch = store.batch()
      for (let number = start; number < start + 1000; number++) batch.put(key(number), value)
      await store.commit(batch, { sync: false })
    }
    const somewhere = (call: number): number => (call * 7919) % 190_000
    await measure('get', call => store.get(key(somewhere(call))))
    await measure('get, missing', call => store.get(key(somewhere(call) + 1_000_000)))
    await measure('getMany of 100', call =>
      store.getMany(Array.from({ length: 100 }, (_, index) => key(somewhere(call) + index * 50))),
    )
    for (const limit of [1, 10, 100, 1000, 10_000]) {
      const range = (call: number) => ({ gte: key(somewhere(call)), lt: key(900_000), limit })
      await measure(`scan ${limit}`, call => store.scan(range(call)))
    }
    await measure('scan 1, backwards', call =>
      store.scan({ gte: key(0), lt: key(somewhere(call) + 1), limit: 1, reverse: true }),
    )
    await measure('scan 10000, keys only', call =>
      store.scan({ gte: key(somewhere(call)), lt: key(900_000), limit: 10_000, values: false }),
    )
  })
}

/** In a process of its own: what opening a store adds to it, and what stays after it has worked. */
async function memory(): Promise<void> {
  const empty = rssMb()
  await withStore(async store => {
    console.log(`memory: Node ${empty.toFixed(0)} MB, with an open store ${rssMb().toFixed(0)} MB`)
    const value = Buffer.alloc(4 * KIB, 5)
    for (let number = 0; number < 50_000; number += 6) {
      const batch = store.batch()
      for (let entry = 0; entry < 6; entry++) batch.put(key(number + entry), value)
      await store.commit(batch, { sync: false })
    }
    console.log(`memory: after 200 MB of commits ${rssMb().toFixed(0)} MB`)
    for (let start = 0; start < 50_000; start += 500) {
      await store.scan({ gte: key(start), lt: key(900_000), limit: 500 })
    }
    console.log(`memory: after reading them ${rssMb().toFixed(0)} MB`)
  })
}

const parts: Readonly<Record<string, () => Promise<void>>> = { disk, commit: commits, read: reads, memory }

if (flags.child !== undefined) {
  await parts[flags.child]!()
} else {
  for (const part of flags.only.split(',')) {
    const child = fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), '--child', part])
    await new Promise(resolve => child.once('exit', resolve))
  }
}
