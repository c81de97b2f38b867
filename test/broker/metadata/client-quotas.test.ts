// AlterClientQuotas and DescribeClientQuotas as decisions; the errors are those that Kafka 4.4 gives for the same requests.
import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { alterClientQuotas, describeClientQuotas, MatchType } from '../../../broker/metadata/client-quotas.ts'
import type { QuotaAlteration, QuotaFilter } from '../../../broker/metadata/client-quotas.ts'
import { emptyImage, type MetadataImage } from '../../../broker/metadata/image.ts'
import { ErrorCode } from '../../../broker/protocol/errors.ts'
import { decide, imageOf } from './images.ts'

type Parts = Readonly<Record<string, string | null>>

const entityOf = (parts: Parts) => Object.entries(parts).map(([entityType, entityName]) => ({ entityType, entityName }))

/** A change of one entity: numbers set, null removes. */
const change = (parts: Parts, values: Readonly<Record<string, number | null>>): QuotaAlteration => ({
  entity: entityOf(parts),
  ops: Object.entries(values).map(([key, value]) => ({ key, value: value ?? 0, remove: value === null })),
})

const alter = (image: MetadataImage, ...alterations: readonly QuotaAlteration[]) =>
  decide(image, (before, emit) => alterClientQuotas(before, alterations, { validateOnly: false }, emit))

function describe(image: MetadataImage, components: readonly [string, number, string | null][], strict = false) {
  const found = describeClientQuotas(image, filterOf(components, strict))
  ok(Array.isArray(found))
  return found.map(({ entity, values }) => ({ ...entity, ...Object.fromEntries(values) }))
}

const filterOf = (components: readonly [string, number, string | null][], strict = false): QuotaFilter => ({
  components: components.map(([entityType, matchType, match]) => ({ entityType, matchType, match })),
  strict,
})

test('quotas of an entity are set, changed and removed, and only changes are recorded', () => {
  const alice = { user: 'alice' }
  const first = alter(emptyImage, change(alice, { producer_byte_rate: 1e6, request_percentage: 12.5 }))
  deepEqual(first.answer, [{ errorCode: ErrorCode.NONE, errorMessage: null, entity: entityOf(alice) }])
  deepEqual(describe(first.image, []), [{ user: 'alice', producer_byte_rate: 1e6, request_percentage: 12.5 }])
  const second = alter(first.image, change(alice, { producer_byte_rate: 1e6, request_percentage: null }))
  deepEqual(second.records, [{ kind: 'client-quota-changed', entity: alice, key: 'request_percentage', value: null }])
  const third = alter(second.image, change(alice, { producer_byte_rate: null, nonsense: null }))
  equal(third.image.clientQuotas.size, 0)
})

test('users, client ids, both and addresses have quotas, and so has everybody else of a type', () => {
  const { answer, image } = alter(
    emptyImage,
    change({ user: 'a' }, { producer_byte_rate: 1 }),
    change({ user: null }, { producer_byte_rate: 2 }),
    change({ 'client-id': 'c' }, { consumer_byte_rate: 3 }),
    change({ user: 'a', 'client-id': null }, { controller_mutation_rate: 0.5 }),
    change({ user: null, 'client-id': null }, { request_percentage: 5 }),
    change({ ip: '10.0.0.1' }, { connection_creation_rate: 6 }),
    change({ ip: '::1' }, { connection_creation_rate: 7 }),
    change({ ip: null }, { connection_creation_rate: 8 }),
  )
  ok(answer.every(({ errorCode }) => errorCode === ErrorCode.NONE))
  equal(image.clientQuotas.size, 8)
})

test('names that look like one another are different entities', () => {
  const { image } = alter(
    emptyImage,
    change({ user: 'a', 'client-id': 'b' }, { producer_byte_rate: 1 }),
    change({ user: 'a1:b' }, { producer_byte_rate: 2 }),
    change({ user: '*' }, { producer_byte_rate: 3 }),
    change({ user: null }, { producer_byte_rate: 4 }),
    change({ user: '__proto__' }, { producer_byte_rate: 5 }),
  )
  equal(image.clientQuotas.size, 5)
  deepEqual(describe(image, [['user', MatchType.EXACT, '*']]), [{ user: '*', producer_byte_rate: 3 }])
})

