// Apache Kafka as a single node (KRaft, broker and controller in one process), run from the jars that install.sh has fetched:
// the reference for the checks of this folder and the peer of bench/.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { installed, pathOf } from './installation.ts'
import { freePort, onFreePorts, startServer } from './server-process.ts'
import type { ServerProcess } from './server-process.ts'
import { answersMetadata } from './wire.ts'

export type ApacheKafkaOptions = {
  /** Where clients connect; a free port when left out. */
  port?: number
  /** Data, configuration and log of this node. Created when missing, used as it is otherwise. */
  dataDir: string
  /** Added to, and stronger than, the properties a single node needs. */
  properties?: Readonly<Record<string, string>>
  /** Java's -Xms and -Xmx. Default: 1G, as kafka-server-start.sh. */
  heap?: string
  /** More flags for the JVM, after `distributionJvmFlags`. */
  jvmFlags?: readonly string[]
}

export type ApacheKafka = ServerProcess & { readonly host: string; readonly port: number; readonly bootstrap: string }

/** The flags with which kafka-run-class.sh starts a broker (KAFKA_JVM_PERFORMANCE_OPTS). */
export const distributionJvmFlags: readonly string[] = [
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-XX:MaxInlineLevel=15',
  '-Djava.awt.headless=true',
]

// The distribution's log4j2.yaml logs at INFO, too; here all of it goes to standard output.
const LOG4J = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
`

// A fixed id, so that a directory may be used again.
const CLUSTER_ID = 'AapacheKafkaClusterIdA'

/** Starts Apache Kafka and waits until it serves. Rejects with the end of its log when it does not. */
export function startApacheKafka(options: ApacheKafkaOptions): Promise<ApacheKafka> {
  return onFreePorts(async () => startOn(options.port ?? (await freePort()), options))
}

async function startOn(port: number, options: ApacheKafkaOptions): Promise<ApacheKafka> {
  const installation = await installed('kafka')
  const classPath = join(pathOf(installation, 'kafka'), '*')
  const host = '127.0.0.1'
  const propertiesPath = await writeConfiguration(options, host, port)
  if (!existsSync(join(options.dataDir, 'data', 'meta.properties'))) await format(classPath, propertiesPath)
  const heap = options.heap ?? '1G'
  const process = await startServer({
    command: 'java',
    args: [
      `-Xmx${heap}`,
      `-Xms${heap}`,
      ...distributionJvmFlags,
      ...(options.jvmFlags ?? []),
      `-Dlog4j2.configurationFile=${join(options.dataDir, 'log4j2.properties')}`,
      '-cp',
      classPath,
      'kafka.Kafka',
      propertiesPath,
    ],
    logPath: join(options.dataDir, 'kafka.log'),
    isReady: () => answersMetadata({ host, port }),
  })
  return { ...process, host, port, bootstrap: `${host}:${port}` }
}

async function writeConfiguration(options: ApacheKafkaOptions, host: string, port: number): Promise<string> {
  const controllerPort = await freePort()
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${host}:${controllerPort}`,
    listeners: `PLAINTEXT://${host}:${port},CONTROLLER://${host}:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${host}:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(options.dataDir, 'data'),
    // One node cannot keep three copies.
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    ...options.properties,
  }
  await mkdir(options.dataDir, { recursive: true })
  await writeFile(join(options.dataDir, 'log4j2.properties'), LOG4J)
  const path = join(options.dataDir, 'server.properties')
  await writeFile(
    path,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  return path
}

async function format(classPath: string, propertiesPath: string): Promise<void> {
  const args = [
    '-cp',
    classPath,
    'kafka.tools.StorageTool',
    'format',
    '--cluster-id',
    CLUSTER_ID,
    '--config',
    propertiesPath,
  ]
  await promisify(execFile)('java', ['-XX:TieredStopAtLevel=1', ...args])
}
