// Requests parked until an offset or a time (Kafka's purgatory): produce requests until the high watermark has passed their records,
// fetch requests until enough bytes can be read. Everything is a linked list, so parking, waking, timing out and leaving cost the same
// however many others wait. Not here: what a request does when it wakes.
import type { Clock, Timer } from '../base/clock.ts'
import { ErrorCode } from '../protocol/errors.ts'

class OffsetWaiter {
  readonly offset: number
  readonly settle: (errorCode: ErrorCode) => void
  timer: Timer | null = null
  previous: OffsetWaiter | null = null
  next: OffsetWaiter | null = null

  constructor(offset: number, settle: (errorCode: ErrorCode) => void) {
    this.offset = offset
    this.settle = settle
  }
}

/** Those who wait for one number of one partition to reach an offset, lowest first. */
export class OffsetWaiters {
  readonly #clock: Clock
  #first: OffsetWaiter | null = null
  #last: OffsetWaiter | null = null
  #size = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#size
  }

  /**
   * Resolves with NONE when `release` reaches `offset`, with REQUEST_TIMED_OUT after `timeoutMs` (null: never), or with what `fail` is
   * given. Never rejects. Offsets mostly come in ascending order; an older one looks for its place from the end.
   */
  wait(offset: number, timeoutMs: number | null): Promise<ErrorCode> {
    return new Promise(resolve => {
      const waiter = new OffsetWaiter(offset, resolve)
      this.#insert(waiter)
      if (timeoutMs === null) return
      waiter.timer = this.#clock.after(Math.max(0, timeoutMs), () => {
        this.#remove(waiter)
        resolve(ErrorCode.REQUEST_TIMED_OUT)
      })
    })
  }

  /** Wakes everybody who waits for `offset` or less. */
  release(offset: number, errorCode: ErrorCode = ErrorCode.NONE): void {
    while (this.#first !== null && this.#first.offset <= offset) this.#settleFirst(errorCode)
  }

  /** Wakes everybody with an error. */
  fail(errorCode: ErrorCode): void {
    while (this.#first !== null) this.#settleFirst(errorCode)
  }

  #settleFirst(errorCode: ErrorCode): void {
    const waiter = this.#first!
    this.#remove(waiter)
    waiter.timer?.cancel()
    waiter.settle(errorCode)
  }

  #insert(waiter: OffsetWaiter): void {
    let before = this.#last
    while (before !== null && before.offset > waiter.offset) before = before.previous
    waiter.previous = before
    waiter.next = before === null ? this.#first : before.next
    if (waiter.next === null) this.#last = waiter
    else waiter.next.previous = waiter
    if (before === null) this.#first = waiter
    else before.next = waiter
    this.#size++
  }

  #remove(waiter: OffsetWaiter): void {
    if (waiter.previous === null) this.#first = waiter.next
    else waiter.previous.next = waiter.next
    if (waiter.next === null) this.#last = waiter.previous
    else waiter.next.previous = waiter.previous
    this.#size--
  }
}

/** How many partitions parked fetch requests may watch at once, over the whole broker. */
export class ParkingLimit {
  readonly maxPartitions: number
  partitions = 0

  constructor(maxPartitions: number) {
    this.maxPartitions = maxPartitions
  }
}

/** One partition that a parked fetch watches. */
class Watch {
  readonly fetch: ParkedFetch
  readonly list: TailWatchers
  /** What this partition can still add to the answer. */
  roomBytes: number
  /** Not the bytes count, but that the list moved at all. */
  readonly isNews: boolean
  previous: Watch | null = null
  next: Watch | null = null

  constructor(fetch: ParkedFetch, list: TailWatchers, roomBytes: number, isNews: boolean) {
    this.fetch = fetch
    this.list = list
    this.roomBytes = roomBytes
    this.isNews = isNews
  }
}

/** The parked fetches that watch one partition's readable end. */
export class TailWatchers {
  #first: Watch | null = null
  #size = 0

  get size(): number {
    return this.#size
  }

