// The commands of program.ts that are about consumer groups. A program is a member of one group at a time: from `joinGroup` to
// `leaveGroup` it polls without being asked and reports what happens to it as events, lines of their own between the answers.
// So one process is one member, which can be killed and stopped like one.

export type TopicPartition = { topic: string; partition: number }
export type TopicPartitionOffset = TopicPartition & { offset: number }

export const assignors = ['range', 'roundrobin', 'sticky', 'cooperative-sticky'] as const
/** Kafka's names of the assignors that come with its own client. */
export type Assignor = (typeof assignors)[number]

export type Membership = {
  group: string
  topics: readonly string[]
  assignor: Assignor
  /** Makes it a static member (KIP-345). */
  instanceId: string | null
  reset: 'earliest' | 'latest' | 'none'
  sessionTimeoutMs: number
  heartbeatIntervalMs: number
}

export type GroupCommands = {
  /** Returns before the member has been assigned anything. The client commits nothing by itself, where that can be told. */
  joinGroup: { in: Membership; out: object }
  /** Commits with the generation that the client takes for the current one; an error is the answer's. */
  commitOffsets: { in: { offsets: readonly TopicPartitionOffset[] }; out: object }
  /** Only partitions that are assigned. */
  seek: { in: TopicPartitionOffset; out: object }
  pause: { in: TopicPartition; out: object }
  resume: { in: TopicPartition; out: object }
  /** Closes the consumer; a static member stays in the group until its session ends. */
  leaveGroup: { in: object; out: object }

  /** Without those who have committed nothing. */
  groupOffsets: { in: { group: string }; out: { offsets: TopicPartitionOffset[] } }
  describeGroup: {
    in: { group: string }
    out: {
      state: string
      protocol: string
      members: { memberId: string; instanceId: string | null; partitions: number }[]
    }
  }
  deleteGroup: { in: { group: string }; out: object }
}

export type MemberEvent =
  /** `assigned`: in addition to what it has. A member without partitions is told of none. `lost`: somebody else may have them already. */
  | { event: 'assigned' | 'revoked' | 'lost'; partitions: TopicPartition[] }
  | { event: 'records'; records: (TopicPartitionOffset & { value: Buffer })[] }
  /** What the client reports beside the answers. */
  | { event: 'error'; error: { code: number | null; name: string; message: string } }
