// The world that brokers run in: virtual time, one source of chance, a network, machines, the election store. One seed is one history: whatever
// happens follows from it. What happens to whom is decided elsewhere (faults.ts), and so is what must be true of it (history.ts).
import { inspect } from 'node:util'
import { Dice } from '../dice.ts'
import { ElectionStore } from './election-store.ts'
import { Machine, type MachineOptions } from './machine.ts'
import { Network } from './network.ts'
import { SimulatedProcess } from './process.ts'
import { Scheduler } from './scheduler.ts'

const CLUSTER_ID = 'c2ltdWxhdGVkLXdvcmxkLQ'

const TRACE_LINES = 4000

export class World {
  readonly seed: number
  readonly scheduler = new Scheduler()
  readonly dice: Dice
  readonly network: Network
  readonly election: ElectionStore
  readonly clusterId = CLUSTER_ID
  readonly machines: Machine[] = []
  /** False when faults are over: from then on nothing may fail. */
  isHostile = true
  readonly #lines: string[] = []

  constructor(seed: number) {
    this.seed = seed
    this.dice = new Dice(seed)
    this.network = new Network(this.scheduler, this.dice)
    this.election = new ElectionStore(this.scheduler, this.dice, this.clusterId)
  }

  addMachine(options: MachineOptions): Machine {
    const machine = new Machine(this, options)
    this.machines.push(machine)
    return machine
  }

  /** A process that is not a broker, on a host of its own that nothing happens to but the network. */
  addClient(name: string): Client {
    const host = this.network.addHost(name)
    const process = new SimulatedProcess(name, this.scheduler, this.dice)
    return { process, host, transport: this.network.transport(host, process) }
  }

  get nowMs(): number {
    return this.scheduler.nowMs
  }

  run(forMs: number): Promise<void> {
    return this.scheduler.run(this.scheduler.nowMs + forMs)
  }

  /** Runs until `isDone`; rejects when that takes longer than `withinMs`. */
  async runUntil(what: string, withinMs: number, isDone: () => boolean): Promise<void> {
    await this.scheduler.run(this.scheduler.nowMs + withinMs, isDone)
    if (!isDone()) throw new Error(`${withinMs} ms were not enough: ${what}`)
  }

  /** Something goes on by itself; the run fails when it does. */
  let(what: Promise<void>): void {
    what.catch((error: unknown) => this.scheduler.fail(error))
  }

  /** The last lines of what happened, for whoever looks for the reason of a failure (TRACE=1). */
  trace(who: string, what: string, fields: object = {}): void {
    this.#lines.push(`${this.scheduler.nowMs.toFixed(2).padStart(12)} ${who}: ${what}${shown(fields)}`)
    if (this.#lines.length > 2 * TRACE_LINES) this.#lines.splice(0, TRACE_LINES)
  }

  get lines(): string {
    return this.#lines.slice(-TRACE_LINES).join('\n')
  }
}

export type Client = {
  readonly process: SimulatedProcess
  readonly host: ReturnType<Network['addHost']>
  readonly transport: ReturnType<Network['transport']>
}

function shown(fields: object): string {
  const keys = Object.keys(fields)
  return keys.length === 0 ? '' : ` ${inspect(fields, { breakLength: Infinity, depth: 4 }).slice(0, 400)}`
}