  /** `sizeBytes` more can be read: each watcher counts them, and those that have enough wake. */
  advance(sizeBytes: number): void {
    let watch = this.#first
    while (watch !== null) {
      const next: Watch | null = watch.next
      if (watch.isNews) {
        watch.fetch.hurry()
      } else {
        const counted = Math.min(sizeBytes, watch.roomBytes)
        watch.roomBytes -= counted
        watch.fetch.count(counted)
      }
      watch = next
    }
  }

  /** Something happened that the waiting requests must see at once (leadership lost, topic deleted, log offline). */
  wakeAll(): void {
    while (this.#first !== null) this.#first.fetch.wake()
  }

  add(watch: Watch): void {
    watch.next = this.#first
    if (this.#first !== null) this.#first.previous = watch
    this.#first = watch
    this.#size++
  }

  remove(watch: Watch): void {
    if (watch.previous === null) this.#first = watch.next
    else watch.previous.next = watch.next
    if (watch.next !== null) watch.next.previous = watch.previous
    this.#size--
  }
}

/**
 * One fetch request that waits: `watch` the partitions, then `park`. It wakes once, when what the partitions gained makes up
 * `missingBytes`, or on `wake`, after the time, or when the signal aborts; by then it watches nothing any more. How many bytes
 * a partition gained may be an estimate, so whoever wakes looks again.
 */
export class ParkedFetch {
  #missingBytes: number
  readonly #limit: ParkingLimit
  readonly #newsWithinMs: number
  #clock: Clock | null = null
  #isHurried = false
  readonly #watches: Watch[] = []
  #timer: Timer | null = null
  #signal: AbortSignal | null = null
  #settle: (() => void) | null = null
  #isAwake = false

  /** `newsWithinMs`: how long it may still wait once it was told to hurry. */
  constructor(missingBytes: number, limit: ParkingLimit, newsWithinMs = 0) {
    this.#missingBytes = missingBytes
    this.#limit = limit
    this.#newsWithinMs = newsWithinMs
  }

  /** Whether there is news that is worth an answer without records. */
  get isHurried(): boolean {
    return this.#isHurried
  }

  /** False, and nothing is watched any more, when the broker's limit is reached: answer with what there is. */
  watch(list: TailWatchers, roomBytes: number): boolean {
    return this.#add(list, roomBytes, false)
  }

  /** As `watch`; hurries when the list moves, by however much. */
  watchNews(list: TailWatchers): boolean {
    return this.#add(list, 0, true)
  }

  #add(list: TailWatchers, roomBytes: number, isNews: boolean): boolean {
    if (this.#limit.partitions >= this.#limit.maxPartitions) {
      this.wake()
      return false
    }
    this.#limit.partitions++
    const watch = new Watch(this, list, roomBytes, isNews)
    this.#watches.push(watch)
    list.add(watch)
    return true
  }

  /** Resolves when the request wakes; at once when it already has. */
  park(clock: Clock, waitMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) this.wake()
    if (this.#isAwake) return Promise.resolve()
    this.#clock = clock
    const mostMs = this.#isHurried ? Math.min(waitMs, this.#newsWithinMs) : waitMs
    return new Promise(resolve => {
      this.#settle = resolve
      this.#timer = clock.after(mostMs, () => this.wake())
      this.#signal = signal
      signal.addEventListener('abort', this)
    })
  }

  /** There is something to tell: it wakes soon, and sooner if records come. */
  hurry(): void {
    if (this.#isHurried || this.#isAwake) return
    this.#isHurried = true
    if (this.#clock === null) return
    this.#timer?.cancel()
    this.#timer = this.#clock.after(this.#newsWithinMs, () => this.wake())
  }

  count(sizeBytes: number): void {
    this.#missingBytes -= sizeBytes
    if (this.#missingBytes <= 0) this.wake()
  }

  wake(): void {
    if (this.#isAwake) return
    this.#isAwake = true
    for (const watch of this.#watches) watch.list.remove(watch)
    this.#limit.partitions -= this.#watches.length
    this.#watches.length = 0
    this.#timer?.cancel()
    this.#signal?.removeEventListener('abort', this)
    this.#settle?.()
  }

  /** The signal's abort event: the client is gone. */
  handleEvent(): void {
    this.wake()
  }
}
