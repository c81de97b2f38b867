import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { ConnectionRates } from '../../../broker/server/connection-rates.ts'
import type { MetadataRecord } from '../../../broker/metadata/records.ts'
import { manualClock } from '../../manual-clock.ts'
import { imageOf } from '../metadata/images.ts'

const quota = (ip: string | null, value: number | null): MetadataRecord => ({
  kind: 'client-quota-changed',
  entity: { ip },
  key: 'connection_creation_rate',
  value,
})

test('an address may open as many connections as its quota says, others as many as everybody', () => {
  const clock = manualClock()
  let image = imageOf(quota('0:0:0:0:0:0:0:1', 1), quota(null, 2))
  const rates = new ConnectionRates(clock, () => image, { windows: 11, windowMs: 1000 })
  const opened = (ip: string) => Array.from({ length: 30 }, () => rates.refusalMs(ip)).filter(ms => ms === 0).length
  deepEqual([opened('::1'), opened('10.0.0.1'), opened('10.0.0.2')], [10, 20, 20])
  clock.advance(5_000)
  deepEqual([opened('::1'), opened('10.0.0.1')], [0, 0])
  clock.advance(6_000)
  // What was refused did not count.
  deepEqual([opened('::1'), opened('10.0.0.1')], [10, 20])
  image = imageOf()
  equal(opened('::1'), 30)
})

test('who is refused is kept waiting for a window at most', () => {
  const image = imageOf(quota(null, 1))
  const rates = new ConnectionRates(manualClock(), () => image, { windows: 2, windowMs: 1000 })
  equal(rates.refusalMs('10.0.0.1'), 0)
  for (let i = 0; i < 9; i++) equal(rates.refusalMs('10.0.0.1'), 1000)
})
