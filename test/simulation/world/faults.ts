// What goes wrong in the world, and when: each kind of fault comes at random times, lasts for a random time, and ends by itself. `calm` ends them
// all for good.
import type { Machine } from './machine.ts'
import type { Host } from './network.ts'
import type { World } from './world.ts'

export type FaultKind =
  | 'kill'
  | 'power'
  | 'stop'
  | 'pause'
  | 'slow disk'
  | 'stalled disk'
  | 'failing sync'
  | 'nearly full'
  | 'full'
  | 'cut'
  | 'one-way cut'
  | 'isolation'
  | 'slow link'
  | 'reset'
  | 'wall clock'
  | 'slow election'
  | 'no election'
  | 'losing election'

export type FaultOptions = {
  /** Milliseconds between two faults, about. */
  readonly everyMs: number
  readonly kinds: readonly FaultKind[]
}

const LONGEST_PAUSE_MS = 40_000

export class Faults {
  readonly counts = new Map<FaultKind, number>()
  readonly #world: World
  readonly #options: FaultOptions

  constructor(world: World, options: FaultOptions) {
    this.#world = world
    this.#options = options
    this.#next()
    this.#supervise()
  }

  /** Every fault is over, and whoever is down comes back. */
  calm(): void {
    const { network, machines, election, dice } = this.#world
    this.#world.isHostile = false
    dice.isKind = true
    this.#world.trace('world', 'is calm from here on')
    network.healAll()
    election.mend()
    for (const machine of machines) {
      machine.disk.mend()
      machine.resume()
      machine.getPower()
      if (machine.hasFailed) machine.kill()
    }
  }

  // Whoever runs brokers starts them again; one whose directory has failed is stopped the hard way.
  #supervise(): void {
    const { scheduler, dice, machines, isHostile } = this.#world
    for (const machine of machines) {
      if (machine.isRunning && machine.hasFailed && (!isHostile || dice.chance(0.2))) {
        machine.disk.mend()
        machine.kill()
      } else if (!machine.isRunning && machine.host.isUp && (!isHostile || dice.chance(0.4))) machine.start()
    }
    scheduler.after(dice.spread(50, 1000), () => this.#supervise())
  }

  #next(): void {
    const { scheduler, dice } = this.#world
    scheduler.after(dice.spread(0.1, 3) * this.#options.everyMs, () => {
      if (!this.#world.isHostile) return
      this.happen(dice.of(this.#options.kinds))
      this.#next()
    })
  }

  /** One fault, at once. */
  happen(kind: FaultKind): void {
    const { dice, machines, trace } = this.#world
    const machine = dice.of(machines)
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
    trace.call(this.#world, 'world', `${kind} of ${machine.host.name}`)
    this.#effects[kind](machine)
  }

  readonly #effects: Readonly<Record<FaultKind, (machine: Machine) => void>> = {
    kill: machine => machine.kill(),
    power: machine => this.#losePower(machine),
    stop: machine => this.#world.let(machine.stop()),
    pause: machine => {
      machine.pause()
      this.#later(100, LONGEST_PAUSE_MS, () => machine.resume())
    },
    'slow disk': ({ disk }) => {
      disk.slowness = this.#world.dice.spread(3, 300)
      this.#later(100, 20_000, () => {
        disk.slowness = 1
      })
    },
    'stalled disk': ({ disk }) => {
      disk.stalledUntilMs = this.#world.nowMs + this.#world.dice.spread(100, 20_000)
    },
    'failing sync': machine => {
      machine.disk.failsNextSync = true
      // What a failed sync leaves in memory is not what is on the disk: only the machine's restart tells.
      this.#later(500, 5_000, () => this.#losePower(machine))
    },
    'nearly full': ({ disk }) => {
      disk.leave(100_000_000)
      this.#later(1000, 20_000, () => disk.mend())
    },
    full: ({ disk }) => {
      disk.isFull = true
      this.#later(10, 20_000, () => disk.mend())
    },
    cut: machine => this.#cut(machine.host, this.#other(machine.host), true),
    'one-way cut': machine => {
      const other = this.#other(machine.host)
      if (this.#world.dice.chance(0.5)) this.#cut(machine.host, other, false)
      else this.#cut(other, machine.host, false)
    },
    isolation: ({ host }) => {
      const { network } = this.#world
      const others = [...network.hosts.values()].filter(other => other !== host)
      for (const other of others) {
        network.cut(host, other)
        network.cut(other, host)
      }
      this.#later(100, 30_000, () => {
        for (const other of others) {
          network.heal(host, other)
          network.heal(other, host)
        }
      })
    },
    'slow link': ({ host }) => {
      const { network, dice } = this.#world
      const other = this.#other(host)
      network.slow(host, other)
      if (dice.chance(0.5)) network.slow(other, host)
      this.#later(100, 30_000, () => {
        network.heal(host, other)
        network.heal(other, host)
      })
    },
    reset: ({ host }) => {
      const { network, dice } = this.#world
      for (const connection of network.connections) {
        if (connection.sides.some(side => side.place.host === host) && dice.chance(0.5)) network.reset(connection)
      }
    },
    'wall clock': ({ wall }) => {
      wall.offsetMs += this.#world.dice.between(-600_000, 600_000)
    },
    'slow election': () => {
      const { election, dice } = this.#world
      election.slowness = dice.spread(3, 300)
      this.#later(100, 30_000, () => election.mend())
    },
    'no election': () => {
      const { election } = this.#world
      election.isAway = true
      this.#later(100, 60_000, () => election.mend())
    },
    'losing election': () => {
      const { election } = this.#world
      election.lossProbability = 0.4
      this.#later(1000, 60_000, () => election.mend())
    },
  }

  #later(leastMs: number, limitMs: number, run: () => void): void {
    const { scheduler, dice } = this.#world
    scheduler.after(dice.spread(leastMs, limitMs), () => {
      if (this.#world.isHostile) run()
    })
  }

  #losePower(machine: Machine): void {
    this.#world.let(machine.losePower())
    this.#later(100, 15_000, () => {
      machine.disk.mend()
      machine.getPower()
    })
  }

  #other(host: Host): Host {
    const { network, dice } = this.#world
    return dice.of([...network.hosts.values()].filter(other => other !== host))
  }

  #cut(from: Host, to: Host, isBoth: boolean): void {
    const { network } = this.#world
    network.cut(from, to)
    if (isBoth) network.cut(to, from)
    this.#later(100, 30_000, () => {
      network.heal(from, to)
      network.heal(to, from)
    })
  }
}
