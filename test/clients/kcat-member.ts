// kcat as a member of a group (kcat -G). It tells on its standard error what it is assigned, and commits by itself
// every five seconds and when it gives partitions up; it can neither seek nor pause.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Membership, MemberEvent, TopicPartition } from './group-commands.ts'

export class KcatMember {
  readonly #path: string
  readonly #bootstrap: string
  #child: ChildProcess | null = null
  #listen: (event: MemberEvent) => void = () => {}

  constructor(path: string, bootstrap: string) {
    this.#path = path
    this.#bootstrap = bootstrap
  }

  onEvent(listen: (event: MemberEvent) => void): void {
    this.#listen = listen
  }

  join(init: Membership): void {
    const settings = {
      'partition.assignment.strategy': init.assignor,
      'auto.offset.reset': init.reset === 'none' ? 'error' : init.reset,
      'session.timeout.ms': init.sessionTimeoutMs,
      'heartbeat.interval.ms': init.heartbeatIntervalMs,
      ...(init.instanceId !== null && { 'group.instance.id': init.instanceId }),
    }
    const options = Object.entries(settings).flatMap(([key, value]) => ['-X', `${key}=${value}`])
    const args = ['-b', this.#bootstrap, '-G', init.group, '-J', '-u', ...options, ...init.topics]
    const child = spawn(this.#path, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    const killNow = () => child.kill('SIGKILL')
    process.once('exit', killNow)
    child.once('exit', () => process.removeListener('exit', killNow))
    createInterface({ input: child.stdout }).on('line', line => this.#listen(recordsOf(line)))
    createInterface({ input: child.stderr }).on('line', line => {
      const event = eventOf(line)
      if (event !== null) this.#listen(event)
    })
  }

  /** Commits and leaves with SIGTERM. It has left a moment after this returns, and then takes five seconds to end. */
  leave(): void {
    this.#child?.kill('SIGTERM')
    this.#child = null
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (!child || !this.isRunning()) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(name)
  }

  isRunning(): boolean {
    return this.#child !== null && this.#child.exitCode === null && this.#child.signalCode === null
  }
}

function recordsOf(line: string): MemberEvent {
  const { topic, partition, offset, payload } = JSON.parse(line) as TopicPartition & { offset: number; payload: string }
  return { event: 'records', records: [{ topic, partition, offset, value: Buffer.from(payload) }] }
}

function eventOf(line: string): MemberEvent | null {
  const rebalanced = /^% Group .* rebalanced.*(assign|revoke).*: ?(.*)$/.exec(line)
  if (rebalanced) {
    const partitions = [...rebalanced[2]!.matchAll(/(\S+) \[(\d+)\]/g)]
    return {
      event: rebalanced[1] === 'assign' ? 'assigned' : 'revoked',
      partitions: partitions.map(([, topic, partition]) => ({ topic: topic!, partition: Number(partition) })),
    }
  }
  return /^% (ERROR|FATAL)/.test(line) ? { event: 'error', error: { code: null, name: 'kcat', message: line } } : null
}
