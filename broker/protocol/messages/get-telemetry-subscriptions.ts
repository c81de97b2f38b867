// GetTelemetrySubscriptions (71): which metrics a client should send (KIP-714).
import { api, array, bool, int16, int32, int8, string, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const GetTelemetrySubscriptions = api({
  key: 71,
  name: 'GetTelemetrySubscriptions',
  versions: [0, 0],
  flexible: 0,
  request: {
    clientInstanceId: uuid,
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    clientInstanceId: uuid,
    subscriptionId: int32,
    acceptedCompressionTypes: array(int8),
    pushIntervalMs: int32,
    telemetryMaxBytes: int32,
    deltaTemporality: bool,
    requestedMetrics: array(string),
  },
})

export interface GetTelemetrySubscriptionsRequest extends RequestOf<typeof GetTelemetrySubscriptions> {}
export interface GetTelemetrySubscriptionsResponse extends ResponseOf<typeof GetTelemetrySubscriptions> {}
