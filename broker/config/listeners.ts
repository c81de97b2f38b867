// Which listeners a broker opens and what it tells clients about them: listeners, advertised.listeners, the map of protocols and
// the listener between brokers, seen together as in Kafka's KafkaConfig. Every problem names its key and the fix.
import { listOf } from './config-key.ts'

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

export type ListenerConfig = {
  readonly name: string
  /** '' = every interface (in `listeners`); never '' in `advertisedListeners`. */
  readonly host: string
  /** 0 = any free port (tests); in `advertisedListeners`, the port that was got. */
  readonly port: number
  readonly securityProtocol: SecurityProtocol
}

export type Listeners = {
  readonly listeners: readonly ListenerConfig[]
  /** One for each of `listeners`, in their order. */
  readonly advertisedListeners: readonly ListenerConfig[]
  readonly interBrokerListenerName: string
}

/** Something wrong with the value of the key `name`. */
export type Problem = { readonly name: string; readonly text: string }

type Protocols = ReadonlyMap<string, SecurityProtocol>
type TextOf = (name: string) => string | null

const PROTOCOLS: readonly string[] = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'] satisfies SecurityProtocol[]
const MAP = 'listener.security.protocol.map'
const ENTRY = /^([A-Za-z0-9_.-]+):\/\/(?:\[([0-9A-Fa-f:.%]+)\]|([^:/[\]\s]*)):(\d{1,5})$/

/** Reads everything about listeners; `hostname` is advertised for a listener on every interface. Adds to `problems`. */
export function readListeners(textOf: TextOf, hostname: string, problems: Problem[]): Listeners {
  const protocols = readProtocols(textOf(MAP) ?? '', problems)
  const controllers = new Set(listOf(textOf('controller.listener.names') ?? '').map(name => name.toUpperCase()))
  const listeners = readEntries('listeners', textOf('listeners') ?? '', protocols, controllers, problems)
  const advertised = readEntries(
    'advertised.listeners',
    textOf('advertised.listeners') ?? '',
    protocols,
    controllers,
    problems,
  )
  const say = (name: string, text: string): void => void problems.push({ name, text })
  if (problems.length === 0 && listeners.length === 0)
    say('listeners', 'listeners: none is left for clients; add one, such as PLAINTEXT://:9092')
  for (const { name, securityProtocol } of listeners)
    if (securityProtocol !== 'PLAINTEXT')
      say(
        'listeners',
        `listeners: ${name} needs ${securityProtocol}, which is not served yet; only PLAINTEXT is: ` +
          `map ${name} to PLAINTEXT in ${MAP}, or delete the listener`,
      )
  const clash = findClash(listeners)
  if (clash) say('listeners', clash)
  for (const { name, host } of advertised) {
    if (!listeners.some(listener => listener.name === name))
      say(
        'advertised.listeners',
        `advertised.listeners: there is no listener ${name}; add it to listeners, or delete it here`,
      )
    if (isWildcard(host))
      say(
        'advertised.listeners',
        `advertised.listeners cannot use the nonroutable meta-address ${host || "''"}. Use an address that clients can reach.`,
      )
  }
  return {
    listeners,
    advertisedListeners: listeners.map(
      listener =>
        advertised.find(({ name }) => name === listener.name) ??
        (isWildcard(listener.host) ? { ...listener, host: hostname } : listener),
    ),
    interBrokerListenerName: interBrokerListener(textOf, listeners, say),
  }
}

function interBrokerListener(
  textOf: TextOf,
  listeners: readonly ListenerConfig[],
  say: (name: string, text: string) => void,
): string {
  const wanted = textOf('inter.broker.listener.name')?.toUpperCase()
  if (wanted) {
    if (!listeners.some(({ name }) => name === wanted))
      say(
        'inter.broker.listener.name',
        `inter.broker.listener.name: there is no listener ${wanted}; name one of listeners`,
      )
    return wanted
  }
  const protocol = textOf('security.inter.broker.protocol')
  return (listeners.find(({ securityProtocol }) => securityProtocol === protocol) ?? listeners[0])?.name ?? ''
}

function readProtocols(text: string, problems: Problem[]): Map<string, SecurityProtocol> {
  const map = new Map<string, SecurityProtocol>()
  for (const entry of listOf(text)) {
    const at = entry.lastIndexOf(':')
    const name = entry.slice(0, Math.max(at, 0)).trim().toUpperCase()
    const protocol = entry
      .slice(at + 1)
      .trim()
      .toUpperCase()
    if (name === '')
      problems.push({ name: MAP, text: `${MAP}: '${entry}' is no NAME:PROTOCOL, such as CLIENTS:PLAINTEXT` })
    else if (!PROTOCOLS.includes(protocol))
      problems.push({
        name: MAP,
        text: `${MAP}: '${protocol}' is no security protocol; use one of ${PROTOCOLS.join(', ')}`,
      })
    else map.set(name, protocol as SecurityProtocol)
  }
  return map
}

// Listeners that are only for Kafka's controllers (`controllers`) are left out: ours need none.
function readEntries(
  key: string,
  text: string,
  protocols: Protocols,
  controllers: ReadonlySet<string>,
  problems: Problem[],
): ListenerConfig[] {
  const found: ListenerConfig[] = []
  const say = (problem: string): void => void problems.push({ name: key, text: `${key}: ${problem}` })
  for (const entry of listOf(text)) {
    const match = ENTRY.exec(entry)
    const name = (match?.[1] ?? '').toUpperCase()
    const port = Number(match?.[4])
    const securityProtocol = protocols.get(name)
    if (!match || port > 65_535) say(`'${entry}' is no listener; write NAME://host:port, such as PLAINTEXT://:9092`)
    else if (controllers.has(name)) continue
    else if (!securityProtocol)
      say(`no security protocol is defined for listener ${name}; add ${name}:PLAINTEXT to ${MAP}`)
    else if (found.some(other => other.name === name))
      say(`the name ${name} is there twice; give each listener its own`)
    else found.push({ name, host: match[2] ?? match[3] ?? '', port, securityProtocol })
  }
  return found
}

/** Whether an address means "every interface", to which no client can connect. */
export function isWildcard(host: string): boolean {
  return host === '' || host === '0.0.0.0' || /^[0:]+$/.test(host)
}

function findClash(listeners: readonly ListenerConfig[]): string | null {
  const isSame = (a: string, b: string): boolean => a === b || isWildcard(a) || isWildcard(b)
  for (const [index, one] of listeners.entries())
    for (const other of listeners.slice(index + 1))
      if (one.port === other.port && one.port !== 0 && isSame(one.host, other.host))
        return `listeners: ${one.name} and ${other.name} both want port ${one.port}; give each its own`
  return null
}
