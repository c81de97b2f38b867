// StreamsGroupDescribe (89, KIP-1071). v1 the topology's description (KIP-1331) and the assignor (KIP-1357).
import { api, array, bool, int16, int32, int8, string, struct, type RequestOf, type ResponseOf } from '../schema.ts'
import { endpoint, keyValue, taskIds, taskOffset, topicInfo } from './streams.ts'

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
        assignment,
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
