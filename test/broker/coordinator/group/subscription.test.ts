import { deepEqual, equal } from 'node:assert/strict'
import { test } from 'vitest'
import { subscribedTopics } from '../../../../broker/coordinator/group/subscription.ts'
import { seededNumbers } from '../../../seeded.ts'
import { subscription } from './group-world.ts'

test('the topics of a subscription are read, whatever its version has behind them', () => {
  deepEqual(subscribedTopics(subscription('orders', 'pàyments')), ['orders', 'pàyments'])
  const later = Buffer.concat([subscription('orders'), Buffer.from('more')])
  later.writeInt16BE(3)
  deepEqual(subscribedTopics(later), ['orders'])
  deepEqual(subscribedTopics(subscription()), [])
})

test('what is no subscription is none, however it lies about its lengths', () => {
  const whole = subscription('orders', 'payments')
  for (let length = 0; length < whole.length - 4; length++) equal(subscribedTopics(whole.subarray(0, length)), null)
  const huge = Buffer.from(whole)
  huge.writeInt32BE(0x7fff_ffff, 2)
  equal(subscribedTopics(huge), null)
  const negative = Buffer.from(whole)
  negative.writeInt16BE(-1, 6)
  equal(subscribedTopics(negative), null)
})

test('random bytes never throw', () => {
  const next = seededNumbers(7)
  for (let round = 0; round < 5000; round++) {
    subscribedTopics(Buffer.from(Array.from({ length: Math.floor(next() * 40) }, () => next() * 4)))
  }
})
