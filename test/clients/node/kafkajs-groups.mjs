// The commands of kafkajs that are about consumer groups; kafkajs.mjs reads them. It brings one assignor, round robin with a name
// of its own; so that it can be in a group with others, range is plugged in as its documentation describes.
import { Assignment, reportError, reportRecord } from './groups.mjs'
import { require } from './lines.mjs'

const { AssignerProtocol, PartitionAssigners } = require('kafkajs')
const { MemberMetadata, MemberAssignment } = AssignerProtocol

/** Each member gets a run of neighbouring partitions of every topic, as Kafka's RangeAssignor has it. */
const range = ({ cluster }) => ({
  name: 'range',
  version: 1,
  async assign({ members, topics }) {
    const ids = members.map(({ memberId }) => memberId).sort()
    const assignments = new Map(ids.map(id => [id, {}]))
    for (const topic of topics) {
      const partitions = cluster.findTopicPartitionMetadata(topic).map(({ partitionId }) => partitionId)
      partitions.sort((a, b) => a - b)
      for (const [index, id] of ids.entries()) {
        assignments.get(id)[topic] = partitions.splice(0, Math.ceil(partitions.length / (ids.length - index)))
      }
    }
    return ids.map(memberId => ({
      memberId,
      memberAssignment: MemberAssignment.encode({ version: 0, assignment: assignments.get(memberId) }),
    }))
  },
  protocol: ({ topics }) => ({ name: 'range', metadata: MemberMetadata.encode({ version: 0, topics }) }),
})

const assigners = { range, roundrobin: PartitionAssigners.roundRobin }

/** `connect` makes a client for a bootstrap address. */
export function groupCommands(connect, codeOf) {
  let consumer

  return {
    async joinGroup(command) {
      const { bootstrap, group, topics, assignor, reset, sessionTimeoutMs, heartbeatIntervalMs } = command
      const made = connect(bootstrap).consumer({
        groupId: group,
        partitionAssigners: [assigners[assignor]],
        sessionTimeout: sessionTimeoutMs,
        heartbeatInterval: heartbeatIntervalMs,
        // It sends heartbeats between two fetches.
        maxWaitTimeInMs: heartbeatIntervalMs,
        retry: { initialRetryTime: 100, retries: 20 },
      })
      consumer = made
      const assignment = new Assignment()
      made.on(made.events.REBALANCING, () => assignment.become([]))
      made.on(made.events.GROUP_JOIN, ({ payload }) => {
        assignment.become([])
        assignment.rejoin(Object.entries(payload.memberAssignment))
      })
      made.on(made.events.CRASH, ({ payload }) => reportError(payload.error, codeOf))
      await made.connect()
      await made.subscribe({ topics, fromBeginning: reset === 'earliest' })
      // Returns when it has joined for the first time, which may take as long as others take to rejoin.
      made
        .run({
          autoCommit: false,
          eachBatch: async ({ batch: { topic, partition, messages }, isStale }) => {
            for (const message of messages) if (!isStale()) reportRecord(topic, partition, message)
          },
        })
        .catch(error => reportError(error, codeOf))
      return {}
    },

    async commitOffsets({ offsets }) {
      await consumer.commitOffsets(offsets.map(each => ({ ...each, offset: String(each.offset) })))
      return {}
    },

    async seek({ topic, partition, offset }) {
      consumer.seek({ topic, partition, offset: String(offset) })
      return {}
    },

    async pause({ topic, partition }) {
      consumer.pause([{ topic, partitions: [partition] }])
      return {}
    },

    async resume({ topic, partition }) {
      consumer.resume([{ topic, partitions: [partition] }])
      return {}
    },

    async leaveGroup() {
      await consumer.disconnect()
      return {}
    },
  }
}
