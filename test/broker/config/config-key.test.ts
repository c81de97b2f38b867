import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { booleanOf, checkValue, listOf, numberOf, type ConfigKey } from '../../../broker/config/config-key.ts'
import { between, betweenOr, int, list, oneOf, oneOfAnyCase, string, type Kind } from '../../../broker/config/kinds.ts'

const key = (kind: Kind, more: Partial<ConfigKey> = {}): ConfigKey => ({
  name: 'some.key',
  ...kind,
  doc: '',
  honoured: true,
  ...more,
})

test('numbers outside of their type are refused, whatever their length', () => {
  equal(checkValue(key(int(0)), '2147483647'), null)
  equal(
    checkValue(key(int(0)), '2147483648'),
    'Invalid value 2147483648 for configuration some.key: Not a number of type INT',
  )
  ok(checkValue(key(int(0)), '9'.repeat(1_000_000)))
})

test('a range names the bound that was passed', () => {
  const rule = key(int(1, between(1, 9)))
  equal(checkValue(rule, '0'), 'Invalid value 0 for configuration some.key: Value must be at least 1')
  equal(checkValue(rule, '10'), 'Invalid value 10 for configuration some.key: Value must be no more than 9')
  equal(checkValue(key(int(-1, betweenOr(1, 9, -1))), '-1'), null)
})

test('each entry of a list is checked, blanks around it do not count', () => {
  const rule = key(list('', oneOf('a', 'b')))
  equal(checkValue(rule, ' a ,b'), null)
  equal(checkValue(rule, ''), null)
  equal(checkValue(rule, 'a,c'), 'Invalid value c for configuration some.key: String must be one of: a, b')
  deepEqual(listOf(' a , b ,,c'), ['a', 'b', '', 'c'])
  deepEqual(listOf('  '), [])
})

test('words count in any case only where Kafka says so', () => {
  ok(checkValue(key(string('a', oneOf('a'))), 'A'))
  equal(checkValue(key(string('A', oneOfAnyCase('A'))), 'a'), null)
})

test('a password appears in no message, and a hostile value does not fill the log', () => {
  const refused = { validate: () => 'no' }
  equal(
    checkValue(key(string(''), { ...refused, isSensitive: true }), 'hunter2'),
    'Invalid value [hidden] for configuration some.key: no',
  )
  ok(checkValue(key(string(''), refused), 'x'.repeat(10_000))!.length < 300)
})

test('what a number cannot hold exactly reads as no limit', () => {
  equal(numberOf('9223372036854775807'), Number.MAX_SAFE_INTEGER)
  equal(numberOf(' +12 '), 12)
  equal(numberOf('1.5e3d'), 1500)
  equal(booleanOf(' TRUE '), true)
})
