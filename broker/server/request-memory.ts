// The bound on the bytes of all requests that arrive, wait or run. Complete requests give their memory back by themselves; parts of
// requests do only when their peers send the rest, so parts alone must never stop anybody for good:
// - At the bound, who is in the middle of a request is not read; but as long as complete requests take less than half of the bound, some
//   get a seat: they are read to the end of their request. The seats have room for a quarter of the bound, and there is one seat
//   beside them for a request of any size. Otherwise connections that each hold a part would wait for each other for ever.
// - At the bound, who is between two requests may begin one while complete requests take less than half of it: a client with small
//   requests must not wait for peers that never finish theirs.
// So at most about one and three quarters of the bound are in use, the largest request, and one read of each connection's socket.
import { MemoryBound } from './memory-bound.ts'

/** Leave to read the rest of one request although the bound is reached. */
export type Seat = {
  /** `isFinished`: the request is complete; else its connection is gone, or does not read at the moment. */
  leave(isFinished: boolean): void
}

export class RequestMemory extends MemoryBound {
  readonly #seatBytes: number
  #unfinishedBytes = 0
  #promisedBytes = 0
  #isLargeSeatTaken = false
  // What they lack, in the order they asked.
  readonly #waiting = new Map<() => void, number>()
  #isCalling = false
  #finished = 0

  constructor(limitBytes: number) {
    super(limitBytes)
    this.#seatBytes = limitBytes / 4
  }

  /** The bound is reached: who is in the middle of a request needs a seat. */
  get isReached(): boolean {
    return this.usedBytes >= this.limitBytes
  }

  /** Nobody may begin a request: wait with `whenRoom`. */
  override get isFull(): boolean {
    return this.isReached && !this.#isHalfFree()
  }

  /** Requests that were finished on a seat so far. */
  get finished(): number {
    return this.#finished
  }

  /** Adds bytes, or gives them back; `ofUnfinished` of them belong to requests that are not complete. */
  override add(bytes: number, ofUnfinished = 0): void {
    this.#unfinishedBytes += ofUnfinished
    super.add(bytes)
    if (bytes < 0) this.#call()
  }

  /** Asks for a seat to read `restBytes`. Null when there is none: `run` is then called when asking again is worth it. */
  enter(restBytes: number, run: () => void): Seat | null {
    const isShared = this.#isHalfFree() && this.#promisedBytes + restBytes <= this.#seatBytes
    if (!isShared && !this.#maySit(restBytes)) {
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

  #isHalfFree(): boolean {
    return this.usedBytes - this.#unfinishedBytes < this.limitBytes / 2
  }

  #maySit(restBytes: number): boolean {
    return this.#isHalfFree() && (!this.#isLargeSeatTaken || this.#promisedBytes + restBytes <= this.#seatBytes)
  }

  // Those who are called may leave at once, because what they waited for has arrived already: this loop takes that up.
  #call(): void {
    if (this.#isCalling || this.#waiting.size === 0) return
    this.#isCalling = true
    for (const [run, restBytes] of this.#waiting) {
      if (this.isReached && !this.#isHalfFree()) break
      if (this.isReached && !this.#maySit(restBytes)) continue
      this.#waiting.delete(run)
      run()
    }
    this.#isCalling = false
  }
}
