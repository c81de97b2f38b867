// What the messages of streams groups have in common (KIP-1071).
import { array, int16, int32, int64, string, struct, uint16 } from '../schema.ts'

export const keyValue = struct({ key: string, value: string })

export const topicInfo = struct({
  name: string,
  partitions: int32,
  replicationFactor: int16,
  topicConfigs: array(keyValue),
})

export const taskIds = struct({ subtopologyId: string, partitions: array(int32) })

export const taskOffset = struct({ subtopologyId: string, partition: int32, offset: int64 })

/** Where a member answers interactive queries. */
export const endpoint = struct({ host: string, port: uint16 })
