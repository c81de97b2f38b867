"""The program for confluent-kafka (librdkafka): commands as lines of JSON on standard input, one answer line each on standard
output. The commands and their fields are described in ../program.ts."""

import base64
import json
import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, KafkaException, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

import groups
import lines
import transactions

DEADLINE_S = 60
# How long librdkafka waits for a topic that it has been told about but cannot see; its default is 30 s.
PROPAGATION_MS = 1000
admins = {}


def admin(command):
    bootstrap = command['bootstrap']
    if bootstrap not in admins:
        admins[bootstrap] = AdminClient({'bootstrap.servers': bootstrap, 'socket.timeout.ms': 30000})
    return admins[bootstrap]


def only(futures):
    """The outcome of a call that was made for one thing."""
    (future,) = futures.values()
    return future.result(timeout=DEADLINE_S)


def decode(text):
    return None if text is None else base64.b64decode(text)


def encode(data):
    return None if data is None else base64.b64encode(data).decode()


def hello(_):
    return {'client': f'confluent-kafka {confluent_kafka.__version__} (librdkafka {confluent_kafka.libversion()[0]})'}


def describe_cluster(command):
    cluster = admin(command).describe_cluster().result(timeout=DEADLINE_S)
    return {
        'clusterId': cluster.cluster_id,
        'controllerId': cluster.controller.id,
        'brokers': [{'id': node.id, 'host': node.host, 'port': node.port} for node in cluster.nodes],
    }


def create_topic(command):
    topic = NewTopic(
        command['topic'],
        num_partitions=command['partitions'],
        replication_factor=command['replicationFactor'],
        config=command['configs'],
    )
    only(admin(command).create_topics([topic], validate_only=command['validateOnly'], operation_timeout=30))
    return {}


def delete_topic(command):
    only(admin(command).delete_topics([command['topic']], operation_timeout=30))
    return {}


def describe_topic(command):
    description = only(admin(command).describe_topics(TopicCollection([command['topic']])))
    partitions = [
        {
            'partition': info.id,
            'leader': info.leader.id,
            'replicas': [node.id for node in info.replicas],
            'isr': [node.id for node in info.isr],
        }
        for info in description.partitions
    ]
    return {'partitions': partitions}


def create_partitions(command):
    only(admin(command).create_partitions([NewPartitions(command['topic'], command['count'])], operation_timeout=30))
    return {}


def topic_resource(command, entries=None):
    return ConfigResource(ResourceType.TOPIC, command['topic'], incremental_configs=entries)


def alter_config(command):
    operation = AlterConfigOpType.DELETE if command['value'] is None else AlterConfigOpType.SET
    entry = ConfigEntry(command['key'], command['value'], incremental_operation=operation)
    only(admin(command).incremental_alter_configs([topic_resource(command, [entry])]))
    return {}


def describe_configs(command):
    entries = only(admin(command).describe_configs([topic_resource(command)]))
    # ConfigSource.DYNAMIC_TOPIC_CONFIG
    return {'configs': {name: {'value': e.value, 'isSet': int(e.source) == 1} for name, e in entries.items()}}


def delete_records(command):
    partition = TopicPartition(command['topic'], command['partition'], command['before'])
    return {'lowWatermark': only(admin(command).delete_records([partition])).low_watermark}


def list_offsets(command):
    at = command['at']
    specs = {'earliest': OffsetSpec.earliest, 'latest': OffsetSpec.latest, 'max-timestamp': OffsetSpec.max_timestamp}
    spec = specs[at]() if at in specs else OffsetSpec.for_timestamp(at)
    result = only(admin(command).list_offsets({TopicPartition(command['topic'], command['partition']): spec}))
    return {'offset': result.offset}


def produce(command):
    producer = Producer(
        {
            'bootstrap.servers': command['bootstrap'],
            'compression.type': command['compression'],
            'acks': command['acks'],
            'enable.idempotence': command['idempotent'],
            # The broker shall judge the size, not the client.
            'message.max.bytes': 100_000_000,
            'batch.size': 2_000_000,
            'linger.ms': 20,
            'topic.metadata.propagation.max.ms': 30000 if command['autoCreate'] else PROPAGATION_MS,
            'message.timeout.ms': command['timeoutMs'],
        }
    )
    offsets = {}
    failures = []

    def delivered(index):
        def on_delivery(error, message):
            if error is not None:
                failures.append(error)
            else:
                offsets[index] = message.offset()

        return on_delivery

    for index, record in enumerate(command['records']):
        more = {'timestamp': record['timestamp']} if 'timestamp' in record else {}
        producer.produce(
            command['topic'],
            partition=command['partition'],
            key=decode(record['key']),
            value=decode(record['value']),
            headers=[(name, decode(value)) for name, value in record['headers']],
            on_delivery=delivered(index),
            **more,
        )
        producer.poll(0)
    left = producer.flush(DEADLINE_S)
    if failures:
        raise KafkaException(failures[0])
    if left:
        raise TimeoutError(f'{left} records were not delivered')
    return {'offsets': [offsets[index] for index in range(len(command['records']))]}


def consume(command):
    consumer = Consumer(
        {
            'bootstrap.servers': command['bootstrap'],
            # librdkafka wants a name, but assign() with offsets never joins the group.
            'group.id': 'not-a-member',
            'enable.auto.commit': False,
            'auto.offset.reset': 'error',
            'isolation.level': command.get('isolation', 'read_uncommitted'),
            'topic.metadata.propagation.max.ms': PROPAGATION_MS,
        }
    )
    try:
        start = command['from']
        partition = TopicPartition(command['topic'], command['partition'])
        if start == 'earliest':
            partition.offset = confluent_kafka.OFFSET_BEGINNING
        elif isinstance(start, dict):
            partition.offset = start['timestamp']
            (partition,) = consumer.offsets_for_times([partition], timeout=DEADLINE_S)
        else:
            partition.offset = start
        consumer.assign([partition])
        records = []
        deadline = time.monotonic() + DEADLINE_S
        while len(records) < command['count']:
            if time.monotonic() > deadline:
                raise TimeoutError(f'{len(records)} of {command["count"]} records after {DEADLINE_S} s')
            message = consumer.poll(1)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            records.append(
                {
                    'offset': message.offset(),
                    'timestamp': message.timestamp()[1],
                    'key': encode(message.key()),
                    'value': encode(message.value()),
                    'headers': [[name, encode(value)] for name, value in message.headers() or []],
                }
            )
        return {'records': records}
    finally:
        consumer.close()


COMMANDS = {
    'hello': hello,
    'describeCluster': describe_cluster,
    'createTopic': create_topic,
    'deleteTopic': delete_topic,
    'describeTopic': describe_topic,
    'createPartitions': create_partitions,
    'alterConfig': alter_config,
    'describeConfigs': describe_configs,
    'deleteRecords': delete_records,
    'listOffsets': list_offsets,
    'produce': produce,
    'consume': consume,
    **transactions.COMMANDS,
    **groups.COMMANDS,
}


def answer(command):
    try:
        return {'result': COMMANDS[command['op']](command)}
    except Exception as exception:  # pylint: disable=broad-except
        return {'error': lines.described(exception)}


for line in sys.stdin:
    lines.write(answer(json.loads(line)))
