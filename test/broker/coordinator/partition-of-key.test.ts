import { deepEqual } from 'node:assert/strict'
import { test } from 'vitest'
import { partitionOfKey } from '../../../broker/coordinator/partition-of-key.ts'

test('a key is kept where Kafka keeps it: the absolute value of the hash that Java gives the string', () => {
  // "hello" hashes to 99162322, "console-consumer" is negative; both as Java says.
  deepEqual(
    [partitionOfKey('', 50), partitionOfKey('a', 50), partitionOfKey('hello', 50), partitionOfKey('ä€𝄞', 50)],
    [0, 97 % 50, 99162322 % 50, Math.abs(228 * 31 ** 3 + 8364 * 31 ** 2 + 0xd834 * 31 + 0xdd1e) % 50],
  )
})

test('the one hash without a positive counterpart belongs to partition 0', () => {
  // A string whose hash is the smallest int.
  deepEqual(partitionOfKey('polygenelubricants', 50), 0)
  deepEqual(partitionOfKey('polygenelubricants', 7), 0)
})
