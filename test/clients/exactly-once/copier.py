"""Copier.java with librdkafka: copies a topic into another one, partition by partition, exactly once, until it is killed.
Arguments: bootstrap servers, input, output, group, transactional id."""

import sys

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition


def main(bootstrap, source, target, group, transactional_id):
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 1000,
        }
    )
    producer = Producer(
        {"bootstrap.servers": bootstrap, "transactional.id": transactional_id, "transaction.timeout.ms": 10000}
    )
    producer.init_transactions()
    consumer.subscribe([source])
    while True:
        # Before the records: librdkafka may join the next generation at any time, and with that one's metadata the group would take the
        # positions of partitions that by then another member has.
        generation = consumer.consumer_group_metadata()
        records = [record for record in consumer.consume(200, 0.2) if record.error() is None]
        if not records:
            continue
        try:
            copy(records, generation, producer, target)
        except KafkaException as failed:
            if not failed.args[0].txn_requires_abort():
                raise
            print(f"aborting: {failed}", file=sys.stderr, flush=True)
            producer.abort_transaction()
            rewind(consumer)


def copy(records, generation, producer, target):
    producer.begin_transaction()
    positions = {}
    for record in records:
        producer.produce(target, key=record.key(), value=record.value(), partition=record.partition())
        positions[record.partition()] = TopicPartition(record.topic(), record.partition(), record.offset() + 1)
    producer.send_offsets_to_transaction(list(positions.values()), generation)
    producer.commit_transaction()
    print(f"copied {len(records)}", flush=True)


def rewind(consumer):
    """Back to what is committed: the records of the aborted transaction come again."""
    for position in consumer.committed(consumer.assignment()):
        if position.offset < 0:
            position.offset = 0
        consumer.seek(position)


main(*sys.argv[1:])
