// The catalogue of broker keys: what keys/ holds by theme, looked up by name, and what to say about a name that is not in it.
import type { ConfigKey } from './config-key.ts'
import { clusterKeys } from './keys/cluster.ts'
import { flotillaKeys } from './keys/flotilla.ts'
import { groupKeys } from './keys/groups.ts'
import { logKeys } from './keys/log.ts'
import { networkKeys } from './keys/network.ts'
import { remoteKeys } from './keys/remote.ts'
import { securityKeys } from './keys/security.ts'
import { shareAndStreamsKeys } from './keys/share-and-streams.ts'
import { topicDefaultKeys } from './keys/topics.ts'
import { transactionKeys } from './keys/transactions.ts'
import { nearest } from './nearest.ts'
import { topicConfigKey } from './topic-config.ts'

/** The catalogue in the order of the documentation. */
export const brokerKeysByTheme: readonly { readonly theme: string; readonly keys: readonly ConfigKey[] }[] = [
  { theme: 'Of our own', keys: flotillaKeys },
  { theme: 'Listeners, connections and requests', keys: networkKeys },
  { theme: 'Topics', keys: topicDefaultKeys },
  { theme: 'The log', keys: logKeys },
  { theme: 'The cluster', keys: clusterKeys },
  { theme: 'Groups', keys: groupKeys },
  { theme: 'Share groups and streams groups', keys: shareAndStreamsKeys },
  { theme: 'Transactions', keys: transactionKeys },
  { theme: 'Tiered storage', keys: remoteKeys },
  { theme: 'Security', keys: securityKeys },
].map(({ theme, keys }) => ({ theme, keys: keys.map(withUpdateMode) }))

// A key that does not say how it changes cannot change while the broker runs.
function withUpdateMode(key: ConfigKey): ConfigKey {
  const updateMode = key.updateMode ?? 'read-only'
  return { ...key, updateMode, isReadOnly: updateMode === 'read-only' }
}

/** Every server.properties key that Kafka 4.x knows, and our own (`flotilla.*`). */
export const brokerConfigs: readonly ConfigKey[] = brokerKeysByTheme.flatMap(({ keys }) => keys)

const byName: ReadonlyMap<string, ConfigKey> = new Map(brokerConfigs.map(key => [key.name, key]))

/**
 * The catalogue entry for `name`. Keys for one listener (`listener.name.clients.ssl.keystore.location`) have the entry of the key
 * behind the listener's name, and none of them is honoured.
 */
export function brokerConfigKey(name: string): ConfigKey | undefined {
  const known = byName.get(name)
  if (known) return known
  const [, ofListener] = /^listener\.name\.[^.]+\.(.+)$/.exec(name) ?? []
  if (ofListener === undefined)
    return PLUGIN_PREFIXES.some(prefix => name.startsWith(prefix)) ? pluginKey(name) : undefined
  // SASL keys may carry the mechanism too: listener.name.clients.plain.sasl.jaas.config.
  const key = byName.get(ofListener) ?? byName.get(ofListener.slice(ofListener.indexOf('.') + 1))
  return key && { ...key, name, honoured: false }
}

// Kafka hands these to the Java classes that other keys name.
const PLUGIN_PREFIXES = ['rsm.config.', 'rlmm.config.', 'config.providers.']

function pluginKey(name: string): ConfigKey {
  return {
    name,
    type: 'string',
    default: null,
    doc: 'Handed to a Java class by Kafka.',
    honoured: false,
    isSensitive: true,
    isReadOnly: true,
    updateMode: 'read-only',
  }
}

/** What to tell somebody who used a key that is not in the catalogue. */
export function unknownBrokerKey(name: string): string {
  const shown = name.length > 120 ? `${name.slice(0, 120)}...` : name
  const unknown = `Unknown broker config name: ${shown}.`
  const goneSince = GONE.find(([pattern]) => pattern.test(name))?.[1]
  if (goneSince) return `${unknown} Kafka removed it in ${goneSince}: delete it.`
  const ofTopics = topicConfigKey(name)
  if (ofTopics)
    return `${unknown} It is a key of topics; ${ofTopics.brokerKey ?? 'brokers have no such default'} is the broker's.`
  const meant = nearest(name, byName.keys())
  if (meant) return `${unknown} Did you mean ${meant}?`
  return `${unknown} docs/configuration.md lists every key.`
}

// Keys that old files still contain.
const GONE: readonly (readonly [RegExp, string])[] = [
  [/^zookeeper\./, '4.0, with ZooKeeper'],
  [/^password\.encoder\./, '4.0'],
  [/^(inter\.broker\.protocol\.version|control\.plane\.listener\.name|auto\.include\.jmx\.reporter)$/, '4.0'],
  [/^(broker\.id\.generation\.enable|reserved\.broker\.max\.id|delegation\.token\.master\.key)$/, '4.0'],
  [/^(offsets\.commit\.required\.acks|log\.message\.timestamp\.difference\.max\.ms)$/, '4.0'],
  [/^log\.message\.(format\.version|downconversion\.enable)$/, '4.0'],
  [
    /^(host\.name|port|advertised\.host\.name|advertised\.port)$/,
    '3.0; listeners and advertised.listeners took its place',
  ],
]
