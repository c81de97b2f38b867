// Runs a replicated state machine over a journal: load, write, unload. The one place with I/O that groups, transactions and the
// cluster metadata share. A state machine is two pure functions: `decide` checks a request and emits records (style.md section 2),
// `replay` applies a record to the state. Not here: who may lead the journal, and what the state means.
import type { Journal } from './journal.ts'

/** The state a request was decided on is gone, or there is none: whether its records are kept is not known. Ask again. */
export class StateLostError extends Error {}

export type Machine<State, R, View> = {
  /** The state before any record. */
  create(): State
  replay(state: State, record: R): void
  /**
   * What `onCommitted` is shown of the state as it was right after its records; must not change later. Called after the load and
   * after every decision, before the next one.
   */
  view(state: State): View
  /** In order, before the write that emitted them is answered; not called for writes that emit nothing. */
  onCommitted?(records: readonly R[], view: View): void
  /** An append failed: the state is gone, `load` may be tried. */
  onLost?(cause: unknown): void
}

type Life<State> = { readonly state: State }

export class Runtime<State, R, View = void> {
  readonly #journal: Journal<R>
  readonly #machine: Machine<State, R, View>
  // One life is one state from its load until it is unloaded or lost; what was decided in one is never mixed with another.
  #life: Life<State> | null = null
  #loading: Life<State> | null = null

  constructor(journal: Journal<R>, machine: Machine<State, R, View>) {
    this.#journal = journal
    this.#machine = machine
  }

  get isLoaded(): boolean {
    return this.#life !== null
  }

  /** Rebuilds the state from the journal. Rejects when that cannot be read, or with StateLostError when unloaded meanwhile. */
  async load(): Promise<View> {
    const life: Life<State> = { state: this.#machine.create() }
    this.#life = null
    this.#loading = life
    await this.#journal.replay(record => this.#machine.replay(life.state, record))
    if (this.#loading !== life) throw new StateLostError('unloaded while loading')
    this.#loading = null
    this.#life = life
    return this.#machine.view(life.state)
  }

  /** Forgets the state. Writes in flight are still answered by what the journal says of them. */
  unload(): void {
    this.#life = null
    this.#loading = null
  }

  /**
   * Lets `decide` answer a request and emit records, and resolves with its answer when these and everything they build on are
   * committed; a `decide` that emits nothing is a read of committed state. `decide` runs at once, on the newest state, and `emit`
   * replays at once. A `decide` that throws before it emits changes nothing. Rejects with StateLostError when no state is loaded
   * or the append failed.
   */
  async write<T>(decide: (state: State, emit: (record: R) => void) => T): Promise<T> {
    const life = this.#life
    if (life === null) throw new StateLostError('no state is loaded')
    const records: R[] = []
    let hasChanged = false
    let response: T
    try {
      response = decide(life.state, record => {
        hasChanged = true
        this.#machine.replay(life.state, record)
        records.push(record)
      })
    } catch (cause) {
      // Half of a decision is in the state and nowhere else.
      if (hasChanged) this.#lose(life, cause)
      throw cause
    }
    const view = this.#machine.view(life.state)
    try {
      await this.#journal.append(records)
    } catch (cause) {
      this.#lose(life, cause)
      throw new StateLostError('the journal did not take the records: whether they are kept is not known', { cause })
    }
    // After a reload the new life has shown these records already.
    if (records.length > 0 && this.#life === life) this.#machine.onCommitted?.(records, view)
    return response
  }

  /** Replaces the journal's content by `snapshot(state)`, if it can; resolves when that is committed. */
  async compact(snapshot: (state: State) => readonly R[]): Promise<void> {
    const life = this.#life
    if (life === null || this.#journal.appendSnapshot === undefined) return
    try {
      await this.#journal.appendSnapshot(snapshot(life.state))
    } catch (cause) {
      this.#lose(life, cause)
      throw new StateLostError('the journal did not take the snapshot', { cause })
    }
  }

  #lose(life: Life<State>, cause: unknown): void {
    if (this.#life !== life) return
    this.#life = null
    this.#machine.onLost?.(cause)
  }
}
