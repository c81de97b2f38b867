// Keys of our own. In the environment they go without the second "flotilla": FLOTILLA_LOG_CACHE_BYTES is flotilla.log.cache.bytes.
import type { ConfigKey } from '../config-key.ts'
import { atLeast, between, honoured, int, long, oneOf, string } from '../kinds.ts'

export const flotillaKeys: readonly ConfigKey[] = [
  honoured(
    'flotilla.cluster.id',
    string(null),
    'The id of the cluster: 22 characters of URL-safe base64. A fresh data directory gets a random one when unset; a data directory of another cluster is refused.',
  ),
  honoured('flotilla.http.host', string(''), 'Where metrics and health are served over HTTP; empty: every interface.'),
  honoured(
    'flotilla.http.port',
    int(9404, between(-1, 65_535)),
    'Port for metrics and health over HTTP; -1 serves none, 0 takes any free port.',
  ),
  honoured(
    'flotilla.log.cache.bytes',
    long(67_108_864, atLeast(0)),
    'Memory for the newest batches of all partitions together, from which live consumers and followers read.',
  ),
  honoured(
    'flotilla.log.inline.limit.bytes',
    int(16_384, atLeast(0)),
    'While fewer bytes than this wait for one commit of all partitions, they are stored in RocksDB itself; more go to files.',
  ),
  honoured(
    'flotilla.disk.reserve.bytes',
    long(268_435_456, atLeast(0)),
    'While less than this is free on the disk, produce requests are refused, so that reading and deleting still work.',
  ),
  honoured(
    'flotilla.rocksdb.write.buffer.bytes',
    long(16_777_216, atLeast(65_536)),
    'How much collects in the memory of RocksDB before it is written to a table file; a few such buffers exist at once.',
  ),
  honoured(
    'flotilla.connection.max.requests',
    int(100, atLeast(1)),
    'Requests of one connection that wait or run; beyond that it is not read.',
  ),
  honoured(
    'flotilla.connection.max.request.bytes',
    long(33_554_432, atLeast(1)),
    'Bytes of the requests of one connection that wait or run; beyond that it is not read. One request may be larger.',
  ),
  honoured(
    'flotilla.connection.max.unsent.bytes',
    long(33_554_432, atLeast(1)),
    'While a client leaves more than this of its answers unread, no further request of its connection starts.',
  ),
  honoured(
    'flotilla.response.max.bytes',
    long(268_435_456, atLeast(1_048_576)),
    'Bytes of answers of all connections that wait to be sent; near that, fetches get less than they ask for.',
  ),
  honoured(
    'flotilla.log.level',
    string('info', oneOf('debug', 'info', 'warn', 'error')),
    "From which level on the broker's own log says something.",
  ),
  honoured(
    'flotilla.log.format',
    string('auto', oneOf('auto', 'pretty', 'json')),
    "The format of the broker's own log: lines for people, JSON, or (auto) lines on a terminal and JSON elsewhere.",
  ),
]
