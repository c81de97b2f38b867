"""The commands of confluent-kafka that are about transactions; client.py reads them."""

import base64

from confluent_kafka import KafkaException, Producer

DEADLINE_S = 60
producers = {}


def decode(text):
    return None if text is None else base64.b64decode(text)


def open_transactional(command):
    producer = Producer(
        {
            'bootstrap.servers': command['bootstrap'],
            'transactional.id': command['transactionalId'],
            'transaction.timeout.ms': command['timeoutMs'],
            # It must not be above the time-out of the transaction.
            'message.timeout.ms': command['timeoutMs'],
            'linger.ms': 5,
        }
    )
    producers[command['producer']] = producer
    producer.init_transactions(DEADLINE_S)
    return {}


def begin_transaction(command):
    producers[command['producer']].begin_transaction()
    return {}


def send_in_transaction(command):
    producer = producers[command['producer']]
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
        producer.produce(
            command['topic'],
            partition=command['partition'],
            key=decode(record['key']),
            value=decode(record['value']),
            on_delivery=delivered(index),
        )
    producer.flush(DEADLINE_S)
    if failures:
        raise KafkaException(failures[0])
    return {'offsets': [offsets[index] for index in range(len(command['records']))]}


def end_transaction(command):
    producer = producers[command['producer']]
    if command['commit']:
        producer.commit_transaction(DEADLINE_S)
    else:
        producer.abort_transaction(DEADLINE_S)
    return {}


def close_transactional(command):
    """Leaves an open transaction open."""
    del producers[command['producer']]
    return {}


COMMANDS = {
    'openTransactional': open_transactional,
    'beginTransaction': begin_transaction,
    'sendInTransaction': send_in_transaction,
    'endTransaction': end_transaction,
    'closeTransactional': close_transactional,
}
