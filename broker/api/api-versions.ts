// ApiVersions (18), v0-5. What this broker speaks (exactly the list in index.ts) and the feature levels of the cluster (KIP-584).
// - A version we do not know: UNSUPPORTED_VERSION in version 0 with the range of ApiVersions alone, so that the client can ask again
//   (KIP-511).
// - Produce is advertised from v0 and served from v3, as in Kafka: librdkafka before 2.0 takes its absence for an ancient broker (KIP-896).
// - From v3 the client names its software (KIP-511): a name or version of other characters is INVALID_REQUEST.
// - v5: a client that meant another cluster or broker gets REBOOTSTRAP_REQUIRED (KIP-1242).
import { supportedFeatures } from '../metadata/features.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { ApiVersions, type ApiVersionsRequest } from '../protocol/messages/api-versions.ts'
import type { Context } from './context.ts'
import { handler, type Call } from './handler.ts'

const PRODUCE_KEY = 0
const FIRST_VERSION_WITH_SOFTWARE_NAME = 3
const FIRST_VERSION_WITH_ZERO_LEVELS = 4
const FIRST_VERSION_WITH_IDENTITY = 5

export const apiVersions = handler(ApiVersions, (request: ApiVersionsRequest | null, context, { apiVersion }) => {
  // Null: the version is not one of ours, and the answer goes out in version 0.
  if (request === null) {
    const apiKeys = servedBy(context).filter(({ apiKey }) => apiKey === ApiVersions.key)
    return { errorCode: ErrorCode.UNSUPPORTED_VERSION, apiKeys }
  }
  const errorCode = refusal(request, context, apiVersion)
  if (errorCode !== ErrorCode.NONE) return { errorCode, apiKeys: [] }
  const image = context.image()
  return {
    errorCode,
    apiKeys: servedBy(context),
    // Clients before v4 do not accept a level of 0 (KIP-1022).
    supportedFeatures: supportedFeatures
      .filter(({ minLevel }) => minLevel > 0 || apiVersion >= FIRST_VERSION_WITH_ZERO_LEVELS)
      .map(({ name, minLevel, maxLevel }) => ({ name, minVersion: minLevel, maxVersion: maxLevel })),
    finalizedFeaturesEpoch: image.version,
    finalizedFeatures: [...image.features].map(([name, level]) => ({
      name,
      maxVersionLevel: level,
      minVersionLevel: level,
    })),
  }
})

function servedBy({ apis }: Context) {
  return [...apis.values()].map(({ api, versions: [oldest, latest] }) => ({
    apiKey: api.key,
    minVersion: api.key === PRODUCE_KEY ? 0 : oldest,
    maxVersion: latest,
  }))
}

function refusal(request: ApiVersionsRequest, context: Context, version: Call['apiVersion']): ErrorCode {
  const { clientSoftwareName, clientSoftwareVersion, clusterId, nodeId } = request
  if (version >= FIRST_VERSION_WITH_SOFTWARE_NAME) {
    if (!isSoftwareName(clientSoftwareName) || !isSoftwareName(clientSoftwareVersion)) return ErrorCode.INVALID_REQUEST
  }
  const isMisrouted =
    version >= FIRST_VERSION_WITH_IDENTITY &&
    clusterId !== null &&
    (clusterId !== context.clusterId || nodeId !== context.brokerId)
  return isMisrouted ? ErrorCode.REBOOTSTRAP_REQUIRED : ErrorCode.NONE
}

// They become labels of metrics.
function isSoftwareName(text: string): boolean {
  return /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/.test(text)
}
