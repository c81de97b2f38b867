// DescribeConfigs (32), v1-4. The configuration in force of topics and brokers, with sources, synonyms (KIP-226) and documentation.
// - Every key that Kafka knows is described, also those without effect here; our own are flotilla.*.
// - A broker describes itself and, under the empty name, what is set for all brokers. Sensitive values are null.
// - No keys in the request, or an empty list: all. Keys that do not exist are left out.
// - Groups and subscriptions to clients' metrics (KIP-1000) need not exist to be described. There are no loggers to describe.
import type { ConfigType } from '../config/config-key.ts'
import {
  brokerConfigEntries,
  clientMetricsConfigEntries,
  defaultBrokerConfigEntries,
  groupConfigEntries,
  topicConfigEntries,
} from '../metadata/config-entries.ts'
import type { ConfigEntry } from '../metadata/config-entries.ts'
import { ResourceType, type ConfigResource } from '../metadata/configs.ts'
import { DONE, refuse, type Outcome } from '../metadata/refusal.ts'
import { invalidTopicName } from '../metadata/topic-names.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { DescribeConfigs, type DescribeConfigsRequest } from '../protocol/messages/describe-configs.ts'
import type { Context } from './context.ts'
import { handler } from './handler.ts'

/** DescribeConfigsResponse.ConfigType on the wire. */
const TYPE_CODES: Readonly<Record<ConfigType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
}

export const describeConfigs = handler(DescribeConfigs, (request, context) => ({
  results: request.resources.map(resource => {
    const { resourceType, resourceName, configurationKeys } = resource
    const wanted = configurationKeys === null || configurationKeys.length === 0 ? null : new Set(configurationKeys)
    const found = entriesOf(resource, context, wanted)
    const isRefused = 'errorCode' in found
    return {
      ...(isRefused ? found : DONE),
      resourceType,
      resourceName,
      configs: isRefused ? [] : found.map(entry => described(entry, request)),
    }
  }),
}))

function entriesOf(
  { resourceType, resourceName }: ConfigResource,
  context: Context,
  wanted: ReadonlySet<string> | null,
): ConfigEntry[] | Outcome {
  const image = context.image()
  const { brokerId, config } = context
  switch (resourceType) {
    case ResourceType.TOPIC: {
      const invalid = invalidTopicName(resourceName)
      if (invalid !== null) return refuse(ErrorCode.INVALID_TOPIC_EXCEPTION, invalid)
      const topic = image.topics.get(resourceName)
      if (topic !== undefined) return topicConfigEntries(topic.configs, image, brokerId, config, wanted)
      return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `The topic '${resourceName}' does not exist.`)
    }
    case ResourceType.BROKER:
    case ResourceType.BROKER_LOGGER: {
      const isLogger = resourceType === ResourceType.BROKER_LOGGER
      if (resourceName === '' && !isLogger) return defaultBrokerConfigEntries(image, wanted)
      if (!/^[+-]?\d{1,10}$/.test(resourceName)) {
        return refuse(ErrorCode.INVALID_REQUEST, `Broker id must be an integer, but it is: ${resourceName}`)
      }
      if (Number(resourceName) === brokerId) {
        return isLogger ? [] : brokerConfigEntries(image, brokerId, config, wanted)
      }
      return refuse(
        ErrorCode.INVALID_REQUEST,
        `Unexpected broker id, expected ${brokerId} or empty string, but received ${resourceName}`,
      )
    }
    case ResourceType.CLIENT_METRICS:
      if (resourceName === '') {
        return refuse(ErrorCode.INVALID_REQUEST, 'Client metrics subscription name must not be empty')
      }
      return clientMetricsConfigEntries(resourceName, image, wanted)
    case ResourceType.GROUP:
      if (resourceName === '') return refuse(ErrorCode.INVALID_REQUEST, 'Group name must not be empty')
      return groupConfigEntries(resourceName, image, brokerId, config, wanted)
    default:
      return refuse(ErrorCode.INVALID_REQUEST, `Unsupported resource type: ${resourceType}`)
  }
}

function described(entry: ConfigEntry, request: DescribeConfigsRequest) {
  return {
    name: entry.name,
    value: entry.value,
    readOnly: entry.isReadOnly,
    configSource: entry.source,
    isSensitive: entry.isSensitive,
    synonyms: request.includeSynonyms ? entry.synonyms : [],
    configType: TYPE_CODES[entry.type],
    documentation: request.includeDocumentation ? entry.doc : null,
  }
}
