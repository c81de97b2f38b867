// The operations that a client may do on a resource, as the bit field that Metadata and Describe answers carry (KIP-430). Without an
// authorizer every operation that exists for the resource is allowed (AclEntry.supportedOperations).

/** "Not asked for" on the wire. */
export const OPERATIONS_NOT_REQUESTED = -2147483648

/** AclOperation on the wire. */
const Operation = {
  READ: 3,
  WRITE: 4,
  CREATE: 5,
  DELETE: 6,
  ALTER: 7,
  DESCRIBE: 8,
  CLUSTER_ACTION: 9,
  DESCRIBE_CONFIGS: 10,
  ALTER_CONFIGS: 11,
  IDEMPOTENT_WRITE: 12,
} as const

function bits(...operations: readonly number[]): number {
  return operations.reduce((field, operation) => field | (1 << operation), 0)
}

const { READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE } = Operation
const { CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE } = Operation

export const TOPIC_OPERATIONS = bits(READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS)

export const CLUSTER_OPERATIONS = bits(
  CREATE,
  ALTER,
  DESCRIBE,
  CLUSTER_ACTION,
  DESCRIBE_CONFIGS,
  ALTER_CONFIGS,
  IDEMPOTENT_WRITE,
)

export const GROUP_OPERATIONS = bits(READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS)
