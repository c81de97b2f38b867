// FindCoordinator (10), v0-6.
import { api, array, int16, int32, int8, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const FindCoordinator = api({
  key: 10,
  name: 'FindCoordinator',
  versions: [0, 6],
  flexible: 3,
  request: {
    key: string.until(3),
    keyType: int8.since(1),
    coordinatorKeys: array(string).since(4),
  },
  response: {
    throttleTimeMs: int32.since(1).ignorable(),
    errorCode: int16.until(3),
    errorMessage: string.since(1).until(3).nullable().ignorable(),
    nodeId: int32.until(3),
    host: string.until(3),
    port: int32.until(3),
    coordinators: array({
      key: string,
      nodeId: int32,
      host: string,
      port: int32,
      errorCode: int16,
      errorMessage: string.nullable(),
    }).since(4),
  },
})

export interface FindCoordinatorRequest extends RequestOf<typeof FindCoordinator> {}
export interface FindCoordinatorResponse extends ResponseOf<typeof FindCoordinator> {}
