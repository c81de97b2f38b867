// Batches of transactional producers that wait until the coordinator has admitted their partition to the transaction (transactions.ts).
// One queue for each producer of a partition: what came later must neither overtake nor be refused because it came too early. Also here:
// what makes an admission void, as Kafka's VerificationGuard and VerificationStateEntry do. Pure but for the promises; api/produce.ts asks.

/** A batch's place behind earlier ones of its producer. */
export class Turn {
  readonly producerId: number
  /** Resolves when those before have left; null: there are none. */
  readonly previous: Promise<void> | null
  /** A marker of this producer was written since the coordinator was asked: what it said is of a transaction that has ended. */
  isVoid = false
  readonly left: Promise<void>
  leave!: () => void

  constructor(producerId: number, previous: Promise<void> | null) {
    this.producerId = producerId
    this.previous = previous
    this.left = new Promise(resolve => {
      this.leave = resolve
    })
  }
}

/** The lowest sequence of a producer that was refused or is waiting: later ones are out of order until it has come. */
type Earliest = { readonly producerEpoch: number; readonly sequence: number }

/** Producers whose first batch was refused; beyond it the one refused longest ago is forgotten. */
const MAX_EARLIEST = 1000

export class Admissions {
  readonly #last = new Map<number, Turn>()
  readonly #asking = new Map<number, Turn>()
  readonly #earliest = new Map<number, Earliest>()

  isWaiting(producerId: number): boolean {
    return this.#last.has(producerId)
  }

  /** Takes the place behind all batches of the producer that are waiting. */
  enter(producerId: number): Turn {
    const turn = new Turn(producerId, this.#last.get(producerId)?.left ?? null)
    this.#last.set(producerId, turn)
    return turn
  }

  /** The coordinator is about to be asked for the batch that is at the front. */
  ask(turn: Turn, producerEpoch: number, sequence: number): void {
    turn.isVoid = false
    this.#asking.set(turn.producerId, turn)
    const earliest = this.#earliest.get(turn.producerId)
    if (earliest !== undefined && producerEpoch < earliest.producerEpoch) return
    if (earliest?.producerEpoch === producerEpoch && earliest.sequence <= sequence) return
    this.#earliest.delete(turn.producerId)
    this.#earliest.set(turn.producerId, { producerEpoch, sequence })
    if (this.#earliest.size > MAX_EARLIEST) this.#earliest.delete(this.#earliest.keys().next().value!)
  }

  /** Whether an earlier batch of the producer was refused and has not come again. */
  isOutOfOrder(producerId: number, producerEpoch: number, sequence: number): boolean {
    const earliest = this.#earliest.get(producerId)
    return earliest?.producerEpoch === producerEpoch && sequence > earliest.sequence
  }

  /** A batch of the producer was appended: the log itself knows what comes next. */
  onAppended(producerId: number): void {
    this.#earliest.delete(producerId)
  }

  /** The producer's transaction has ended here. */
  onMarker(producerId: number): void {
    this.#earliest.delete(producerId)
    const asking = this.#asking.get(producerId)
    if (asking !== undefined) asking.isVoid = true
  }

  /** The batch was appended or refused. */
  leave(turn: Turn): void {
    if (this.#last.get(turn.producerId) === turn) this.#last.delete(turn.producerId)
    if (this.#asking.get(turn.producerId) === turn) this.#asking.delete(turn.producerId)
    turn.leave()
  }
}
