import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { parseBrokerConfig } from '../../../broker/config/broker-config.ts'

const parse = (values: Record<string, string>) =>
  parseBrokerConfig(new Map(Object.entries(values)), { hostname: 'this-host' })
const errorOf = (values: Record<string, string>): string => {
  const parsed = parse(values)
  if (!('errors' in parsed)) throw new Error('nothing is wrong')
  equal(parsed.errors.length, 1, parsed.errors.join('\n'))
  return parsed.errors[0]!
}
const configOf = (values: Record<string, string>) => {
  const parsed = parse(values)
  if ('errors' in parsed) throw new Error(parsed.errors.join('\n'))
  return parsed.config
}
const TWO = { 'listener.security.protocol.map': 'IN:PLAINTEXT,OUT:PLAINTEXT' }

test('a listener on every interface is advertised by the name of the host', () => {
  for (const host of ['', '0.0.0.0', '[::]'])
    equal(configOf({ listeners: `PLAINTEXT://${host}:9092` }).advertisedListeners[0]!.host, 'this-host')
  equal(configOf({ listeners: 'PLAINTEXT://10.0.0.1:9092' }).advertisedListeners[0]!.host, '10.0.0.1')
})

test('each listener is advertised as said, or as it is', () => {
  const config = configOf({ ...TWO, listeners: 'in://:1, out://[::1]:2', 'advertised.listeners': 'IN://in.example:9' })
  deepEqual(
    config.advertisedListeners.map(({ name, host, port }) => [name, host, port]),
    [
      ['IN', 'in.example', 9],
      ['OUT', '::1', 2],
    ],
  )
  equal(config.interBrokerListenerName, 'IN')
})

test('any number of listeners may take any free port', () => {
  const { listeners } = configOf({ ...TWO, listeners: 'IN://:0,OUT://:0' })
  deepEqual(
    listeners.map(({ port }) => port),
    [0, 0],
  )
})

test('protocols that are not served are refused only where a listener uses them', () => {
  ok(errorOf({ listeners: 'SSL://:9092' }).includes('only PLAINTEXT is'))
  ok(errorOf({ listeners: 'SASL_PLAINTEXT://:9092' }).includes('needs SASL_PLAINTEXT'))
  configOf({ 'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,UNUSED:SASL_SSL' })
})

for (const [listeners, expected] of [
  ['', 'none is left for clients'],
  ['foo', "'foo' is no listener"],
  ['PLAINTEXT://myhost', 'is no listener'],
  ['PLAINTEXT://:99999', 'is no listener'],
  ['PLAINTEXT://a b:1', 'is no listener'],
  ['X://:9092', 'add X:PLAINTEXT to listener.security.protocol.map'],
  ['PLAINTEXT://:1,PLAINTEXT://:2', 'the name PLAINTEXT is there twice'],
] as const)
  test(`listeners=${listeners} is refused, with the fix`, () => {
    ok(errorOf({ listeners }).includes(expected), errorOf({ listeners }))
  })

test('two listeners cannot have one port of one interface', () => {
  ok(errorOf({ ...TWO, listeners: 'IN://:1,OUT://127.0.0.1:1' }).includes('both want port 1'))
  configOf({ ...TWO, listeners: 'IN://127.0.0.1:1,OUT://[::1]:1' })
})

test('clients must be able to reach what is advertised', () => {
  ok(errorOf({ 'advertised.listeners': 'PLAINTEXT://0.0.0.0:9092' }).includes('nonroutable'))
  ok(errorOf({ ...TWO, listeners: 'IN://:1', 'advertised.listeners': 'OUT://a:1' }).includes('no listener OUT'))
})

test('the listener between brokers must exist', () => {
  ok(errorOf({ 'inter.broker.listener.name': 'INTERNAL' }).includes('there is no listener INTERNAL'))
})

for (const map of ['A', ':PLAINTEXT', 'PLAINTEXT:PLAINTEXT,A:NOPE'])
  test(`the protocol map ${map} is refused`, () => {
    ok(parse({ 'listener.security.protocol.map': map }))
    const parsed = parse({ 'listener.security.protocol.map': map })
    ok('errors' in parsed && parsed.errors[0]!.startsWith('listener.security.protocol.map: '))
  })
