// What the quotas of users and clients do (KIP-13, KIP-124, KIP-219, KIP-599): measures each client against the quota that fits it best,
// and says how long it is over it. The answer carries that time, and the connection is not read meanwhile (dispatch.ts,
// server/connection.ts). While no quota is set a request costs one comparison. Not here: how quotas are set (metadata/client-quotas.ts),
// and those of addresses (server/connection-rates.ts).
// - Most specific first: user and client id, user and any client, user, any user and client id, any user and any client, any user,
//   client id, any client. What fits a name is measured for that name, also where the quota is everybody's.
// - request_percentage is of one processor: the broker has one event loop. It counts the time up to a request's first wait.
// - A fetch over consumer_byte_rate is answered without records, and they do not count. Unlike Kafka, the first one after a pause gets
//   its records: a batch above the quota's windows would never be delivered otherwise.
import type { Clock } from '../base/clock.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import { quotaKey, type MetadataImage, type QuotaEntity } from '../metadata/image.ts'
import type { ChargePartitions } from '../metadata/partitions.ts'
import { refuse } from '../metadata/refusal.ts'
import { ErrorCode, errorMessage } from '../protocol/errors.ts'
import type { Call } from './handler.ts'
import { RecentlyUsed, TokenBucket, WindowedRate } from './quota-rates.ts'

export type QuotaName = 'producer_byte_rate' | 'consumer_byte_rate' | 'request_percentage' | 'controller_mutation_rate'

export type QuotaWindows = { readonly windows: number; readonly windowMs: number }

export type QuotasOptions = {
  readonly clock: Clock
  image(): MetadataImage
  readonly client: QuotaWindows
  readonly controller: QuotaWindows
}

/** The windows that a broker is configured with. */
export function quotaWindows(config: BrokerConfig): Pick<QuotasOptions, 'client' | 'controller'> {
  return {
    client: { windows: config.quotaWindowNum, windowMs: config.quotaWindowMs },
    controller: { windows: config.controllerQuotaWindowNum, windowMs: config.controllerQuotaWindowMs },
  }
}

/** What is measured against a quota, and the quota. */
type Limit = { readonly sensor: string; readonly perSecond: number }

// Client ids are the clients' own choice: those who change them all the time must not fill the memory.
const MAX_SENSORS = 10_000
const MAX_THROTTLE_MS = 2 ** 31 - 1

export class Quotas {
  readonly #options: QuotasOptions
  #quotas: MetadataImage['clientQuotas'] | null = null
  readonly #names = new Set<string>()
  readonly #limits = new RecentlyUsed<Limit | null>(MAX_SENSORS)
  readonly #rates = new RecentlyUsed<WindowedRate>(MAX_SENSORS)
  readonly #buckets = new RecentlyUsed<TokenBucket>(MAX_SENSORS)

  constructor(options: QuotasOptions) {
    this.#options = options
  }

