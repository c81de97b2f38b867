import { equal } from 'node:assert/strict'
import { test } from 'vitest'
import { nearest } from '../../../broker/config/nearest.ts'

const WORDS = ['num.partitions', 'log.retention.ms', 'broker', 'up']

test('a slip or two, swapped letters and other separators are forgiven', () => {
  equal(nearest('num.partition', WORDS), 'num.partitions')
  equal(nearest('num.paritions', WORDS), 'num.partitions')
  equal(nearest('borker', WORDS), 'broker')
  equal(nearest('LOG_RETENTION_MS', WORDS), 'log.retention.ms')
})

test('what is like nothing gets no suggestion', () => {
  equal(nearest('completely-different', WORDS), null)
  equal(nearest('', WORDS), null)
  equal(nearest('ls', WORDS), null)
  equal(nearest('upp', WORDS), 'up')
  equal(nearest('x'.repeat(1_000_000), WORDS), null)
})
