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

/** Kafka's number for 4.0-IV3: what tools show as the version of the cluster. */
const METADATA_VERSION = 25

export const supportedFeatures: readonly Feature[] = [
  { name: 'metadata.version', minLevel: METADATA_VERSION, maxLevel: METADATA_VERSION, initialLevel: METADATA_VERSION },
]
