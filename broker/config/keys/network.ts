// Listeners, connections and requests: where clients connect and how much of everything they may use.
import type { ConfigKey } from '../config-key.ts'
import { MAX_INT, atLeast, boolean, honoured, int, known, list, long, oneOf, string } from '../kinds.ts'

export const networkKeys: readonly ConfigKey[] = [
  honoured(
    'listeners',
    list('PLAINTEXT://:9092'),
    'Where the broker listens, as NAME://host:port entries; an empty host means every interface.',
    { updateMode: 'read-only' },
  ),
  honoured(
    'advertised.listeners',
    list(null),
    'The addresses that clients are told to connect to; what is not named here is advertised as it is listened on.',
  ),
  honoured(
    'listener.security.protocol.map',
    string('SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT'),
    'Which security protocol each listener name speaks, as NAME:PROTOCOL entries; only PLAINTEXT is served so far.',
    { updateMode: 'read-only' },
  ),
  known(
    'inter.broker.listener.name',
    string(null),
    'The listener that brokers use among themselves; the first PLAINTEXT listener when unset.',
  ),
  known(
    'security.inter.broker.protocol',
    string('PLAINTEXT', oneOf('PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL')),
    'The protocol between brokers, as an older way to choose the listener; not together with inter.broker.listener.name.',
  ),
  honoured(
    'controller.listener.names',
    list(null),
    'Listeners named here are not opened: brokers and controllers share their listeners, so files written for Kafka still work.',
  ),
  known('early.start.listeners', list(null), 'Listeners that Kafka opens before its authorizer is ready.'),
  known(
    'socket.send.buffer.bytes',
    int(102_400),
    'Send buffer (SO_SNDBUF) of client sockets; Node leaves it to the operating system, which adapts it.',
  ),
  known(
    'socket.receive.buffer.bytes',
    int(102_400),
    'Receive buffer (SO_RCVBUF) of client sockets; Node leaves it to the operating system, which adapts it.',
  ),
  honoured(
    'socket.request.max.bytes',
    int(104_857_600, atLeast(1)),
    'A request larger than this many bytes closes its connection.',
  ),
  known(
    'socket.listen.backlog.size',
    int(50, atLeast(1)),
    'How many connections may wait to be accepted in Kafka; ours are 1024.',
  ),
  known(
    'socket.connection.setup.timeout.ms',
    long(10_000),
    'How long an outgoing connection may take to be established at first.',
  ),
  known(
    'socket.connection.setup.timeout.max.ms',
    long(30_000),
    'The longest that an outgoing connection may take to be established after repeated failures.',
  ),
  honoured(
    'max.connections',
    int(10_000, atLeast(0)),
    'Connections that the broker accepts at once; the excess is closed immediately.',
    { kafkaDefault: MAX_INT, updateMode: 'cluster-wide' },
  ),
  honoured(
    'max.connections.per.ip',
    int(MAX_INT, atLeast(0)),
    'Connections that one client address may have at once.',
    { updateMode: 'cluster-wide' },
  ),
  honoured(
    'max.connections.per.ip.overrides',
    string(''),
    'Exceptions to max.connections.per.ip, as address:count entries.',
    { updateMode: 'cluster-wide' },
  ),
  known('max.connection.creation.rate', int(MAX_INT, atLeast(0)), 'New connections accepted per second.', {
    updateMode: 'cluster-wide',
  }),
  honoured(
    'connections.max.idle.ms',
    long(600_000),
    'A connection that sends nothing for this long is closed; a negative value means never.',
  ),
  known(
    'connections.max.reauth.ms',
    long(0),
    'A SASL connection must authenticate again after this long; 0 means never.',
  ),
  known(
    'connection.failed.authentication.delay.ms',
    int(100, atLeast(0)),
    'How long a connection that failed to authenticate is kept before it is closed.',
  ),
  known(
    'queued.max.requests',
    int(500, atLeast(1)),
    'Requests of all connections that may wait in Kafka; ours are bounded by their bytes.',
  ),
  honoured(
    'queued.max.request.bytes',
    long(67_108_864),
    'Bytes of requests of all connections that may wait or run at once; beyond that the broker reads no further, except to finish one larger request; -1 means no limit.',
    { kafkaDefault: '-1' },
  ),
  honoured(
    'fetch.max.bytes',
    int(57_671_680, atLeast(1024)),
    'The most that one fetch response carries, whatever the client asked for.',
  ),
  honoured(
    'max.incremental.fetch.session.cache.slots',
    int(1000, atLeast(0)),
    'Incremental fetch sessions that the broker remembers.',
  ),
  honoured(
    'max.request.partition.size.limit',
    int(2000, atLeast(1)),
    'The most partitions that one DescribeTopicPartitions response lists.',
  ),
  known(
    'num.network.threads',
    int(3, atLeast(1)),
    'Threads that read and write sockets in Kafka; Flotilla has one event loop.',
    { updateMode: 'cluster-wide' },
  ),
  known('num.io.threads', int(8, atLeast(1)), 'Threads that execute requests in Kafka; Flotilla has one event loop.', {
    updateMode: 'cluster-wide',
  }),
  known('background.threads', int(10, atLeast(1)), 'Threads for housekeeping in Kafka; Flotilla has one event loop.', {
    updateMode: 'cluster-wide',
  }),
  honoured(
    'request.timeout.ms',
    int(30_000),
    'How long the broker waits for an answer of its own: a decision about a transaction to be in its log, for one.',
  ),
  known(
    'fetch.purgatory.purge.interval.requests',
    int(1000),
    'How often Kafka cleans up the fetches that wait; ours leave no garbage.',
  ),
  known(
    'producer.purgatory.purge.interval.requests',
    int(1000),
    'How often Kafka cleans up the produce requests that wait; ours leave no garbage.',
  ),
  known(
    'delete.records.purgatory.purge.interval.requests',
    int(1),
    'How often Kafka cleans up the DeleteRecords requests that wait; ours leave no garbage.',
  ),
  known(
    'share.fetch.purgatory.purge.interval.requests',
    int(1000),
    'How often Kafka cleans up the share fetches that wait.',
  ),
  known(
    'unstable.api.versions.enable',
    boolean(false),
    'Lets clients use versions of requests that Kafka still develops.',
    { isInternal: true },
  ),
  known(
    'unstable.feature.versions.enable',
    boolean(false),
    'Lets the cluster use feature levels that Kafka still develops.',
    { isInternal: true },
  ),
]
