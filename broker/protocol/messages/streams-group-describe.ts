// StreamsGroupDescribe (89), v0-1.
import {
  api,
  array,
  bool,
  int16,
  int32,
  int64,
  int8,
  string,
  struct,
  uint16,
  type RequestOf,
  type ResponseOf,
} from '../schema.ts'

const keyValue = struct({ key: string, value: string })

const topicInfo = struct({ name: string, partitions: int32, replicationFactor: int16, topicConfigs: array(keyValue) })

const endpoint = struct({ host: string, port: uint16 })

const taskOffset = struct({ subtopologyId: string, partition: int32, offset: int64 })

const taskIds = struct({ subtopologyId: string, partitions: array(int32) })

const assignment = struct({ activeTasks: array(taskIds), standbyTasks: array(taskIds), warmupTasks: array(taskIds) })

const topologyDescriptionNode = struct({
  name: string,
  nodeType: int8,
  sourceTopics: array(string),
  sinkTopic: string.nullable().default(null),
  stores: array(string),
  successors: array(string),
})

const topologyDescriptionSubtopology = struct({ subtopologyId: string, nodes: array(topologyDescriptionNode) })

const topologyDescriptionGlobalStore = struct({ source: topologyDescriptionNode, processor: topologyDescriptionNode })

const topologyDescription = struct({
  subtopologies: array(topologyDescriptionSubtopology),
  globalStores: array(topologyDescriptionGlobalStore),
})

export const StreamsGroupDescribe = api({
  key: 89,
  name: 'StreamsGroupDescribe',
  versions: [0, 1],
  flexible: 0,
  request: {
    groupIds: array(string),
    includeAuthorizedOperations: bool,
    includeTopologyDescription: bool.since(1),
  },
  response: {
    throttleTimeMs: int32.default(0),
    groups: array({
      errorCode: int16,
      errorMessage: string.nullable().default(null),
      groupId: string,
      groupState: string,
      groupEpoch: int32,
      assignmentEpoch: int32,
      topology: struct({
        epoch: int32,
        subtopologies: array({
          subtopologyId: string,
          sourceTopics: array(string),
          repartitionSinkTopics: array(string),
          stateChangelogTopics: array(topicInfo),
          repartitionSourceTopics: array(topicInfo),
        })
          .nullable()
          .default(null),
      })
        .nullable()
        .default(null),
      members: array({
        memberId: string,
        memberEpoch: int32,
        instanceId: string.nullable().default(null),
        rackId: string.nullable().default(null),
        clientId: string,
        clientHost: string,
        topologyEpoch: int32,
        processId: string,
        userEndpoint: endpoint.nullable().default(null),
        clientTags: array(keyValue),
        taskOffsets: array(taskOffset),
        taskEndOffsets: array(taskOffset),
        assignment: assignment,
        targetAssignment: assignment,
        isClassic: bool,
      }),
      authorizedOperations: int32.default(-2147483648),
      topologyDescription: topologyDescription.since(1).nullable().default(null),
      topologyDescriptionStatus: int8.since(1),
      assignorName: string.since(1).nullable().default(null).ignorable(),
    }),
  },
})

export interface StreamsGroupDescribeRequest extends RequestOf<typeof StreamsGroupDescribe> {}
export interface StreamsGroupDescribeResponse extends ResponseOf<typeof StreamsGroupDescribe> {}
