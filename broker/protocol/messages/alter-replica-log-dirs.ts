// AlterReplicaLogDirs (34): moves replicas between the disks of a broker (KIP-113). v1 is the oldest that is left, v2
// flexible (KIP-482).
import { api, array, int16, int32, string, type RequestOf, type ResponseOf } from '../schema.ts'

export const AlterReplicaLogDirs = api({
  key: 34,
  name: 'AlterReplicaLogDirs',
  versions: [1, 2],
  flexible: 2,
  request: {
    dirs: array({ path: string, topics: array({ name: string, partitions: array(int32) }) }),
  },
  response: {
    throttleTimeMs: int32.default(0),
    results: array({ topicName: string, partitions: array({ partitionIndex: int32, errorCode: int16 }) }),
  },
})

export interface AlterReplicaLogDirsRequest extends RequestOf<typeof AlterReplicaLogDirs> {}
export interface AlterReplicaLogDirsResponse extends ResponseOf<typeof AlterReplicaLogDirs> {}
