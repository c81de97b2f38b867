// Which logs recovery takes together, and their extents. A log that stopped in use has few extents, often one, and a scan for each of
// 10,000 logs costs a second: so logs that are neighbours in the store form a run, and one scan reads the extents of many of them. A
// clean log ends a run, because its extents would be read for nothing.
import type { KnownExtents } from './hot-part.ts'
import { logNameOf, LogKeys, MAX_OFFSET, offsetOf } from './keys.ts'
import type { StoredLog } from './recovery.ts'
import type { Entry, Store } from './store.ts'

const LONGEST_RUN = 64
// Also the bound on what one run has in memory; entries of inline extents have some KiB.
const EXTENTS_PER_SCAN = 256

/** The logs of `stored` (in the order of their keys) that are not clean, in runs. There are at least `atLeast` runs, if there are so many logs. */
export function recoveryRuns(stored: readonly StoredLog[], atLeast: number): StoredLog[][] {
  const dirty = stored.reduce((count, { state }) => (state.isClean ? count : count + 1), 0)
  const longest = Math.min(LONGEST_RUN, Math.ceil(dirty / atLeast))
  const runs: StoredLog[][] = []
  let run: StoredLog[] = []
  for (const one of stored) {
    if (one.state.isClean) {
      run = []
      continue
    }
    if (run.length === 0 || run.length === longest) runs.push((run = []))
    run.push(one)
  }
  return runs
}

/** Calls `visit` with every log of a run and what one scan has found of its extents. One at a time, so the scan bounds what is in memory. */
export async function eachOfRun(
  store: Store,
  run: readonly StoredLog[],
  visit: (one: StoredLog, known: KnownExtents) => Promise<void>,
): Promise<void> {
  const names = run.map(one => logNameOf(keysOf(one).state()))
  const { lt } = keysOf(run.at(-1)!).extents(0, MAX_OFFSET)
  for (let next = 0; next < run.length;) {
    const { gte } = keysOf(run[next]!).extents(run[next]!.state.activeBase, MAX_OFFSET)
    const entries = await store.scan({ gte, lt, limit: EXTENTS_PER_SCAN })
    const isRest = entries.length < EXTENTS_PER_SCAN
    const found = groupByLog(entries)
    // The log in whose middle the scan may have stopped. It begins the next scan, unless it alone filled this one.
    const cut = isRest ? run.length : names.findIndex(name => name >= logNameOf(entries.at(-1)!.key))
    for (const end = Math.max(cut, next + 1); next < end; next++) {
      const one = run[next]!
      const mine = found.get(names[next]!)?.filter(({ key }) => offsetOf(key) >= one.state.activeBase) ?? []
      await visit(one, { entries: mine, isAll: next < cut })
    }
  }
}

function keysOf({ topicId, partition }: StoredLog): LogKeys {
  return new LogKeys(topicId, partition)
}

function groupByLog(entries: readonly Entry[]): Map<string, Entry[]> {
  const groups = new Map<string, Entry[]>()
  for (const entry of entries) {
    const name = logNameOf(entry.key)
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [entry])
    else group.push(entry)
  }
  return groups
}
