// Random batches, most of them damaged, and what Apache Kafka says to them: the same error, the same records at fault, the same
// largest timestamp. Batches to which our answer differs on purpose (see validate.ts) are not among them.
import { equal } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { errorName } from '../../../broker/protocol/errors.ts'
import { readRecords } from '../../../broker/records/record.ts'
import { validateProduce, type ProduceLimits } from '../../../broker/records/validate.ts'

const CASES = readFileSync(new URL('golden/kafka-verdicts.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'))

test('every batch gets the answer of Kafka', () => {
  for (const line of CASES) {
    const fields = line.split(' ')
    const [maxBytes, compacted, type, before, after, compression, now, error, errorIndexes, maxTimestamp, hex] = fields
    const limits: ProduceLimits = {
      maxMessageBytes: Number(maxBytes),
      segmentBytes: 1 << 30,
      isCompacted: compacted === 'compacted',
      timestampType: type as ProduceLimits['timestampType'],
      timestampBeforeMaxMs: Number(before),
      timestampAfterMaxMs: Number(after),
      compressionType: compression as ProduceLimits['compressionType'],
    }
    const verdict = validateProduce(Buffer.from(hex!, 'hex'), limits, Number(now))
    equal(errorName(verdict.errorCode), error, line)
    if (verdict.errorCode === 0) {
      equal(verdict.header.maxTimestamp, Number(maxTimestamp), line)
      equal(readRecords(verdict.batch).length, verdict.header.recordCount, line)
    } else {
      equal(verdict.recordErrors.map(({ batchIndex }) => batchIndex).join('+') || '-', errorIndexes, line)
    }
  }
})