test('what is wrong with an entity, a key or a value is said in words, and none of its changes is made', () => {
  const x = { user: 'x' }
  const ip = { ip: '10.0.0.1' }
  const wrong: [QuotaAlteration, string][] = [
    [change({}, { producer_byte_rate: 1 }), 'Invalid empty client quota entity'],
    [change({ role: 'a' }, { producer_byte_rate: 1 }), 'Unhandled client quota entity type: role'],
    [change({ user: '' }, { producer_byte_rate: 1 }), 'Empty user not supported'],
    [
      change({ user: 'x', ip: '10.0.0.1' }, { connection_creation_rate: 1 }),
      'Invalid quota entity combination, IP entity should not be combined with User or ClientId',
    ],
    [
      change({ ip: 'localhost' }, { connection_creation_rate: 1 }),
      'localhost is not a valid IP; host names are not resolved here.',
    ],
    [change(x, { producer_byte_rate: 9, nonsense: 1 }), 'Invalid configuration key nonsense'],
    [change(x, { connection_creation_rate: 1 }), 'Invalid configuration key connection_creation_rate'],
    [change(ip, { producer_byte_rate: 1 }), 'Invalid configuration key producer_byte_rate'],
    [change(x, { producer_byte_rate: 0 }), 'Quota producer_byte_rate must be greater than 0'],
    [change(x, { request_percentage: -1 }), 'Quota request_percentage must be greater than 0'],
    [change(x, { producer_byte_rate: NaN }), 'Quota producer_byte_rate must be a finite number'],
    [change(x, { request_percentage: Infinity }), 'Quota request_percentage must be a finite number'],
    [change(x, { producer_byte_rate: 1.5 }), 'producer_byte_rate cannot be a fractional value.'],
    [change(x, { producer_byte_rate: 1e30 }), 'Proposed value for producer_byte_rate is too large for a LONG.'],
    [
      change(ip, { connection_creation_rate: 3e9 }),
      'Proposed value for connection_creation_rate is too large for an INT.',
    ],
    [
      {
        entity: entityOf(x),
        ops: [1, 2].map(value => ({ key: 'producer_byte_rate', value, remove: false })),
      },
      'Duplicate quota key producer_byte_rate',
    ],
  ]
  for (const [alteration, message] of wrong) {
    const { answer, records } = alter(emptyImage, alteration)
    equal(answer.length, 1)
    deepEqual([answer[0]!.errorCode, answer[0]!.errorMessage], [ErrorCode.INVALID_REQUEST, message])
    deepEqual(records, [])
  }
})

test('an entity that appears twice is answered once and not altered; the parts may be in any order', () => {
  const { answer, records } = alter(
    emptyImage,
    change({ user: 'x', 'client-id': 'c' }, { producer_byte_rate: 1 }),
    change({ 'client-id': 'c', user: 'x' }, { consumer_byte_rate: 1 }),
    change({ user: 'y' }, { consumer_byte_rate: 1 }),
  )
  deepEqual(
    answer.map(({ errorCode, errorMessage }) => [errorCode, errorMessage]),
    [
      [ErrorCode.INVALID_REQUEST, 'Ignoring duplicate entity ClientQuotaEntity(entries={client-id=c, user=x})'],
      [ErrorCode.NONE, null],
    ],
  )
  equal(records.length, 1)
})

test('a dry run checks everything and changes nothing', () => {
  const wrong = change({ user: 'x' }, { nonsense: 1 })
  const fine = change({ user: 'y' }, { producer_byte_rate: 1 })
  const { answer, records } = decide(emptyImage, (image, emit) =>
    alterClientQuotas(image, [wrong, fine], { validateOnly: true }, emit),
  )
  deepEqual(
    answer.map(({ errorCode }) => errorCode),
    [ErrorCode.INVALID_REQUEST, ErrorCode.NONE],
  )
  deepEqual(records, [])
})

