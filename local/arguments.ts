// Reads a command line into a command, or says what is wrong with it and what was probably meant. Pure.
import { parseArgs } from 'node:util'
import type { BrokerFlags } from '../broker/main.ts'
import { brokerConfigs } from '../broker/config/broker-keys.ts'
import { nearest } from '../broker/config/nearest.ts'

export type CommandName = 'broker' | 'up'

export type Command =
  | { readonly kind: 'help'; readonly of: CommandName | null }
  | { readonly kind: 'version' }
  | { readonly kind: 'run'; readonly command: CommandName; readonly flags: BrokerFlags }
  | { readonly kind: 'wrong'; readonly problem: string; readonly fix: string; readonly of: CommandName | null }

type Flag = {
  readonly name: string
  readonly value: string | null
  readonly doc: string
  /** The keys that the flag sets. */
  readonly keys?: (value: string) => readonly (readonly [key: string, text: string])[]
  /** What is wrong with a value. */
  readonly check?: (value: string) => string | null
  readonly only?: CommandName
}

const number = (min: number, max: number) => (value: string) =>
  /^\d{1,10}$/.test(value) && Number(value) >= min && Number(value) <= max
    ? null
    : `needs a number from ${min} to ${max}`

/** Every flag, in the order of the help. */
export const FLAGS: readonly Flag[] = [
  { name: 'config', value: 'FILE', doc: "configuration in Kafka's server.properties keys, or as YAML (*.yaml)" },
  { name: 'set', value: 'KEY=VALUE', doc: 'one configuration key; may be given many times' },
  {
    name: 'data',
    value: 'DIR',
    doc: 'the data directory (log.dirs), ./data by default',
    keys: value => [['log.dirs', value]],
    check: value =>
      value.trim() === ''
        ? 'needs the name of a directory'
        : value.includes(',')
          ? 'takes one directory, without commas'
          : null,
  },
  {
    name: 'port',
    value: 'N',
    doc: 'the port for clients, 9092 by default; 0 takes any free one',
    check: number(0, 65_535),
  },
  {
    name: 'node-id',
    value: 'N',
    doc: 'the number of this broker (node.id), 1 by default',
    keys: value => [['node.id', value]],
    check: number(0, 2_147_483_647),
  },
  { name: 'brokers', value: 'N', doc: 'how many brokers; only 1 so far', check: number(1, 1_000), only: 'up' },
  {
    name: 'log-level',
    value: 'LEVEL',
    doc: 'debug, info, warn or error',
    keys: value => [['flotilla.log.level', value]],
  },
  { name: 'help', value: null, doc: 'this text' },
  { name: 'version', value: null, doc: 'the version' },
]

const COMMANDS: readonly CommandName[] = ['broker', 'up']

export function parseCommandLine(args: readonly string[]): Command {
  const [first = 'help', ...rest] = args
  if (first === 'help') return helpOf(rest[0])
  if (first === '--help' || first === '-h') return { kind: 'help', of: null }
  if (first === '--version' || first === '-v' || first === 'version') return { kind: 'version' }
  const command = COMMANDS.find(name => name === first)
  if (command === undefined) return unknownCommand(first)
  return parseFlags(command, rest)
}

function helpOf(name: string | undefined): Command {
  const command = COMMANDS.find(known => known === name)
  if (name === undefined || command !== undefined) return { kind: 'help', of: command ?? null }
  return unknownCommand(name)
}

function unknownCommand(name: string): Command {
  const isFlag = name.startsWith('-')
  const meant = isFlag ? null : nearest(name, COMMANDS)
  return {
    kind: 'wrong',
    problem: isFlag ? `The command comes first, before ${name}.` : `There is no command '${name}'.`,
    fix: meant ? `Did you mean 'flotilla ${meant}'?` : `Commands are ${COMMANDS.join(', ')}.`,
    of: null,
  }
}

