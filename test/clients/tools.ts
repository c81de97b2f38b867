// Kafka's own command line tools, run as their scripts run them: a JVM with the tool's main class.
import { equal, match, ok } from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { installed, pathOf } from './installation.ts'

// The scripts of the distribution, and the class each runs.
const CLASSES = {
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-consumer-groups': 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-cluster': 'org.apache.kafka.tools.ClusterTool',
  'kafka-features': 'org.apache.kafka.tools.FeatureCommand',
  'kafka-acls': 'org.apache.kafka.tools.AclCommand',
  'kafka-delegation-tokens': 'org.apache.kafka.tools.DelegationTokenCommand',
  'kafka-leader-election': 'org.apache.kafka.tools.LeaderElectionCommand',
  'kafka-metadata-quorum': 'org.apache.kafka.tools.MetadataQuorumCommand',
  'kafka-reassign-partitions': 'org.apache.kafka.tools.reassign.ReassignPartitionsCommand',
  'kafka-client-metrics': 'org.apache.kafka.tools.ClientMetricsCommand',
  'kafka-verifiable-producer': 'org.apache.kafka.tools.VerifiableProducer',
  'kafka-verifiable-consumer': 'org.apache.kafka.tools.VerifiableConsumer',
  'kafka-transactions': 'org.apache.kafka.tools.TransactionsCommand',
} as const

export type ToolName = keyof typeof CLASSES
export type ToolResult = { code: number | null; stdout: string; stderr: string }
export type Tools = (name: ToolName, args: readonly string[], input?: string) => Promise<ToolResult>

const TIMEOUT_MS = 120_000

/** Returns a function that says what to run for a tool: a command and its arguments. */
export async function toolCommands(): Promise<(name: ToolName) => readonly string[]> {
  const classPath = join(pathOf(await installed('kafka'), 'tools'), '*')
  // Quick to start rather than quick in the long run; the tools live for a second.
  const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m', '-cp', classPath]
  return name => ['java', ...flags, CLASSES[name]]
}

/** Returns a function that runs a tool to its end; one that hangs is killed after two minutes, and its code is null. */
export async function kafkaTools(): Promise<Tools> {
  const commandOf = await toolCommands()
  return async (name, args, input = '') => {
    const [command, ...own] = commandOf(name)
    const child = spawn(command!, [...own, ...args], {
      stdio: 'pipe',
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
    child.stdin.on('error', () => {}) // a tool that refuses its arguments reads nothing
    child.stdin.end(input)
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once('error', reject).once('close', resolve),
    )
    return { code, stdout, stderr }
  }
}

/** Runs tools against a broker that is there when they run. */
export function againstBroker(tools: () => Tools, broker: () => { readonly bootstrap: string }) {
  /** Whatever the outcome. */
  const run = (name: ToolName, args: readonly string[], input?: string): Promise<ToolResult> =>
    tools()(name, ['--bootstrap-server', broker().bootstrap, ...args], input)
  return {
    run,
    /** The tool must succeed; returns what it prints. */
    async succeeds(name: ToolName, args: readonly string[], input?: string): Promise<string> {
      const { code, stdout, stderr } = await run(name, args, input)
      equal(code, 0, `${stdout}\n${stderr}`)
      return stdout
    },
    /** The tool must fail and say why. */
    async fails(name: ToolName, args: readonly string[], why: RegExp): Promise<void> {
      const { code, stdout, stderr } = await run(name, args)
      ok(code !== null && code !== 0, `exit code ${code}`)
      match(stdout + stderr, why)
    },
  }
}
