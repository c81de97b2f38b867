import { equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { UserError, userErrorIn } from '../../../broker/base/user-error.ts'

test('an error for people is found among the causes of another', () => {
  const error = new UserError('The port is taken.', 'Take another.')
  equal(userErrorIn(error), error)
  equal(userErrorIn(new Error('outer', { cause: new Error('middle', { cause: error }) })), error)
})

test('a system error that people can do something about gets a fix', () => {
  const full = Object.assign(new Error('write failed'), { code: 'ENOSPC' })
  equal(userErrorIn(new Error('the journal failed', { cause: full }))?.message, 'Write failed.')
  ok(userErrorIn(new Error('cannot be opened: No space left on device'))?.fix.startsWith('Free some space'))
})

test('our own mistakes are not made to look like theirs', () => {
  equal(userErrorIn(new TypeError('x is not a function')), null)
  equal(userErrorIn('text'), null)
  const loop = new Error('loop')
  loop.cause = loop
  equal(userErrorIn(loop), null)
})
