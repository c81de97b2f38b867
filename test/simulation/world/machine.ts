// A machine of the simulation: a host in the network, a disk, a clock, and at most one broker process, the whole of broker/broker.ts.
import { startBroker, type Broker } from '../../../broker/broker.ts'
import type { Logger } from '../../../broker/base/log.ts'
import { UserError } from '../../../broker/base/user-error.ts'
import { parseBrokerConfig, type BrokerConfig } from '../../../broker/config/broker-config.ts'
import { Disk, isDiskError } from './disk.ts'
import type { Host } from './network.ts'
import { SimulatedProcess, type WallClock } from './process.ts'
import type { World } from './world.ts'

export type MachineOptions = { readonly nodeId: number; readonly settings?: Readonly<Record<string, string>> }

export class Machine {
  readonly world: World
  readonly nodeId: number
  readonly host: Host
  readonly disk: Disk
  readonly wall: WallClock = { offsetMs: 0 }
  readonly #config: BrokerConfig
  /** The process that runs, or was the last. */
  process: SimulatedProcess | null = null
  /** While it serves. */
  broker: Broker | null = null
  /** Its log directory has failed: only another process can use it. */
  hasFailed = false
  starts = 0

  constructor(world: World, { nodeId, settings = {} }: MachineOptions) {
    this.world = world
    this.nodeId = nodeId
    this.host = world.network.addHost(`broker-${nodeId}`)
    this.disk = new Disk(world.scheduler, world.dice)
    const values = {
      'node.id': String(nodeId),
      listeners: `PLAINTEXT://${this.host.name}:9092`,
      'log.dirs': '/data',
      'flotilla.http.port': '-1',
      'flotilla.cluster.id': world.clusterId,
      ...settings,
    }
    const parsed = parseBrokerConfig(new Map(Object.entries(values)))
    if ('errors' in parsed) throw new Error(parsed.errors.join('\n'))
    this.#config = parsed.config
  }

  get isRunning(): boolean {
    return this.process?.isAlive ?? false
  }

  /** Starts a broker; when that fails as it may (a sick disk, an election store that is away), the process ends. */
  start(): void {
    if (this.isRunning || !this.host.isUp) return
    const { world, host, disk } = this
    const { scheduler, dice } = world
    const process = new SimulatedProcess(`${host.name}#${++this.starts}`, scheduler, dice, this.wall)
    this.process = process
    this.hasFailed = false
    const { isHostile } = world
    world.trace(process.name, 'starts')
    const starting = startBroker({
      config: this.#config,
      clock: process.clock,
      random: dice,
      log: loggerOf(process, world),
      transport: world.network.transport(host, process),
      files: disk.files(process),
      stores: disk.stores(process),
      // A process that is gone has let go of everything, and there is only one at a time.
      lockFolder: async () => ({ release: () => {} }),
      election: world.election.of(process),
    })
    starting.then(
      broker => this.#onStarted(process, broker),
      (error: unknown) => this.#onFailedStart(process, error, isHostile),
    )
  }

  #onStarted(process: SimulatedProcess, broker: Broker): void {
    if (process !== this.process || !process.isAlive) return
    this.broker = broker
    this.world.trace(process.name, 'serves')
    void broker.failed.then(error => {
      if (process !== this.process) return
      this.world.trace(process.name, `its directory failed: ${error.message}`)
      this.hasFailed = true
    })
  }

  #onFailedStart(process: SimulatedProcess, error: unknown, mayFail: boolean): void {
    this.world.trace(process.name, `could not start: ${String(error)}`)
    const isExpected = error instanceof UserError || isDiskError(error)
    if (!isExpected || !mayFail) {
      this.world.scheduler.fail(new Error(`${process.name} could not start`, { cause: error }))
    }
    this.#end(process)
  }

  /** SIGTERM; resolves when the process is gone. A paused process does not hear it. */
  async stop(): Promise<void> {
    const { process, broker } = this
    if (process === null || !process.isAlive || broker === null) return
    this.broker = null
    this.world.trace(process.name, 'is told to stop')
    await broker.stop().catch((error: unknown) => {
      this.world.trace(process.name, `did not stop cleanly: ${String(error)}`)
      if (!isDiskError(error)) this.world.scheduler.fail(new Error(`${process.name} could not stop`, { cause: error }))
    })
    this.#end(process)
  }

  /** SIGKILL: the machine goes on, and what was written is in its memory. */
  kill(): void {
    const { process } = this
    if (process === null || !process.isAlive) return
    this.world.trace(process.name, 'is killed')
    this.#end(process)
  }

  async losePower(): Promise<void> {
    const { process } = this
    if (!this.host.isUp) return
    this.world.trace(this.host.name, 'loses power')
    this.world.network.turnOff(this.host)
    if (process !== null) this.#end(process)
    await this.disk.crash()
  }

  getPower(): void {
    if (this.host.isUp) return
    this.world.trace(this.host.name, 'has power again')
    this.world.network.turnOn(this.host)
  }

  /** SIGSTOP. */
  pause(): void {
    if (!this.isRunning || this.process!.isPaused) return
    this.world.trace(this.process!.name, 'pauses')
    this.process!.pause()
  }

  /** SIGCONT. */
  resume(): void {
    if (!this.process?.isPaused) return
    this.world.trace(this.process.name, 'goes on')
    this.process.resume()
  }

  #end(process: SimulatedProcess): void {
    if (!process.isAlive) return
    if (this.host.isUp) this.disk.kill()
    process.end()
    if (process !== this.process) return
    this.broker = null
    this.world.scheduler.note(this.nodeId)
  }
}

function loggerOf(process: SimulatedProcess, world: World, fields: object = {}): Logger {
  const say =
    (level: string) =>
    (first: object | string, message?: string): void => {
      if (!process.isAlive) return
      const [more, text] = typeof first === 'string' ? [{}, first] : [first, message]
      world.trace(process.name, `${level} ${text}`, { ...fields, ...more })
    }
  return {
    debug: () => {},
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    child: more => loggerOf(process, world, { ...fields, ...more }),
  }
}
