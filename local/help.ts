// What `--help` prints.
import { FLAGS, type CommandName } from './arguments.ts'

const OVERVIEW = `Flotilla: a Kafka-compatible broker.

Usage
  flotilla up [flags]          one broker on this machine, to try things out
  flotilla broker [flags]      one broker, as a service or in a container
  flotilla help COMMAND        more about a command
  flotilla --version

Try it
  flotilla up
  echo hello | kcat -b localhost:9092 -t greetings -P
  kcat -b localhost:9092 -t greetings -C -e

Every client and tool for Apache Kafka works. Configuration keys: docs/configuration.md.
`

const USAGE: Readonly<Record<CommandName, string>> = {
  up: `flotilla up: one broker on this machine, reachable from this machine only.

Usage
  flotilla up [--port 9092] [--data ./data] [--set KEY=VALUE]...

Flags
`,
  broker: `flotilla broker: one broker.

Usage
  flotilla broker [--config FILE] [--set KEY=VALUE]... [--data DIR] [--port N] [--node-id N]

Flags
`,
}

const EXAMPLES: Readonly<Record<CommandName, string>> = {
  up: `
Examples
  flotilla up --port 19092 --data /tmp/flotilla
  flotilla up --set num.partitions=6 --set log.retention.hours=1
  echo hello | kcat -b localhost:9092 -t greetings -P       write a record
  kcat -b localhost:9092 -t greetings -C -o beginning -e    read from the start
  kcat -b localhost:9092 -L                                 list brokers and topics

Ctrl-C stops it cleanly; what was acknowledged stays in the data directory.
`,
  broker: `
Examples
  flotilla broker --config server.properties
  flotilla broker --config broker.yaml --set log.retention.ms=3600000
  FLOTILLA_NUM_PARTITIONS=6 flotilla broker --data /var/lib/flotilla --port 9092
  kcat -b localhost:9092 -L
`,
}

const SOURCES = `
Configuration
  Flags count before the environment, the environment before the file, the file before the defaults.
  A key in the environment is FLOTILLA_ and its name: FLOTILLA_LOG_RETENTION_MS is log.retention.ms,
  FLOTILLA_LOG_LEVEL is flotilla.log.level. FLOTILLA_CONFIG names the file.
  docs/configuration.md lists every key with its default.

Exit codes
  0  stopped cleanly    1  could not start, or broke    2  wrong command line
`

export function helpText(of: CommandName | null): string {
  if (of === null) return OVERVIEW
  return USAGE[of] + flagLines(of) + EXAMPLES[of] + SOURCES
}

function flagLines(of: CommandName): string {
  const lines = FLAGS.filter(flag => flag.only === undefined || flag.only === of).map(({ name, value, doc }) => [
    `--${name}${value === null ? '' : ` ${value}`}`,
    doc,
  ])
  const width = Math.max(...lines.map(([flag]) => flag!.length))
  return lines.map(([flag, doc]) => `  ${flag!.padEnd(width)}  ${doc}\n`).join('')
}
