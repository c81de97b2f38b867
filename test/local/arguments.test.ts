import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { parseCommandLine } from '../../local/arguments.ts'
import { helpText } from '../../local/help.ts'

const parse = (line: string) => parseCommandLine(line.split(' ').filter(word => word !== ''))

const settingsOf = (line: string): [string, string][] => {
  const command = parse(line)
  if (command.kind !== 'run') throw new Error(JSON.stringify(command))
  return command.flags.settings.map(({ name, text }) => [name, text])
}

test('without a command, and with help in any form, there is help', () => {
  for (const line of ['', '--help', '-h', 'help']) deepEqual(parse(line), { kind: 'help', of: null })
  for (const line of ['broker --help', 'help broker', 'broker --port 1 -h'])
    deepEqual(parse(line), { kind: 'help', of: 'broker' })
  for (const line of ['--version', 'version', 'up --version']) deepEqual(parse(line), { kind: 'version' })
})

test('short forms are configuration keys', () => {
  deepEqual(settingsOf('broker --data /d --node-id 3 --log-level warn --port 9 --set num.partitions=2 --set a=b=c'), [
    ['log.dirs', '/d'],
    ['node.id', '3'],
    ['flotilla.log.level', 'warn'],
    ['num.partitions', '2'],
    ['a', 'b=c'],
    ['listeners', 'PLAINTEXT://:9'],
  ])
})

test('the port of `up` is for this machine only', () => {
  deepEqual(settingsOf('up --port=9'), [
    ['listeners', 'PLAINTEXT://127.0.0.1:9'],
    ['advertised.listeners', 'PLAINTEXT://localhost:9'],
  ])
})

test('an empty value is a value', () => {
  deepEqual(settingsOf('broker --set broker.rack='), [['broker.rack', '']])
})

for (const [line, problem, fix] of [
  ['brokr', "There is no command 'brokr'.", "'flotilla broker'?"],
  ['ls', "There is no command 'ls'.", 'Commands are broker, up.'],
  ['help me', "There is no command 'me'.", 'Commands are'],
  ['--port 3', 'The command comes first', 'Commands are'],
  ['broker --prot 1', 'no flag --prot', '--port?'],
  ['broker --num.partitions=3', 'no flag --num.partitions', '--set num.partitions=3'],
  ['broker --num-partitions 3', 'no flag --num-partitions', '--set num.partitions=VALUE'],
  ['broker --override a=b', 'no flag --override', '--set KEY=VALUE'],
  ['broker --brokers 3', 'no flag --brokers', '--help'],
  ['broker server.properties', 'one word too many', '--config server.properties'],
  ['broker num.partitions=3', 'one word too many', '--set num.partitions=3'],
  ['broker --port', '--port needs a value', '--port N'],
  ['broker --data --port 1', '--data needs a value', '--data DIR'],
  ['broker --port 99999', 'from 0 to 65535', ''],
  ['broker --port=-1', 'from 0 to 65535', ''],
  ['broker --data a,b', 'one directory', ''],
  ['broker --node-id x', 'needs a number', ''],
  ['broker --set x', 'has no value', '--set num.partitions=3'],
  ['broker --set =x', 'has no value', ''],
  ['broker --port 1 --port 2', 'there twice', 'Keep one'],
  ['broker --port 1 --set listeners=x', 'listeners is set twice', 'Keep one'],
  ['up --brokers 3', 'several brokers', 'Leave --brokers out'],
  ['up --brokers 0', 'needs a number from 1', ''],
] as const)
  test(`flotilla ${line}: says what is wrong and what was probably meant`, () => {
    const command = parse(line)
    if (command.kind !== 'wrong') throw new Error(JSON.stringify(command))
    ok(command.problem.includes(problem), command.problem)
    ok(command.fix.includes(fix), command.fix)
  })

test('help names every flag and every exit code, and fits a terminal', () => {
  for (const of of ['up', 'broker'] as const) {
    const text = helpText(of)
    for (const part of ['--config', '--set', '--data', '--port', 'kcat', 'FLOTILLA_', '2  wrong command line'])
      ok(text.includes(part), part)
    for (const line of text.split('\n')) ok(line.length <= 100, line)
    equal(text.includes('--brokers'), of === 'up')
  }
})
