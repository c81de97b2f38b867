"""Answers and events as lines of JSON on standard output."""

import json
import threading

from confluent_kafka import KafkaException

writing = threading.Lock()


def write(line):
    with writing:
        print(json.dumps(line), flush=True)


def described(exception):
    """An error as an answer or an event has it."""
    if isinstance(exception, KafkaException):
        error = exception.args[0]
        return {'code': error.code(), 'name': error.name(), 'message': error.str()}
    return {'code': None, 'name': type(exception).__name__, 'message': str(exception)}
