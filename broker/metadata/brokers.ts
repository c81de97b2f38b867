// Brokers come, go and come back: registration, fencing and producer ids as decisions on the metadata image. The rules are C2, C3 and
// B5 of the replication protocol (docs/metadata.md). Not here: heartbeats, which decide when to fence.
import type { Uuid } from '../base/uuid.ts'
import { ErrorCode } from '../protocol/errors.ts'
import { isLive, type BrokerImage, type Listener, type MetadataImage, type TopicImage } from './image.ts'
import { changeOnFencing, changeOnReturn, changeOnUnfencing, changePartitions } from './partition-change.ts'
import type { MetadataRecord } from './records.ts'
import { DONE, refuse, type Outcome } from './refusal.ts'

export type Registration = {
  readonly brokerId: number
  /** Random per process start. */
  readonly incarnation: Uuid
  /** Of the data directory; another one than before says that the disk was lost. */
  readonly directoryId: Uuid
  readonly rack: string | null
  readonly listeners: readonly Listener[]
  /** Whether it may lead at once. */
  readonly isFenced: boolean
  /** The broker epoch in which it last stopped cleanly; -1 when it did not. */
  readonly previousBrokerEpoch: number
}

export type Registered = Outcome & { readonly brokerEpoch: number }

/**
 * A broker's new life, in one atomic change: a new broker epoch, a new leader epoch for every partition it leads, and out of the ISRs
 * it cannot be in any more. `isRelaxed` tells which topics may acknowledge what is not on the disk.
 */
export function registerBroker(
  image: MetadataImage,
  registration: Registration,
  isRelaxed: (topic: TopicImage) => boolean,
  emit: (record: MetadataRecord) => void,
): Registered {
  const { brokerId, previousBrokerEpoch, isFenced, directoryId } = registration
  const problem = registrationProblem(registration)
  if (problem !== null) return { ...refuse(ErrorCode.INVALID_REGISTRATION, problem), brokerEpoch: -1 }
  const before = image.brokers.get(brokerId)
  // The same process asks again because the answer was lost: it goes on as the one it already is.
  if (before?.incarnation === registration.incarnation) return { ...DONE, brokerEpoch: before.brokerEpoch }
  const brokerEpoch = image.version + 1
  emit({
    kind: 'broker-registered',
    brokerId,
    brokerEpoch,
    incarnation: registration.incarnation,
    directoryId,
    rack: registration.rack,
    isFenced,
    listeners: registration.listeners.map(({ name, host, port, securityProtocol }) => ({
      name,
      host,
      port,
      securityProtocol,
    })),
  })
  const hasStoppedCleanly = before !== undefined && before.brokerEpoch === previousBrokerEpoch
  const back = {
    brokerId,
    isFenced,
    hasLostDisk: before !== undefined && before.directoryId !== directoryId,
    mayHaveLostTail: (topic: TopicImage) => !hasStoppedCleanly && isRelaxed(topic),
  }
  changePartitions(image, (partition, topic) => changeOnReturn(partition, topic, back, liveIn(image)), emit)
  return { ...DONE, brokerEpoch }
}

function registrationProblem(registration: Registration): string | null {
  if (!Number.isInteger(registration.brokerId) || registration.brokerId < 0) {
    return `A broker id is an integer from 0 on, not ${registration.brokerId}.`
  }
  if (registration.listeners.length === 0) return 'A broker needs at least one listener.'
  const names = new Set(registration.listeners.map(listener => listener.name))
  return names.size === registration.listeners.length ? null : 'Every listener of a broker has its own name.'
}

/** Fences a broker or lifts that; refused unless `brokerEpoch` is the life it is in. */
export function setFenced(
  image: MetadataImage,
  brokerId: number,
  brokerEpoch: number,
  isFenced: boolean,
  emit: (record: MetadataRecord) => void,
): Outcome {
  const broker = image.brokers.get(brokerId)
  const refusal = refusalOfEpoch(broker, brokerId, brokerEpoch)
  if (refusal !== null) return refusal
  if (broker!.isFenced === isFenced) return DONE
  emit({ kind: 'broker-fencing-changed', brokerId, brokerEpoch, isFenced })
  const mayLead = !isFenced && !broker!.isStopping
  changePartitions(
    image,
    partition =>
      mayLead ? changeOnUnfencing(partition, brokerId) : changeOnFencing(partition, brokerId, liveIn(image)),
    emit,
  )
  return DONE
}

