// Measures the record batch layer: checksums, codecs, and validateProduce against the checksum it cannot do without.
// Run: node bench/records.ts [seconds per case, default 0.5]. Prints MB of records (before compression) per second.
import { crc32c as native } from '@node-rs/crc32'
import { readdirSync, readFileSync } from 'node:fs'
import { crc32 as zlibCrc32 } from 'node:zlib'
import { crc32c } from '../broker/base/crc32c.ts'
import { buildBatch, HEADER_SIZE, isCrcValid, readHeader } from '../broker/records/batch.ts'
import { compress, decompress, type Compression } from '../broker/records/compression.ts'
import { readRecords, type RecordInit } from '../broker/records/record.ts'
import { validateProduce, type ProduceLimits } from '../broker/records/validate.ts'

const seconds = Number(process.argv[2] ?? 0.5)

/** Runs `work` for a while, five times, and prints the best. Counts processor time: the machine may have other work. */
function measure(name: string, sizeBytes: number, work: () => unknown): void {
  for (let round = 0; round < 50; round++) work()
  // Asking for the time costs a microsecond; small work is asked less often.
  const batchSize = sizeBytes > 100_000 ? 8 : 1000
  let best = Infinity
  for (let attempt = 0; attempt < 5; attempt++) {
    const start = processorTimeMs()
    let rounds = 0
    let spent = 0
    while (spent < seconds * 200) {
      for (let repeat = 0; repeat < batchSize; repeat++) work()
      rounds += batchSize
      spent = processorTimeMs() - start
    }
    best = Math.min(best, spent / rounds)
  }
  const rate = sizeBytes / 1000 / best
  console.log(`${name.padEnd(48)} ${(best * 1000).toFixed(2).padStart(10)} us ${rate.toFixed(0).padStart(8)} MB/s`)
}

function processorTimeMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** CRC-32C by a table, one byte at a time: what a checksum without native code costs. */
function tableCrc32c(): (bytes: Uint8Array) => number {
  const table = new Int32Array(256)
  for (let index = 0; index < 256; index++) {
    let value = index
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
    table[index] = value
  }
  return bytes => {
    let crc = -1
    for (let index = 0; index < bytes.length; index++) crc = (crc >>> 8) ^ table[(crc ^ bytes[index]!) & 0xff]!
    return (crc ^ -1) >>> 0
  }
}

/** Text of this machine: the declarations of TypeScript's own library, as a stand-in for JSON and log lines. */
function sampleText(): Buffer {
  const folder = new URL('../node_modules/typescript/lib/', import.meta.url)
  const names = readdirSync(folder).filter(name => name.endsWith('.d.ts'))
  return Buffer.concat(names.map(name => readFileSync(new URL(name, folder))))
}

function recordsOf(text: Buffer, count: number, sizeBytes: number): RecordInit[] {
  const records: RecordInit[] = []
  for (let index = 0; index < count; index++) {
    const at = (index * sizeBytes) % (text.length - sizeBytes)
    records.push({ timestamp: NOW, key: Buffer.from(`key-${index}`), value: text.subarray(at, at + sizeBytes) })
  }
  return records
}

const NOW = 1_800_000_000_000
const KEPT: ProduceLimits = {
  maxMessageBytes: 10 << 20,
  segmentBytes: 1 << 30,
  isCompacted: false,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: 3_600_000,
  compressionType: 'producer',
}

const text = sampleText()

console.log('checksums')
const table = tableCrc32c()
for (const size of [100, 1024, 16 << 10, 1 << 20]) {
  const bytes = text.subarray(0, size)
  measure(`  @node-rs/crc32 crc32c, ${size} bytes`, size, () => native(bytes))
  measure(`  our crc32c, ${size} bytes`, size, () => crc32c(bytes))
  measure(`  table in JavaScript, ${size} bytes`, size, () => table(bytes))
  measure(`  zlib crc32 (another polynomial), ${size} bytes`, size, () => zlibCrc32(bytes))
}

console.log('validateProduce and what it is made of')
const shapes = [
  ['1 MB of 1 KiB', 1000, 1024],
  ['1 MB of 100 B', 8000, 100],
  ['16 KB of 1 KiB', 15, 1024],
  ['16 KB of 100 B', 130, 100],
  ['one of 100 B', 1, 100],
] as const
for (const [shape, count, size] of shapes) {
  const records = recordsOf(text, count, size)
  const batch = buildBatch({ records })
  measure(`  ${shape}: checksum alone`, batch.length, () => isCrcValid(batch))
  measure(`  ${shape}: validateProduce`, batch.length, () => validateProduce(batch, KEPT, NOW))
  const stamped = Buffer.from(batch)
  const stamping: ProduceLimits = { ...KEPT, timestampType: 'LogAppendTime' }
  measure(`  ${shape}: validateProduce, LogAppendTime`, batch.length, () => {
    batch.copy(stamped, 0, 0, HEADER_SIZE)
    return validateProduce(stamped, stamping, NOW)
  })
  measure(`  ${shape}: readHeader`, 61, () => readHeader(batch))
  measure(`  ${shape}: readRecords`, batch.length, () => readRecords(batch))
  measure(`  ${shape}: buildBatch`, batch.length, () => buildBatch({ records }))
}

console.log('codecs')
for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] satisfies Compression[]) {
  for (const [size, bound] of [
    [1024, 1 << 20],
    [16 << 10, 1 << 20],
    [1 << 20, 4 << 20],
  ] as const) {
    const bytes = text.subarray(0, size)
    const compressed = compress(compression, bytes)
    const ratio = (compressed.length / size).toFixed(2)
    measure(`  ${compression} compress, ${size} bytes (to ${ratio})`, size, () => compress(compression, bytes))
    measure(`  ${compression} decompress, ${size} bytes`, size, () => decompress(compression, compressed, bound))
  }
  const batch = buildBatch({ compression, records: recordsOf(text, 1000, 1024) })
  measure(`  ${compression} validateProduce, 1 MB of 1 KiB`, 1000 * 1024, () => validateProduce(batch, KEPT, NOW))
}
