// ApiVersions (18): what a broker speaks (KIP-35). v1 throttle time (KIP-124), v2 throttles after the answer (KIP-219),
// v3 flexible, the client's name (KIP-511), features in tags (KIP-584), v4 features whose oldest level is 0 (KIP-584;
// left out of older answers), v5 whom the client believes it talks to (KIP-1242). A version that is too new is answered
// with v0 and UNSUPPORTED_VERSION; the answer's header never has tags.
import { api, array, bool, int16, int32, int64, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const ApiVersions = api({
  key: 18,
  name: 'ApiVersions',
  versions: [0, 5],
  flexible: 3,
  request: {
    clientSoftwareName: string.since(3).ignorable(),
    clientSoftwareVersion: string.since(3).ignorable(),
    clusterId: string.since(5).nullable().default(null).ignorable(),
    nodeId: int32.since(5).default(-1).ignorable(),
  },
  response: {
    errorCode: int16,
    apiKeys: array({ apiKey: int16, minVersion: int16, maxVersion: int16 }),
    throttleTimeMs: int32.since(1).ignorable(),
    supportedFeatures: array({ name: string, minVersion: int16, maxVersion: int16 }).since(3).tagged(0).ignorable(),
    finalizedFeaturesEpoch: int64.since(3).default(-1).tagged(1).ignorable(),
    finalizedFeatures: array({ name: string, maxVersionLevel: int16, minVersionLevel: int16 })
      .since(3)
      .tagged(2)
      .ignorable(),
    zkMigrationReady: bool.since(3).tagged(3).ignorable(),
  },
})

export interface ApiVersionsRequest extends RequestOf<typeof ApiVersions> {}
export interface ApiVersionsResponse extends ResponseOf<typeof ApiVersions> {}
