// Which brokers the controller in office has heard of, and what it answers to their heartbeats (Kafka's BrokerHeartbeatManager). Soft
// state that every controller begins anew: it decides when a broker is fenced, never whether that is safe, since each change goes through
// the decisions in brokers.ts. Not here: clocks and connections (failure-detector.ts).
import { ErrorCode } from '../protocol/errors.ts'
import { refusalOfEpoch, setFenced, stopBroker } from './brokers.ts'
import { isLive, type MetadataImage } from './image.ts'
import type { MetadataRecord } from './records.ts'

export type Heartbeat = {
  readonly brokerId: number
  readonly brokerEpoch: number
  /** Version of the newest image that the broker acts on. */
  readonly reachedVersion: number
  readonly wantsFence: boolean
  readonly wantsShutDown: boolean
}

export type HeartbeatAnswer = {
  readonly errorCode: ErrorCode
  /** It has replayed the metadata at least up to its own registration (rule C1). */
  readonly isCaughtUp: boolean
  readonly isFenced: boolean
  /** Nobody needs it any more: it may go. */
  readonly shouldShutDown: boolean
}

type Session = {
  readonly brokerEpoch: number
  heardMs: number
  reachedVersion: number
  /** Version of the image in which it leads nothing any more because it stops; -1 while it does not. */
  stoppedAtVersion: number
}

export class BrokerSessions {
  readonly #timeoutMs: number
  readonly #sessions = new Map<number, Session>()

  /** `timeoutMs` is broker.session.timeout.ms. */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** A controller takes office: everybody who may be alive has a whole session time to say so. */
  begin(image: MetadataImage, nowMs: number): void {
    this.#sessions.clear()
    for (const { brokerId, brokerEpoch, isFenced, isStopping } of image.brokers.values()) {
      if (isFenced) continue
      const stoppedAtVersion = isStopping ? image.version : -1
      this.#sessions.set(brokerId, { brokerEpoch, heardMs: nowMs, reachedVersion: -1, stoppedAtVersion })
    }
  }

  /** Whether this life of the broker has been heard of within its session time. */
  isHeardOf(brokerId: number, brokerEpoch: number, nowMs: number): boolean {
    const session = this.#sessions.get(brokerId)
    return session?.brokerEpoch === brokerEpoch && nowMs - session.heardMs < this.#timeoutMs
  }

  /** Brokers that are not fenced and have been silent for too long. */
  expired(image: MetadataImage, nowMs: number): { brokerId: number; brokerEpoch: number }[] {
    const silent: { brokerId: number; brokerEpoch: number }[] = []
    for (const { brokerId, brokerEpoch, isFenced } of image.brokers.values()) {
      if (isFenced || this.isHeardOf(brokerId, brokerEpoch, nowMs)) continue
      silent.push({ brokerId, brokerEpoch })
    }
    return silent
  }

  /**
   * Answers a heartbeat and emits what follows from it: a broker that has caught up is unfenced, one that wants to stop leads nothing any
   * more, and may go once all others know.
   */
  heartbeat(
    image: MetadataImage,
    heartbeat: Heartbeat,
    nowMs: number,
    emit: (record: MetadataRecord) => void,
  ): HeartbeatAnswer {
    const { brokerId, brokerEpoch, reachedVersion, wantsFence, wantsShutDown } = heartbeat
    const broker = image.brokers.get(brokerId)
    const refusal = refusalOfEpoch(broker, brokerId, brokerEpoch)
    if (refusal !== null) {
      return { errorCode: refusal.errorCode, isCaughtUp: false, isFenced: true, shouldShutDown: false }
    }
    const session = this.#touch(heartbeat, nowMs)
    const isCaughtUp = reachedVersion >= brokerEpoch
    const answer = { errorCode: ErrorCode.NONE, isCaughtUp, isFenced: broker!.isFenced, shouldShutDown: false }
    if (wantsShutDown) {
      if (broker!.isFenced) return { ...answer, shouldShutDown: true }
      if (session.stoppedAtVersion < 0) {
        session.stoppedAtVersion =
          image.version + counting(emit, count => stopBroker(image, brokerId, brokerEpoch, count))
      }
      return { ...answer, shouldShutDown: this.#haveReached(image, session.stoppedAtVersion, brokerId) }
    }
    const isFenced = wantsFence || (broker!.isFenced && !isCaughtUp)
    if (isFenced !== broker!.isFenced) setFenced(image, brokerId, brokerEpoch, isFenced, emit)
    return { ...answer, isFenced }
  }

  #touch({ brokerId, brokerEpoch, reachedVersion }: Heartbeat, nowMs: number): Session {
    let session = this.#sessions.get(brokerId)
    if (session?.brokerEpoch !== brokerEpoch) {
      session = { brokerEpoch, heardMs: nowMs, reachedVersion, stoppedAtVersion: -1 }
      this.#sessions.set(brokerId, session)
    }
    session.heardMs = nowMs
    session.reachedVersion = reachedVersion
    return session
  }

  /** Whether everybody else who may lead acts on this version, so that nobody sends clients to who is going. */
  #haveReached(image: MetadataImage, version: number, exceptId: number): boolean {
    for (const brokerId of image.brokers.keys()) {
      if (brokerId === exceptId || !isLive(image, brokerId)) continue
      if ((this.#sessions.get(brokerId)?.reachedVersion ?? -1) < version) return false
    }
    return true
  }
}

/** How many records `decide` emitted. */
function counting(
  emit: (record: MetadataRecord) => void,
  decide: (emit: (record: MetadataRecord) => void) => unknown,
): number {
  let count = 0
  decide(record => {
    count++
    emit(record)
  })
  return count
}
