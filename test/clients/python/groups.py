"""The commands of confluent-kafka that are about consumer groups; client.py reads them. A thread of its own polls, writes what it
hears as events, and does between two polls what commands ask of the consumer."""

import base64
import queue
import threading
from concurrent.futures import Future

import lines
from confluent_kafka import Consumer, KafkaException, TopicPartition

DEADLINE_S = 60
POLL_S = 0.05
member = None


class Member:
    def __init__(self, command):
        config = {
            'bootstrap.servers': command['bootstrap'],
            'group.id': command['group'],
            'partition.assignment.strategy': command['assignor'],
            'auto.offset.reset': 'error' if command['reset'] == 'none' else command['reset'],
            'session.timeout.ms': command['sessionTimeoutMs'],
            'heartbeat.interval.ms': command['heartbeatIntervalMs'],
            'enable.auto.commit': False,
        }
        if command['instanceId'] is not None:
            config['group.instance.id'] = command['instanceId']
        self.consumer = Consumer(config)
        self.is_over = False
        self.tasks = queue.SimpleQueue()
        self.consumer.subscribe(
            command['topics'],
            on_assign=lambda _, partitions: report('assigned', partitions),
            on_revoke=lambda _, partitions: report('revoked', partitions),
            on_lost=lambda _, partitions: report('lost', partitions),
        )
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while not self.is_over:
            self.poll()
            while not self.tasks.empty():
                task, future = self.tasks.get()
                try:
                    future.set_result(task())
                except Exception as exception:  # pylint: disable=broad-except
                    future.set_exception(exception)

    def poll(self):
        try:
            message = self.consumer.poll(POLL_S)
        except KafkaException as exception:
            lines.write({'event': 'error', 'error': lines.described(exception)})
            return
        if message is None:
            return
        if message.error():
            lines.write({'event': 'error', 'error': lines.described(KafkaException(message.error()))})
            return
        record = {
            **named(message.topic(), message.partition()),
            'offset': message.offset(),
            'value': base64.b64encode(message.value()).decode(),
        }
        lines.write({'event': 'records', 'records': [record]})

    def between_polls(self, task):
        future = Future()
        self.tasks.put((task, future))
        future.result(DEADLINE_S)
        return {}

    def leave(self):
        self.is_over = True
        self.consumer.close()


def named(topic, partition):
    return {'topic': topic, 'partition': partition}


def report(event, partitions):
    lines.write({'event': event, 'partitions': [named(each.topic, each.partition) for each in partitions]})


def join_group(command):
    global member
    member = Member(command)
    return {}


def commit_offsets(command):
    offsets = [TopicPartition(each['topic'], each['partition'], each['offset']) for each in command['offsets']]

    def commit():
        for committed in member.consumer.commit(offsets=offsets, asynchronous=False):
            if committed.error is not None:
                raise KafkaException(committed.error)

    return member.between_polls(commit)


def seek(command):
    return member.between_polls(
        lambda: member.consumer.seek(TopicPartition(command['topic'], command['partition'], command['offset']))
    )


def pause(command):
    return member.between_polls(lambda: member.consumer.pause([TopicPartition(command['topic'], command['partition'])]))


def resume(command):
    return member.between_polls(lambda: member.consumer.resume([TopicPartition(command['topic'], command['partition'])]))


def leave_group(_):
    return member.between_polls(member.leave)


COMMANDS = {
    'joinGroup': join_group,
    'commitOffsets': commit_offsets,
    'seek': seek,
    'pause': pause,
    'resume': resume,
    'leaveGroup': leave_group,
}
