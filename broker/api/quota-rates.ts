// How much somebody has used lately, measured as Kafka does, because clients and dashboards expect its throttle times: a rate over
// sampled windows (Rate and SampledStat) and a bucket of tokens (TokenBucket, KIP-599). Pure: the time is an argument.

type Window = { readonly startMs: number; sum: number }

/** A rate per second over the last `windows` windows; as long as less is known, the time before counts as idle. */
export class WindowedRate {
  readonly #windows: number
  readonly #windowMs: number
  readonly #samples: Window[] = []

  constructor(windows: number, windowMs: number) {
    this.#windows = windows
    this.#windowMs = windowMs
  }

  /** Adds `value`; a negative one takes back. */
  record(value: number, nowMs: number): void {
    const last = this.#samples[this.#samples.length - 1]
    if (last !== undefined && nowMs - last.startMs < this.#windowMs) last.sum += value
    else this.#samples.push({ startMs: nowMs, sum: value })
    this.#forget(nowMs)
  }

  rate(nowMs: number): number {
    this.#forget(nowMs)
    let sum = 0
    for (const sample of this.#samples) sum += sample.sum
    return (sum / this.#elapsedMs(nowMs)) * 1000
  }

  /** How long to record nothing so that the rate comes down to `limit`; 0 when it is not above. */
  throttleMs(limit: number, nowMs: number): number {
    const rate = this.rate(nowMs)
    return rate <= limit ? 0 : ((rate - limit) / limit) * this.#elapsedMs(nowMs)
  }

  #elapsedMs(nowMs: number): number {
    const oldest = this.#samples[0]
    const elapsedMs = oldest === undefined ? 0 : nowMs - oldest.startMs
    const missing = this.#windows - 1 - Math.floor(elapsedMs / this.#windowMs)
    return Math.max(elapsedMs + Math.max(0, missing) * this.#windowMs, this.#windowMs)
  }

  #forget(nowMs: number): void {
    const tooOldMs = this.#windows * this.#windowMs
    while (this.#samples.length > 0 && nowMs - this.#samples[0]!.startMs >= tooOldMs) this.#samples.shift()
    while (this.#samples.length > this.#windows) this.#samples.shift()
  }
}

/** Tokens that come back at a rate, up to `burstSeconds` of it. Taking more than there are is a debt that must be waited for. */
export class TokenBucket {
  readonly #burstSeconds: number
  #tokens: number | null = null
  #countedAtMs = 0

  constructor(burstSeconds: number) {
    this.#burstSeconds = burstSeconds
  }

  take(tokens: number, perSecond: number, nowMs: number): void {
    this.#tokens = this.#count(perSecond, nowMs) - tokens
  }

  /** How long until nothing is owed; 0 when nothing is. */
  throttleMs(perSecond: number, nowMs: number): number {
    const tokens = this.#count(perSecond, nowMs)
    return tokens >= 0 ? 0 : (-tokens / perSecond) * 1000
  }

  #count(perSecond: number, nowMs: number): number {
    const burst = perSecond * this.#burstSeconds
    const since = this.#tokens === null ? burst : this.#tokens + (perSecond * (nowMs - this.#countedAtMs)) / 1000
    this.#tokens = Math.min(burst, since)
    this.#countedAtMs = nowMs
    return this.#tokens
  }
}

/** A map of things that come and go, of at most `limit` entries: the one that was not asked for the longest goes. */
export class RecentlyUsed<V> {
  readonly #limit: number
  readonly #entries = new Map<string, V>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#entries.size
  }

  getOrMake(key: string, make: () => V): V {
    let value = this.#entries.get(key)
    if (value === undefined) {
      value = make()
      if (this.#entries.size >= this.#limit) this.#entries.delete(this.#entries.keys().next().value!)
    } else {
      this.#entries.delete(key)
    }
    this.#entries.set(key, value)
    return value
  }

  clear(): void {
    this.#entries.clear()
  }
}
