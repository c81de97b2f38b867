import { equal } from 'node:assert/strict'
import { test } from 'vitest'
import { canonicalIp } from '../../../broker/base/ip.ts'

test('every spelling of an address is one text', () => {
  equal(canonicalIp('10.0.0.1'), '10.0.0.1')
  equal(canonicalIp('::ffff:10.0.0.1'), '10.0.0.1')
  equal(canonicalIp('::FFFF:10.0.0.1'), '10.0.0.1')
  equal(canonicalIp('0:0:0:0:0:0:0:1'), '::1')
  equal(canonicalIp('2001:DB8::0:5'), '2001:db8::5')
  equal(canonicalIp('fe80::1%eth0'), 'fe80::1')
})

test('what is no address is null', () => {
  for (const text of ['', 'localhost', '10.0.0', '10.0.0.256', ':::', '[::1]', '1.2.3.4:9092', 'a'.repeat(100_000)]) {
    equal(canonicalIp(text), null)
  }
})
