// Metadata (3): brokers, topics, and who leads their partitions. v1 null for all topics, controller and racks, v2
// cluster id (KIP-78), v3 throttle time (KIP-124), v4 says whether to create topics, v5 offline replicas (KIP-112), v6
// throttles after the answer (KIP-219), v7 leader epoch (KIP-320), v8 authorized operations (KIP-430), v9 flexible
// (KIP-482), v10 topic ids in answers (KIP-516), v11 leaves the cluster's operations to DescribeCluster (KIP-700), v12
// topics asked for by id, v13 an error for the whole, REBOOTSTRAP_REQUIRED (KIP-1102).
import { api, array, bool, int16, int32, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const Metadata = api({
  key: 3,
  name: 'Metadata',
  versions: [0, 13],
  flexible: 9,
  request: {
    topics: array({ topicId: uuid.since(10).ignorable(), name: string.nullable(10) }).nullable(1),
    allowAutoTopicCreation: bool.since(4).default(true),
    includeClusterAuthorizedOperations: bool.since(8).until(10),
    includeTopicAuthorizedOperations: bool.since(8),
  },
  response: {
    throttleTimeMs: int32.since(3).ignorable(),
    brokers: array({
      nodeId: int32,
      host: string,
      port: int32,
      rack: string.since(1).nullable().default(null).ignorable(),
    }),
    clusterId: string.since(2).nullable().default(null).ignorable(),
    controllerId: int32.since(1).default(-1).ignorable(),
    topics: array({
      errorCode: int16,
      name: string.nullable(12),
      topicId: uuid.since(10).ignorable(),
      isInternal: bool.since(1).ignorable(),
      partitions: array({
        errorCode: int16,
        partitionIndex: int32,
        leaderId: int32,
        leaderEpoch: int32.since(7).default(-1).ignorable(),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        offlineReplicas: array(int32).since(5).ignorable(),
      }),
      topicAuthorizedOperations: int32.since(8).default(-2147483648),
    }),
    clusterAuthorizedOperations: int32.since(8).until(10).default(-2147483648),
    errorCode: int16.since(13).ignorable(),
  },
})

export interface MetadataRequest extends RequestOf<typeof Metadata> {}
export interface MetadataResponse extends ResponseOf<typeof Metadata> {}
