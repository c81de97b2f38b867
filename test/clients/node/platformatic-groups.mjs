// The commands of @platformatic/kafka that are about consumer groups; platformatic.mjs reads them. Its stream of messages is the
// member; a stream that a rebalance has destroyed is followed by another, as its users do it.
import { Assignment, reportError, reportRecord } from './groups.mjs'

export function groupCommands(Consumer, connection, codeOf) {
  let member

  return {
    async joinGroup(command) {
      const { group, topics, assignor, instanceId, reset, sessionTimeoutMs, heartbeatIntervalMs } = command
      const made = new Consumer({
        ...connection(command),
        retries: 20,
        groupId: group,
        ...(instanceId !== null && { groupInstanceId: instanceId }),
        protocols: [{ name: assignor, version: 1 }],
        sessionTimeout: sessionTimeoutMs,
        rebalanceTimeout: Math.max(sessionTimeoutMs, 30_000),
        heartbeatInterval: heartbeatIntervalMs,
        maxWaitTime: 500,
        autocommit: false,
      })
      const self = { consumer: made, isOver: false }
      member = self
      const isCooperative = assignor === 'cooperative-sticky'
      const assignment = new Assignment()
      const current = () => (made.assignments ?? []).map(({ topic, partitions }) => [topic, partitions])
      made.on('consumer:group:rebalance', () => assignment.become(isCooperative ? current() : []))
      made.on('consumer:group:join', () => assignment.rejoin(current()))
      made.on('error', error => reportError(error, codeOf))
      made.on('consumer:heartbeat:error', ({ error }) => reportError(error, codeOf))
      const fallbackMode = reset === 'none' ? 'fail' : reset
      const read = async () => {
        while (!self.isOver) {
          try {
            const stream = await made.consume({ topics, mode: 'committed', fallbackMode })
            for await (const { topic, partition, ...record } of stream) {
              // It may hold records of a partition that has gone.
              if (assignment.has(topic, partition)) reportRecord(topic, partition, record)
            }
          } catch (error) {
            if (self.isOver) return
            reportError(error, codeOf)
            await new Promise(resolve => setTimeout(resolve, 100))
          }
        }
      }
      void read()
      return {}
    },

    async commitOffsets({ offsets }) {
      await member.consumer.commit({
        offsets: offsets.map(each => ({ ...each, offset: BigInt(each.offset), leaderEpoch: -1 })),
      })
      return {}
    },

    async leaveGroup() {
      member.isOver = true
      await member.consumer.close(true)
      return {}
    },
  }
}
