// Asks Apache Kafka's own classes (KafkaOracle.java), where a JDK and Kafka's jars are on this machine: KAFKA_JARS, or what
// test/clients/install.sh has fetched. Tests that need it skip themselves elsewhere and say why.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type Question = readonly [question: string, name: string, text?: string]

const jars = process.env['KAFKA_JARS'] ?? installedJars()

function installedJars(): string | null {
  const cache = join(process.env['FLOTILLA_CACHE'] ?? join(homedir(), '.cache/flotilla'), 'clients')
  if (!existsSync(cache)) return null
  const folders = readdirSync(cache).filter(name => name.startsWith('kafka-'))
  const complete = folders.find(name =>
    readdirSync(join(cache, name)).some(jar => /^kafka-server-4\.4\..*\.jar$/.test(jar)),
  )
  return complete === undefined ? null : join(cache, complete)
}

/** Why there is no oracle on this machine; null when there is one. */
export const whyNoOracle: string | null =
  jars === null ? 'no jars of Kafka 4.4: run test/clients/install.sh kafka' : javaProblem()

function javaProblem(): string | null {
  try {
    execFileSync('javac', ['-version'], { stdio: 'ignore' })
    return null
  } catch {
    return 'no JDK on this machine'
  }
}

/** Kafka's answers, in the order of the questions. */
export function askKafka(questions: readonly Question[]): unknown[] {
  const source = fileURLToPath(new URL('KafkaOracle.java', import.meta.url))
  const lines = questions.map(([question, name, text]) =>
    [question, name, text === undefined ? '-' : Buffer.from(text).toString('base64')].join('\t'),
  )
  const output = execFileSync('java', ['-cp', join(jars!, '*'), source], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  // A logging library may say something first.
  const answers = output.split('\n').filter(line => /^[[{"n]/.test(line))
  return answers.map(line => JSON.parse(line) as unknown)
}
