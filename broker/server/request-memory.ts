// The bound on the bytes of all requests that arrive, wait or run. When it is reached nobody begins another request; but connections
// that each hold a part of one would wait for each other for ever, so there is some room beyond the bound in which requests that
// have begun are read to their end. One of them at a time may be larger than that room.
//
//   0                     limitBytes                         limitBytes + finishingBytes
//   |-- anybody may send --|-- who has a seat may finish -------|-- one at a time may finish, when nothing else frees memory --
//
// Bytes that connections had received when the bound was reached, at most one read of a socket each, come on top.
import { MemoryBound } from './memory-bound.ts'

/** Leave to read the rest of one request although the bound is reached. */
export type Seat = {
  /** `isFinished`: the request is complete; else its connection is gone, or does not read at the moment. */
  leave(isFinished: boolean): void
}

export class RequestMemory extends MemoryBound {
  readonly #finishingBytes: number
  #unfinishedBytes = 0
  #promisedBytes = 0
  #isLargeSeatTaken = false
  // What they lack, in the order they asked.
  readonly #waiting = new Map<() => void, number>()
  #isCalling = false
  #finished = 0

  constructor(limitBytes: number, finishingBytes: number) {
    super(limitBytes)
    this.#finishingBytes = finishingBytes
  }

  /** Requests that were finished beyond the bound so far. */
  get finished(): number {
    return this.#finished
  }

  /** Adds bytes, or gives them back; `ofUnfinished` of them belong to requests that are not complete yet. */
  override add(bytes: number, ofUnfinished = 0): void {
    this.#unfinishedBytes += ofUnfinished
    super.add(bytes)
    if (bytes < 0) this.#call()
  }

  /** Asks for leave to read `restBytes` beyond the bound. Null when there is no room: `run` is then called when asking again is worth it. */
  enter(restBytes: number, run: () => void): Seat | null {
    const isShared = this.#freeBytes() >= restBytes
    if (!isShared && !this.#isLargeSeatFree()) {
      this.#waiting.set(run, restBytes)
      return null
    }
    this.#waiting.delete(run)
    if (isShared) this.#promisedBytes += restBytes
    else this.#isLargeSeatTaken = true
    return {
      leave: isFinished => {
        if (isShared) this.#promisedBytes -= restBytes
        else this.#isLargeSeatTaken = false
        if (isFinished) this.#finished++
        this.#call()
      },
    }
  }

  override forget(run: () => void): void {
    super.forget(run)
    this.#waiting.delete(run)
  }

  // What was promised and has arrived counts twice until its request is complete: that errs on the safe side.
  #freeBytes(): number {
    return this.limitBytes + this.#finishingBytes - this.usedBytes - this.#promisedBytes
  }

  // Complete requests give their memory back by themselves: while they alone reach the bound there is no need for it.
  #isLargeSeatFree(): boolean {
    return !this.#isLargeSeatTaken && this.usedBytes - this.#unfinishedBytes < this.limitBytes
  }

  // Those who are called may leave at once, because what they waited for has arrived already: this loop takes that up.
  #call(): void {
    if (this.#isCalling || this.#waiting.size === 0) return
    this.#isCalling = true
    for (const [run, restBytes] of this.#waiting) {
      if (this.#freeBytes() <= 0 && !this.#isLargeSeatFree()) break
      if (this.#freeBytes() < restBytes && !this.#isLargeSeatFree()) continue
      this.#waiting.delete(run)
      run()
    }
    this.#isCalling = false
  }
}
