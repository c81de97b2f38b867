// Images for tests: built by replaying records, compared as plain values.
import type { MetadataImage } from '../../../broker/metadata/image.ts'
import { emptyImage } from '../../../broker/metadata/image.ts'
import type { MetadataRecord } from '../../../broker/metadata/records.ts'
import { replay, type MetadataState } from '../../../broker/metadata/replay.ts'
import { seededNumbers } from '../../seeded.ts'

export function imageOf(...records: readonly MetadataRecord[]): MetadataImage {
  return stateOf(...records).image
}

export function stateOf(...records: readonly MetadataRecord[]): MetadataState {
  const state: MetadataState = { image: emptyImage, edit: null }
  for (const record of records) replay(state, record)
  return state
}

export function registered(
  brokerId: number,
  over: Partial<Extract<MetadataRecord, { kind: 'broker-registered' }>> = {},
): MetadataRecord {
  return {
    kind: 'broker-registered',
    brokerId,
    brokerEpoch: brokerId + 100,
    incarnation: `incarnation-${brokerId}`,
    directoryId: `directory-${brokerId}`,
    rack: null,
    isFenced: false,
    listeners: [{ name: 'PLAINTEXT', host: `broker-${brokerId}`, port: 9092, securityProtocol: 'PLAINTEXT' }],
    ...over,
  }
}

export function created(
  name: string,
  replicas: readonly (readonly number[])[] = [[1]],
  configs: Readonly<Record<string, string>> = {},
): MetadataRecord {
  return {
    kind: 'topic-created',
    topicId: `id-of-${name}`,
    name,
    partitions: replicas.map(ids => ({ replicas: ids })),
    configs,
  }
}

/** Runs a decide function: its answer, what it emitted, and the image after that. */
export function decide<T>(
  image: MetadataImage,
  run: (image: MetadataImage, emit: (record: MetadataRecord) => void) => T,
): { answer: T; records: MetadataRecord[]; image: MetadataImage } {
  // As the controller does it: in place, so that a change to an image handed out before shows.
  const state: MetadataState = { image, edit: { kind: 'edit' } }
  const records: MetadataRecord[] = []
  const answer = run(image, record => {
    replay(state, record)
    records.push(record)
  })
  return { answer, records, image: state.image }
}

/** A value that deepEqual can compare: maps of our own as sorted entries. */
export function plain(image: MetadataImage): unknown {
  const sorted = <V>(map: ReadonlyMap<string, V>): [string, V][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    ...image,
    topics: sorted(image.topics),
    topicNames: sorted(image.topicNames),
    unifiedNames: sorted(image.unifiedNames),
    groupConfigs: sorted(image.groupConfigs),
    clientMetricsConfigs: sorted(image.clientMetricsConfigs),
    scramCredentials: sorted(image.scramCredentials),
    clientQuotas: sorted(image.clientQuotas),
  }
}

export function seededRandom(seed: number) {
  const next = seededNumbers(seed)
  return {
    next,
    bytes: (size: number) => Buffer.from(Array.from({ length: size }, () => Math.floor(next() * 256))),
  }
}
