// Kafka's numbers for what a listener speaks (SecurityProtocol), as registrations carry them.
const IDS: Readonly<Record<string, number>> = { PLAINTEXT: 0, SSL: 1, SASL_PLAINTEXT: 2, SASL_SSL: 3 }

export function securityProtocolId(name: string): number {
  return IDS[name] ?? -1
}

/** Null for a number that is none of them. */
export function securityProtocolName(id: number): string | null {
  return Object.keys(IDS).find(name => IDS[name] === id) ?? null
}
