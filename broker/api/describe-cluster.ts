// DescribeCluster (60), v0-2. The cluster's id, its controller and its brokers as this listener reaches them.
// - v2 shows fenced brokers when asked to (KIP-1073). v1 can ask for controllers (KIP-919): a broker listener refuses that.
import { ErrorCode } from '../protocol/errors.ts'
import { DescribeCluster } from '../protocol/messages/describe-cluster.ts'
import { CLUSTER_OPERATIONS, OPERATIONS_NOT_REQUESTED } from './authorized-operations.ts'
import { handler } from './handler.ts'
import { endpointsOf, isAlive } from './topic-description.ts'

const EndpointType = { BROKER: 1, CONTROLLER: 2 } as const

export const describeCluster = handler(DescribeCluster, (request, context, call) => {
  if (request.endpointType === EndpointType.CONTROLLER) {
    return refused(
      ErrorCode.MISMATCHED_ENDPOINT_TYPE,
      'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER',
    )
  }
  if (request.endpointType !== EndpointType.BROKER) {
    return refused(ErrorCode.UNSUPPORTED_ENDPOINT_TYPE, `Unsupported endpoint type ${request.endpointType}`)
  }
  const image = context.image()
  const endpoints = endpointsOf(image, call.connection.listenerName)
  return {
    errorCode: ErrorCode.NONE,
    clusterId: context.clusterId,
    controllerId: isAlive(endpoints, image.controllerId) ? image.controllerId : -1,
    brokers: [...endpoints.values()].filter(({ isFenced }) => !isFenced || request.includeFencedBrokers),
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
      ? CLUSTER_OPERATIONS
      : OPERATIONS_NOT_REQUESTED,
  }
})

function refused(errorCode: ErrorCode, errorMessage: string) {
  return { errorCode, errorMessage, clusterId: '', brokers: [] }
}
