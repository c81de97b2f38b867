// ListConfigResources (74), v0-1. The names of what can have a configuration (KIP-1142; v0 was ListClientMetricsResources and knows
// client metrics only).
// - No types: all. An unknown type is UNSUPPORTED_VERSION, as in Kafka.
// - Groups and subscriptions to clients' metrics are those for which something is set.
import type { MetadataImage } from '../metadata/image.ts'
import { ResourceType } from '../metadata/configs.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { ListConfigResources } from '../protocol/messages/list-config-resources.ts'
import { handler } from './handler.ts'

const ALL_TYPES: readonly number[] = Object.values(ResourceType)

export const listConfigResources = handler(ListConfigResources, (request, context, { apiVersion }) => {
  const asked = apiVersion === 0 ? [ResourceType.CLIENT_METRICS] : request.resourceTypes
  const types = asked.length === 0 ? ALL_TYPES : [...new Set(asked)]
  if (types.some(type => !ALL_TYPES.includes(type))) {
    return { errorCode: ErrorCode.UNSUPPORTED_VERSION, configResources: [] }
  }
  const image = context.image()
  return {
    errorCode: ErrorCode.NONE,
    configResources: types.flatMap(resourceType =>
      namesOf(resourceType, image).map(resourceName => ({ resourceName, resourceType })),
    ),
  }
})

function namesOf(resourceType: number, image: MetadataImage): string[] {
  if (resourceType === ResourceType.TOPIC) return [...image.topics.keys()]
  if (resourceType === ResourceType.GROUP) return [...image.groupConfigs.keys()]
  if (resourceType === ResourceType.CLIENT_METRICS) return [...image.clientMetricsConfigs.keys()]
  const isOfBrokers = resourceType === ResourceType.BROKER || resourceType === ResourceType.BROKER_LOGGER
  return isOfBrokers ? [...image.brokers.keys()].map(String) : []
}
