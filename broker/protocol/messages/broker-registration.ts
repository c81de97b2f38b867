// BrokerRegistration (62): a process begins its life as a broker (KIP-631). v3 the epoch of a clean stop (KIP-966).
import {
  api,
  array,
  bool,
  int16,
  int32,
  int64,
  string,
  uint16,
  uuid,
  type RequestOf,
  type ResponseOf,
} from '../schema.ts'

export const BrokerRegistration = api({
  key: 62,
  name: 'BrokerRegistration',
  versions: [0, 4],
  flexible: 0,
  request: {
    brokerId: int32,
    clusterId: string,
    incarnationId: uuid,
    listeners: array({ name: string, host: string, port: uint16, securityProtocol: int16 }),
    features: array({ name: string, minSupportedVersion: int16, maxSupportedVersion: int16 }),
    rack: string.nullable(),
    isMigratingZkBroker: bool.since(1).default(false),
    logDirs: array(uuid).since(2).ignorable(),
    previousBrokerEpoch: int64.since(3).default(-1).ignorable(),
  },
  response: {
    throttleTimeMs: int32.default(0),
    errorCode: int16,
    brokerEpoch: int64.default(-1),
  },
})

export interface BrokerRegistrationRequest extends RequestOf<typeof BrokerRegistration> {}
export interface BrokerRegistrationResponse extends ResponseOf<typeof BrokerRegistration> {}
