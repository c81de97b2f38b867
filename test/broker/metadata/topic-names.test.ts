import { equal } from 'node:assert/strict'
import { test } from 'vitest'
import { invalidTopicName, unifiedName } from '../../../broker/metadata/topic-names.ts'

test('letters, digits, dots, underscores and dashes up to 249 make a name', () => {
  for (const name of ['a', 'A-1_b.C', '...', '-', '__consumer_offsets', 'x'.repeat(249)]) {
    equal(invalidTopicName(name), null, name)
  }
})

test('everything else says what is wrong with it', () => {
  equal(invalidTopicName(''), 'Topic name is invalid: the empty string is not allowed')
  equal(invalidTopicName('.'), "Topic name is invalid: '.' is not allowed")
  equal(invalidTopicName('..'), "Topic name is invalid: '..' is not allowed")
  equal(
    invalidTopicName('x'.repeat(250)),
    `Topic name is invalid: the length of '${'x'.repeat(250)}' is longer than the max allowed length 249`,
  )
  for (const name of ['a b', 'ä', 'a/b', 'a\n', 'a\0', 'a:b', '😀']) {
    equal(
      invalidTopicName(name),
      `Topic name is invalid: '${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`,
    )
  }
})

test('names that differ only in dots and underscores have one form', () => {
  equal(unifiedName('a.b_c'), 'a_b_c')
  equal(unifiedName('a_b.c'), 'a_b_c')
  equal(unifiedName('abc'), null)
})
