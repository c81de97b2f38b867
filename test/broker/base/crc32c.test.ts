// CRC-32C against the vectors of RFC 3720 (iSCSI), B.4.
import { equal } from 'node:assert/strict'
import { test } from 'vitest'
import { crc32c } from '../../../broker/base/crc32c.ts'

test('the checksum is CRC-32C, not the polynomial of zlib', () => {
  equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  equal(crc32c(Buffer.alloc(32)), 0x8a9136aa)
  equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8ab43)
  equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index))), 0x46dd794e)
})

test('the checksum of nothing is 0', () => {
  equal(crc32c(Buffer.alloc(0)), 0)
})

test('a checksum goes on from the checksum of the bytes before', () => {
  const bytes = Buffer.from('the checksum of a batch may be made in pieces')
  for (let at = 0; at <= bytes.length; at++)
    equal(crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at))), crc32c(bytes))
})
