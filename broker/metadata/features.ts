// The feature levels (KIP-584, KIP-1022) that the cluster has agreed on, and those this version of the broker can work with. Clients
// choose their behaviour by them: transaction.version 2, for one, makes the Java producer leave out AddPartitionsToTxn. So a feature
// is listed when we serve what it promises, and not before.

export type Feature = {
  readonly name: string
  readonly minLevel: number
  readonly maxLevel: number
  /** The level a new cluster starts with; 0 = off. */
  readonly initialLevel: number
}

/** Kafka's numbers for 3.3 and 4.4: what tools show as the version of the cluster. We have one level in truth. */
const OLDEST_METADATA_VERSION = 7
const METADATA_VERSION = 33
/** 1: __transaction_state in its flexible format. 2: every end bumps the epoch, and leaders add partitions (KIP-890). */
const TRANSACTION_VERSION = 2

export const supportedFeatures: readonly Feature[] = [
  {
    name: 'metadata.version',
    minLevel: OLDEST_METADATA_VERSION,
    maxLevel: METADATA_VERSION,
    initialLevel: METADATA_VERSION,
  },
  {
    name: 'transaction.version',
    minLevel: 0,
    maxLevel: TRANSACTION_VERSION,
    initialLevel: TRANSACTION_VERSION,
  },
]
