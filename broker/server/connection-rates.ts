// How many connections an address may open in a second (the quota connection_creation_rate, KIP-612). One that is too many is not
// served: it is closed after a while, at most a window, and does not count. Not here: how many may be open (listener.ts).
import { canonicalIp } from '../base/ip.ts'
import type { Clock } from '../base/clock.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { RecentlyUsed, WindowedRate } from '../api/quota-rates.ts'
import type { QuotaWindows } from '../api/quotas.ts'

const MAX_ADDRESSES = 10_000

export class ConnectionRates {
  readonly #clock: Clock
  readonly #image: () => MetadataImage
  readonly #windows: QuotaWindows
  readonly #rates = new RecentlyUsed<WindowedRate>(MAX_ADDRESSES)
  #quotas: MetadataImage['clientQuotas'] | null = null
  readonly #limits = new Map<string, number>()
  #limitOfOthers = Infinity

  constructor(clock: Clock, image: () => MetadataImage, windows: QuotaWindows) {
    this.#clock = clock
    this.#image = image
    this.#windows = windows
  }

  /** Counts a connection from `ip`. 0 when it is welcome, else the milliseconds after which to close it. */
  refusalMs(ip: string): number {
    const { clientQuotas } = this.#image()
    if (clientQuotas !== this.#quotas) this.#take(clientQuotas)
    const limit = this.#limits.get(ip) ?? this.#limitOfOthers
    if (limit === Infinity) return 0
    const { windows, windowMs } = this.#windows
    const rate = this.#rates.getOrMake(ip, () => new WindowedRate(windows, windowMs))
    const nowMs = this.#clock.monotonic()
    rate.record(1, nowMs)
    const delayMs = rate.throttleMs(limit, nowMs)
    if (delayMs === 0) return 0
    rate.record(-1, nowMs)
    return Math.min(delayMs, windowMs)
  }

  #take(quotas: MetadataImage['clientQuotas']): void {
    this.#quotas = quotas
    this.#limits.clear()
    this.#limitOfOthers = Infinity
    for (const { entity, values } of quotas.values()) {
      const limit = values.get('connection_creation_rate')
      if (limit === undefined || entity.ip === undefined) continue
      if (entity.ip === null) this.#limitOfOthers = limit
      else this.#limits.set(canonicalIp(entity.ip) ?? entity.ip, limit)
    }
  }
}