/**
 * A broker wants to stop: what it leads goes to others in sync, and it leaves every ISR that has other members, while it still answers.
 * What nobody else is in sync for has no leader until it is back (Kafka's controlled shutdown).
 */
export function stopBroker(
  image: MetadataImage,
  brokerId: number,
  brokerEpoch: number,
  emit: (record: MetadataRecord) => void,
): Outcome {
  const broker = image.brokers.get(brokerId)
  const refusal = refusalOfEpoch(broker, brokerId, brokerEpoch)
  if (refusal !== null) return refusal
  if (broker!.isStopping) return DONE
  emit({ kind: 'broker-stopping', brokerId, brokerEpoch })
  changePartitions(image, partition => changeOnFencing(partition, brokerId, liveIn(image)), emit)
  return DONE
}

/**
 * Forgets a broker that is gone. Kafka does that to a live one too, and to the last replica in sync, and has partitions without a
 * leader ever after; here both are refused, since nothing brings them back.
 */
export function unregisterBroker(
  image: MetadataImage,
  brokerId: number,
  emit: (record: MetadataRecord) => void,
): Outcome {
  const broker = image.brokers.get(brokerId)
  if (broker === undefined) return notRegistered(brokerId)
  if (!broker.isFenced) {
    const problem = `Broker ID ${brokerId} is alive: stop it before it is unregistered.`
    return refuse(ErrorCode.INVALID_REQUEST, problem)
  }
  let needed = 0
  for (const { partitions } of image.topics.values()) {
    for (const { isr } of partitions) if (isr.includes(brokerId)) needed++
  }
  if (needed > 0) {
    const problem = `Broker ID ${brokerId} has the last replica in sync of ${needed} partition(s): delete those topics first.`
    return refuse(ErrorCode.INVALID_REQUEST, problem)
  }
  emit({ kind: 'broker-unregistered', brokerId, brokerEpoch: broker.brokerEpoch })
  return DONE
}

function liveIn(image: MetadataImage): (brokerId: number) => boolean {
  return brokerId => isLive(image, brokerId)
}

function notRegistered(brokerId: number): Outcome {
  return refuse(ErrorCode.BROKER_ID_NOT_REGISTERED, `Broker ID ${brokerId} is not currently registered`)
}

/** Null when the broker is in the life that `brokerEpoch` names, else BROKER_ID_NOT_REGISTERED or STALE_BROKER_EPOCH. */
export function refusalOfEpoch(broker: BrokerImage | undefined, brokerId: number, brokerEpoch: number): Outcome | null {
  if (broker === undefined) return notRegistered(brokerId)
  if (broker.brokerEpoch === brokerEpoch) return null
  return refuse(
    ErrorCode.STALE_BROKER_EPOCH,
    `Expected broker epoch ${broker.brokerEpoch}, but got broker epoch ${brokerEpoch}`,
  )
}

/** Ids are handed to brokers in blocks, so that InitProducerId rarely writes (KIP-730). */
export const PRODUCER_ID_BLOCK_SIZE = 1000

export type ProducerIdBlock = Outcome & { readonly first: number; readonly count: number }

export function allocateProducerIds(
  image: MetadataImage,
  brokerId: number,
  brokerEpoch: number,
  emit: (record: MetadataRecord) => void,
): ProducerIdBlock {
  const refusal = refusalOfEpoch(image.brokers.get(brokerId), brokerId, brokerEpoch)
  if (refusal !== null) return { ...refusal, first: -1, count: 0 }
  const first = image.nextProducerId
  emit({
    kind: 'producer-ids-allocated',
    brokerId,
    brokerEpoch,
    nextProducerId: first + PRODUCER_ID_BLOCK_SIZE,
  })
  return { ...DONE, first, count: PRODUCER_ID_BLOCK_SIZE }
}