test('a request of more than 10,000 changes is refused as a whole', () => {
  const numbered = <T>(make: (index: number) => T) => Array.from({ length: 10_003 }, (_, index) => make(index))
  const part = (index: number) => ({ entityType: `type ${index}`, entityName: 'a' })
  const op = (index: number) => ({ key: `key ${index}`, value: 1, remove: true })
  const excessive: QuotaAlteration[][] = [
    numbered(index => change({ user: `u${index}` }, { producer_byte_rate: 1 })),
    numbered(index => change({ user: `u${index}` }, {})),
    [{ entity: entityOf({ user: 'x' }), ops: numbered(op) }],
    [{ entity: numbered(part), ops: [] }],
  ]
  for (const alterations of excessive) {
    const { answer, records } = alter(emptyImage, ...alterations)
    equal(answer.length, alterations.length)
    deepEqual(new Set(answer.map(({ errorCode }) => errorCode)), new Set([ErrorCode.POLICY_VIOLATION]))
    deepEqual(records, [])
  }
})

const { EXACT, DEFAULT, SPECIFIED } = MatchType

test('a filter finds entities by name, by default and by type; strict, only those with nothing else', () => {
  const rate = (value: number) => ({ producer_byte_rate: value })
  const { image } = alter(
    emptyImage,
    change({ user: 'a' }, rate(1)),
    change({ user: 'a', 'client-id': 'c' }, rate(2)),
    change({ user: null }, rate(3)),
    change({ 'client-id': null }, rate(4)),
    change({ ip: null }, { connection_creation_rate: 5 }),
  )
  const rates = (components: readonly [string, number, string | null][], strict = false) =>
    describe(image, components, strict)
      .map(found => Object.values(found).find(value => typeof value === 'number'))
      .sort()
  deepEqual(rates([]), [1, 2, 3, 4, 5])
  deepEqual(rates([], true), [])
  deepEqual(rates([['user', EXACT, 'a']]), [1, 2])
  deepEqual(rates([['user', EXACT, 'a']], true), [1])
  deepEqual(rates([['user', DEFAULT, null]]), [3])
  deepEqual(rates([['user', SPECIFIED, null]]), [1, 2, 3])
  deepEqual(
    rates([
      ['user', SPECIFIED, null],
      ['client-id', SPECIFIED, null],
    ]),
    [2],
  )
  deepEqual(rates([['ip', SPECIFIED, null]]), [5])
  deepEqual(rates([['user', EXACT, 'nobody']]), [])
})

test('a filter that contradicts itself is refused', () => {
  const wrong: [readonly [string, number, string | null][], string][] = [
    [[['', EXACT, 'a']], 'Invalid empty entity type.'],
    [[['user', EXACT, null]], 'Request specified MATCH_TYPE_EXACT, but set match string to null.'],
    [[['user', DEFAULT, 'a']], 'Request specified MATCH_TYPE_DEFAULT, but also specified a match string.'],
    [[['user', SPECIFIED, 'a']], 'Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.'],
    [[['user', 3, null]], 'Unknown match type 3'],
    [
      [
        ['user', EXACT, 'a'],
        ['user', EXACT, 'b'],
      ],
      'Entity type user cannot appear more than once in the filter.',
    ],
    [
      [
        ['ip', SPECIFIED, null],
        ['user', SPECIFIED, null],
      ],
      'Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.',
    ],
  ]
  for (const [components, errorMessage] of wrong) {
    deepEqual(describeClientQuotas(imageOf(), filterOf(components)), {
      errorCode: ErrorCode.INVALID_REQUEST,
      errorMessage,
    })
  }
  deepEqual(describeClientQuotas(imageOf(), filterOf([['role', EXACT, 'a']])), {
    errorCode: ErrorCode.UNSUPPORTED_VERSION,
    errorMessage: 'Unsupported entity type role',
  })
})
