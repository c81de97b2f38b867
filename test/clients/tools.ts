// Kafka's own command line tools, run as their scripts run them: a JVM with the tool's main class.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { installed, pathOf } from './installation.ts'

// The scripts of the distribution, and the class each runs.
const CLASSES = {
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-consumer-perf-test': 'org.apache.kafka.tools.ConsumerPerformance',
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
  'kafka-cluster': 'org.apache.kafka.tools.ClusterTool',
  'kafka-features': 'org.apache.kafka.tools.FeatureCommand',
  'kafka-transactions': 'org.apache.kafka.tools.TransactionsCommand',
} as const

export type ToolName = keyof typeof CLASSES
export type ToolResult = { code: number | null; stdout: string; stderr: string }
export type Tools = (name: ToolName, args: readonly string[], input?: string) => Promise<ToolResult>

const TIMEOUT_MS = 120_000

/** Returns a function that runs a tool to its end; one that hangs is killed after two minutes, and its code is null. */
export async function kafkaTools(): Promise<Tools> {
  const classPath = join(pathOf(await installed('kafka'), 'tools'), '*')
  // Quick to start rather than quick in the long run; the tools live for a second.
  const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx256m', '-cp', classPath]
  return async (name, args, input = '') => {
    const child = spawn('java', [...flags, CLASSES[name], ...args], {
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
