import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { parseProperties } from '../../../broker/config/properties.ts'
import {
  environmentName,
  environmentSource,
  fileSource,
  flagSource,
  mergeSources,
  type Source,
} from '../../../broker/config/sources.ts'

const file = (text: string): Source => fileSource('x.properties', Buffer.from(text), parseProperties)
const flag = (name: string, text: string): Source => flagSource([{ name, text, flag: `--set ${name}` }])

test('a variable is a key in capitals; keys of our own lose their first word', () => {
  equal(environmentName('log.retention.ms'), 'FLOTILLA_LOG_RETENTION_MS')
  equal(environmentName('flotilla.log.level'), 'FLOTILLA_LOG_LEVEL')
  const { values } = environmentSource({ FLOTILLA_LOG_RETENTION_MS: '5', FLOTILLA_LOG_LEVEL: 'warn', PATH: '/bin' })
  deepEqual([...values.keys()], ['log.retention.ms', 'flotilla.log.level'])
})

test('a variable that looks like a mistyped key is a problem, any other is a warning', () => {
  const { problems, warnings } = environmentSource({ FLOTILLA_LOG_RETENTON_MS: '5', FLOTILLA_SEED: '1' })
  equal(problems.length, 1)
  ok(problems[0]!.endsWith('did you mean FLOTILLA_LOG_RETENTION_MS?'))
  deepEqual(warnings, ['environment variable FLOTILLA_SEED is not read: no configuration key has this name'])
})

test('what Kubernetes says about Services is not ours', () => {
  const { problems, warnings, values } = environmentSource({
    FLOTILLA_SERVICE_HOST: '10.0.0.1',
    FLOTILLA_SERVICE_PORT: '9092',
    FLOTILLA_SERVICE_PORT_CLIENTS: '9092',
    FLOTILLA_PORT: 'tcp://10.0.0.1:9092',
    FLOTILLA_PORT_9092_TCP: 'tcp://10.0.0.1:9092',
    FLOTILLA_PORT_9092_TCP_ADDR: '10.0.0.1',
    FLOTILLA_HTTP_PORT: 'tcp://10.0.0.2:80',
    FLOTILLA_CONFIG: '/etc/flotilla.yaml',
  })
  deepEqual([problems, warnings, values.size], [[], [], 0])
  equal(environmentSource({ FLOTILLA_HTTP_PORT: '80' }).values.get('flotilla.http.port')?.text, '80')
})

test('flags count before the environment, the environment before the file', () => {
  const merged = mergeSources([
    flag('num.partitions', '1'),
    environmentSource({ FLOTILLA_NUM_PARTITIONS: '2', FLOTILLA_BROKER_RACK: 'r2' }),
    file('num.partitions=3\nbroker.rack=r3\nfetch.max.bytes=2048'),
  ])
  deepEqual(merged.values, new Map([['num.partitions', '1'], ['broker.rack', 'r2'], ['fetch.max.bytes', '2048']])) // prettier-ignore
  equal(merged.origin('num.partitions'), '--set num.partitions')
  equal(merged.origin('broker.rack'), 'environment variable FLOTILLA_BROKER_RACK')
  equal(merged.origin('fetch.max.bytes'), 'x.properties line 3')
  equal(merged.origin('log.dirs'), undefined)
})

test('a stronger source overrules a weaker one that says the same thing with another key', () => {
  const merged = mergeSources([
    flagSource([
      { name: 'log.retention.hours', text: '1', flag: '' },
      { name: 'log.dir', text: '/flag', flag: '' },
      { name: 'node.id', text: '2', flag: '' },
    ]),
    file('log.retention.ms=5\nlog.dirs=/file\nbroker.id=1'),
  ])
  deepEqual([...merged.values.keys()], ['log.retention.hours', 'log.dir', 'node.id'])
})

test('within one source, several keys for one thing stay', () => {
  const merged = mergeSources([file('log.retention.ms=5\nlog.retention.hours=1')])
  equal(merged.values.size, 2)
})
