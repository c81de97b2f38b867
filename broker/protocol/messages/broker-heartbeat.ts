// BrokerHeartbeat (63): a broker lives, or wants to stop (KIP-631). v1 failed log directories (KIP-858), v2 cordoned ones (KIP-1066).
import { api, array, bool, int16, int32, int64, uuid, type RequestOf, type ResponseOf } from '../schema.ts'

export const BrokerHeartbeat = api({
  key: 63,
  name: 'BrokerHeartbeat',
  versions: [0, 2],
  flexible: 0,
  request: {
    brokerId: int32,
    brokerEpoch: int64.default(-1),
    currentMetadataOffset: int64,
    wantFence: bool,
    wantShutDown: bool,
    offlineLogDirs: array(uuid).since(1).tagged(0),
    cordonedLogDirs: array(uuid).nullable(2).default(null).since(2).tagged(1),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    isCaughtUp: bool.default(false),
    isFenced: bool.default(true),
    shouldShutDown: bool,
  },
})

export interface BrokerHeartbeatRequest extends RequestOf<typeof BrokerHeartbeat> {}
export interface BrokerHeartbeatResponse extends ResponseOf<typeof BrokerHeartbeat> {}