  /** Whether any client may have a quota. */
  get isActive(): boolean {
    const { clientQuotas } = this.#options.image()
    if (clientQuotas !== this.#quotas) this.#take(clientQuotas)
    return this.#names.size > 0
  }

  /** Counts the bytes of a produce request. */
  produced(call: Call, bytes: number): void {
    const limit = this.#limitOf('producer_byte_rate', call)
    if (limit !== null) throttle(call, this.#record(limit, bytes))
  }

  /** Counts what a request has kept the broker busy. */
  busy(call: Call, busyMs: number): void {
    const limit = this.#limitOf('request_percentage', call)
    // Percent of a second, as Kafka has it; and never longer than a window.
    if (limit !== null) throttle(call, Math.min(this.#record(limit, busyMs / 10), this.#options.client.windowMs))
  }

  /** The most bytes that one fetch may get without being over the quota by itself. */
  maxFetchBytes(call: Call): number {
    const limit = this.#limitOf('consumer_byte_rate', call)
    if (limit === null) return Number.MAX_SAFE_INTEGER
    const { windows, windowMs } = this.#options.client
    return Math.floor(limit.perSecond * Math.max(1, windows - 1) * (windowMs / 1000))
  }

  /** Counts the bytes that a fetch is about to get; false when it must be answered without them, and they do not count. */
  mayFetch(call: Call, bytes: number): boolean {
    const limit = this.#limitOf('consumer_byte_rate', call)
    if (limit === null) return true
    const nowMs = this.#options.clock.monotonic()
    const isFirst = this.#rateOf(limit).rate(nowMs) === 0
    const delayMs = this.#record(limit, bytes)
    throttle(call, delayMs)
    if (delayMs === 0 || isFirst) return true
    this.#rateOf(limit).record(-bytes, nowMs)
    return false
  }

  /**
   * Counts partitions that a request creates or deletes. `isStrict`: over the quota it refuses them with
   * THROTTLING_QUOTA_EXCEEDED; clients of older versions do not know that and are throttled afterwards.
   */
  chargePartitions(call: Call, isStrict: boolean): ChargePartitions {
    const limit = this.#limitOf('controller_mutation_rate', call)
    if (limit === null) return () => null
    const { clock, controller } = this.#options
    const burstSeconds = (controller.windows * controller.windowMs) / 1000
    const bucket = this.#buckets.getOrMake(limit.sensor, () => new TokenBucket(burstSeconds))
    return partitions => {
      const owedMs = bucket.throttleMs(limit.perSecond, clock.monotonic())
      if (isStrict && owedMs > 0) {
        throttle(call, owedMs)
        return refuse(ErrorCode.THROTTLING_QUOTA_EXCEEDED, errorMessage(ErrorCode.THROTTLING_QUOTA_EXCEEDED))
      }
      bucket.take(partitions, limit.perSecond, clock.monotonic())
      if (!isStrict) throttle(call, bucket.throttleMs(limit.perSecond, clock.monotonic()))
      return null
    }
  }

  #take(quotas: MetadataImage['clientQuotas']): void {
    this.#quotas = quotas
    this.#limits.clear()
    this.#names.clear()
    for (const { entity, values } of quotas.values()) {
      if (entity.ip === undefined) for (const name of values.keys()) this.#names.add(name)
    }
    if (this.#names.size > 0) return
    this.#rates.clear()
    this.#buckets.clear()
  }

  #limitOf(name: QuotaName, call: Call): Limit | null {
    if (!this.isActive || !this.#names.has(name)) return null
    const { principal } = call.connection
    const user = principal.slice(principal.indexOf(':') + 1)
    const clientId = call.clientId ?? ''
    return this.#limits.getOrMake(`${name} ${user.length}:${user}${clientId}`, () => this.#find(name, user, clientId))
  }

  #find(name: QuotaName, user: string, clientId: string): Limit | null {
    for (const { entity, sensor } of fitting(user, clientId)) {
      const perSecond = this.#quotas!.get(quotaKey(entity))?.values.get(name)
      if (perSecond !== undefined) return { sensor: `${name} ${quotaKey(sensor)}`, perSecond }
    }
    return null
  }

  #rateOf({ sensor }: Limit): WindowedRate {
    const { windows, windowMs } = this.#options.client
    return this.#rates.getOrMake(sensor, () => new WindowedRate(windows, windowMs))
  }

  #record(limit: Limit, value: number): number {
    const nowMs = this.#options.clock.monotonic()
    const rate = this.#rateOf(limit)
    rate.record(value, nowMs)
    return rate.throttleMs(limit.perSecond, nowMs)
  }
}

/** Entities that fit a client, the most specific one first, and whose use counts against a quota of each. */
function fitting(user: string, clientId: string): readonly { entity: QuotaEntity; sensor: QuotaEntity }[] {
  const both: QuotaEntity = { user, 'client-id': clientId }
  return [
    { entity: both, sensor: both },
    { entity: { user, 'client-id': null }, sensor: both },
    { entity: { user }, sensor: { user } },
    { entity: { user: null, 'client-id': clientId }, sensor: both },
    { entity: { user: null, 'client-id': null }, sensor: both },
    { entity: { user: null }, sensor: { user } },
    { entity: { 'client-id': clientId }, sensor: { 'client-id': clientId } },
    { entity: { 'client-id': null }, sensor: { 'client-id': clientId } },
  ]
}

function throttle(call: Call, delayMs: number): void {
  call.throttleMs = Math.max(call.throttleMs, Math.min(Math.round(delayMs), MAX_THROTTLE_MS))
}
