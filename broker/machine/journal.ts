// What a replicated state machine writes to and is rebuilt from: an ordered list of records that somebody else keeps safe. The
// real one is a partition (replication/replicated-journal.ts); `memoryJournal` below serves tests. The suite that every
// implementation must pass is test/contract/journal.ts. Not here: what the records mean (see runtime.ts and its users).

export type Journal<R> = {
  /**
   * Adds `records` behind everything appended before and resolves when they, and all before them, are committed. The records
   * of one call are atomic: a replay after a crash sees all of them or none. Calls resolve in the order they were made; an
   * empty list is a barrier behind the earlier ones. Rejects when the outcome is unknown or the journal may not be written to
   * (any more); from then on every append rejects until `replay` has been called again, so that no record can follow a gap.
   */
  append(records: readonly R[]): Promise<void>
  /** Hands over every committed record in order; afterwards the journal may be appended to. Rejects when it cannot be read. */
  replay(onRecord: (record: R) => void): Promise<void>
  /**
   * As `append`, and once the records are committed forgets everything before them: they are the whole state. A journal that
   * does not have it only ever grows.
   */
  appendSnapshot?(records: readonly R[]): Promise<void>
}

/** How records of a kind are kept in a partition. */
export type Codec<R> = {
  encode(record: R): { key: Buffer | null; value: Buffer | null }
  /** Throws on bytes that this version does not understand; null for a record that means nothing to the state machine. */
  decode(key: Buffer | null, value: Buffer | null): R | null
}

export type MemoryJournal<R> = Journal<R> & {
  readonly records: readonly R[]
  /** Makes the next append reject, with its records lost. */
  failNext(cause: Error): void
  /** Appends stay pending until the returned function is called. */
  hold(): () => void
}

/** A journal in memory: committed one turn of the event loop after the append, or when a hold is released. */
export function memoryJournal<R>(initial: readonly R[] = []): MemoryJournal<R> {
  const records: R[] = [...initial]
  let failure: Error | null = null
  let isBroken = false
  let tail: Promise<void> = Promise.resolve()
  let gate: Promise<void> = Promise.resolve()

  function commit(apply: () => void): Promise<void> {
    const opened = gate
    const mine = tail.then(async () => {
      await opened
      if (failure !== null) {
        isBroken = true
        const cause = failure
        failure = null
        throw cause
      }
      if (isBroken) throw new Error('an earlier append failed: replay first')
      apply()
    })
    tail = mine.catch(() => {})
    return mine
  }

  return {
    records,
    append: added => commit(() => void records.push(...added)),
    appendSnapshot: added => commit(() => void records.splice(0, records.length, ...added)),
    async replay(onRecord) {
      await tail
      isBroken = false
      for (const record of records) onRecord(record)
    },
    failNext(cause) {
      failure = cause
    },
    hold() {
      let release = (): void => {}
      gate = new Promise(resolve => {
        release = resolve
      })
      return release
    },
  }
}