function parseFlags(command: CommandName, args: readonly string[]): Command {
  const known = FLAGS.filter(flag => flag.only === undefined || flag.only === command)
  const options = Object.fromEntries(
    known.map(({ name, value }) => [
      name,
      {
        type: value === null ? ('boolean' as const) : ('string' as const),
        multiple: true,
        ...(name === 'help' && { short: 'h' }),
      },
    ]),
  )
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true, allowPositionals: true })
  const wrong = (problem: string, fix: string): Command => ({ kind: 'wrong', problem, fix, of: command })
  const given = new Map<string, string>()
  const settings: { name: string; text: string; flag: string }[] = []
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    if (token.kind === 'positional') return wrong(...positional(token.value))
    const flag = known.find(({ name }) => name === token.name)
    if (!flag) return wrong(...unknownFlag(command, token.rawName, token.value, known))
    if (flag.name === 'help') return { kind: 'help', of: command }
    if (flag.name === 'version') return { kind: 'version' }
    // `--data --port 1`: the next flag is no value.
    if (token.value === undefined || (!token.inlineValue && token.value.startsWith('--')))
      return wrong(`${token.rawName} needs a value.`, `Write ${token.rawName} ${flag.value}.`)
    if (flag.name === 'set') {
      const at = token.value.indexOf('=')
      if (at < 1)
        return wrong(`--set ${token.value} has no value.`, 'Write --set KEY=VALUE, such as --set num.partitions=3.')
      const name = token.value.slice(0, at).trim()
      settings.push({ name, text: token.value.slice(at + 1), flag: `--set ${name}` })
      continue
    }
    if (given.has(flag.name)) return wrong(`${token.rawName} is there twice.`, 'Keep one of the two.')
    const problem = flag.check?.(token.value)
    if (problem) return wrong(`${token.rawName} ${problem}, not '${token.value}'.`, '')
    given.set(flag.name, token.value)
    for (const [name, text] of flag.keys?.(token.value) ?? []) settings.push({ name, text, flag: `--${flag.name}` })
  }
  if (Number(given.get('brokers') ?? 1) > 1)
    return wrong('A fleet of several brokers cannot be started yet.', 'Leave --brokers out: one broker runs.')
  const port = given.get('port')
  if (port !== undefined) settings.push(...portSettings(command, port))
  const twice = settings.find(({ name }, index) => settings.findIndex(other => other.name === name) < index)
  if (twice) return wrong(`${twice.name} is set twice.`, 'Keep one of the two.')
  return { kind: 'run', command, flags: { configFile: given.get('config') ?? null, settings } }
}

// `up` is for this machine alone: without authentication, nobody else should reach it unless asked for.
function portSettings(command: CommandName, port: string): { name: string; text: string; flag: string }[] {
  if (command === 'broker') return [{ name: 'listeners', text: `PLAINTEXT://:${port}`, flag: '--port' }]
  return localListener(port).map(([name, text]) => ({ name, text, flag: '--port' }))
}

/** A listener that only this machine reaches. */
export function localListener(port: string): readonly (readonly [key: string, text: string])[] {
  return [
    ['listeners', `PLAINTEXT://127.0.0.1:${port}`],
    ['advertised.listeners', `PLAINTEXT://localhost:${port}`],
  ]
}

function positional(value: string): [problem: string, fix: string] {
  const problem = `'${value}' is one word too many.`
  if (/\.(properties|ya?ml|conf|cfg)$/.test(value))
    return [problem, `For a configuration file, write --config ${value}.`]
  if (/^[a-z.]+=/.test(value)) return [problem, `For a configuration key, write --set ${value}.`]
  return [problem, 'Flags begin with --.']
}

function unknownFlag(
  command: CommandName,
  rawName: string,
  value: string | undefined,
  known: readonly Flag[],
): [problem: string, fix: string] {
  const problem = `flotilla ${command} has no flag ${rawName}.`
  const name = rawName.replace(/^-+/, '')
  const keys = brokerConfigs.map(key => key.name)
  if (keys.includes(name)) return [problem, `For a configuration key, write --set ${name}=${value ?? 'VALUE'}.`]
  if (name === 'override') return [problem, 'Write --set KEY=VALUE.']
  const meant = nearest(
    name,
    known.map(flag => flag.name),
  )
  if (meant) return [problem, `Did you mean --${meant}?`]
  const key = nearest(name, keys)
  if (key) return [problem, `Did you mean --set ${key}=${value ?? 'VALUE'}?`]
  return [problem, `flotilla ${command} --help lists them.`]
}
