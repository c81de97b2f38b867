// Batches as nine clients sent them: each is valid, stays as it is, and says the same whatever the client and its compression.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { isCrcValid, readHeader } from '../../../broker/records/batch.ts'
import { compress, decompress } from '../../../broker/records/compression.ts'
import { decompressRecords, readRecords } from '../../../broker/records/record.ts'
import { validateProduce, type ProduceLimits } from '../../../broker/records/validate.ts'
import { COMPRESSIONS, NOW } from './samples.ts'

const LIMITS: ProduceLimits = {
  maxMessageBytes: 1_048_588,
  segmentBytes: 1 << 30,
  isCompacted: true,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: -1,
  timestampAfterMaxMs: 3_600_000,
  compressionType: 'producer',
}

const BATCHES = readFileSync(new URL('golden/client-batches.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'))
  .map(line => {
    const [client, compression, first, hex] = line.split(' ')
    return {
      client: client!,
      compression: compression!,
      first: Number(first),
      bytes: (): Buffer => Buffer.from(hex!, 'hex'),
    }
  })

/** What every client was told to produce: record `index` of five. */
function produced(index: number): { timestamp: number; key: string; value: string; headers: string } {
  return {
    timestamp: 1_700_000_000_000 + index,
    key: `key-${index}`,
    value: `value ${index} of a record; `.repeat(20),
    headers: 'h=x',
  }
}

for (const { client, compression, first, bytes } of BATCHES) {
  test(`the ${compression} batch of ${client} from record ${first} is valid and kept as it is`, () => {
    const verdict = validateProduce(bytes(), LIMITS, NOW)
    ok(verdict.errorCode === 0, JSON.stringify(verdict))
    deepEqual(verdict.batch, bytes())
    equal(verdict.header.compression, compression)
    const records = readRecords(verdict.batch)
    equal(records.length, verdict.header.recordCount)
    records.forEach((record, index) => {
      deepEqual(
        {
          timestamp: record.timestamp,
          key: record.key?.toString(),
          value: record.value?.toString(),
          headers: record.headers.map(({ key, value }) => `${key}=${value?.toString()}`).join(),
        },
        produced(first + index),
      )
    })
  })

  test(`the ${compression} batch of ${client} from record ${first} says the same in any compression`, () => {
    const expected = readRecords(bytes())
    for (const compressionType of COMPRESSIONS) {
      const verdict = validateProduce(bytes(), { ...LIMITS, compressionType }, NOW)
      ok(verdict.errorCode === 0)
      ok(isCrcValid(verdict.batch))
      equal(readHeader(verdict.batch).compression, compressionType)
      deepEqual(readRecords(verdict.batch), expected)
    }
  })
}

test('what Java wrote, compressed and decompressed by us, is what Java wrote', () => {
  const java = BATCHES.filter(({ client }) => client === 'java')
  equal(java.length, COMPRESSIONS.length)
  const plain = decompressRecords(java.find(({ compression }) => compression === 'none')!.bytes(), 10_000)
  for (const { bytes } of java) deepEqual(decompressRecords(bytes(), 10_000), plain)
  for (const compression of COMPRESSIONS)
    deepEqual(decompress(compression, compress(compression, plain), 10_000), plain)
})
