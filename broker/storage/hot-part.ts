// The extents of a log, read from the store: the part that is not sealed. Used where all of it matters (sealing, truncation,
// recovery); reads of a few batches are log-reader.ts.
import { ACTIVE, decodeExtent, STAGED, type Extent } from './extent.ts'
import type { LogCore } from './log-core.ts'
import type { Entry, Store } from './store.ts'

const EXTENTS_PER_SCAN = 256

/** Extents that were read before: the first ones of a walk, or all of it. */
export type KnownExtents = { readonly entries: readonly Entry[]; readonly isAll: boolean }

type Visit = (extent: Extent) => boolean | void | Promise<boolean | void>

const NONE_KNOWN: KnownExtents = { entries: [], isAll: false }

/** Calls `visit` with every extent that begins in [from, to), in order, until it returns false. */
export async function eachExtent(
  store: Store,
  core: LogCore,
  from: number,
  to: number,
  visit: Visit,
  known: KnownExtents = NONE_KNOWN,
): Promise<void> {
  let { entries, isAll } = known
  for (let next = from; ;) {
    for (const entry of entries) {
      const extent = decodeExtent(entry)
      next = extent.lastOffset + 1
      const goesOn = visit(extent)
      if ((goesOn instanceof Promise ? await goesOn : goesOn) === false) return
    }
    if (isAll || next >= to) return
    entries = await store.scan({ ...core.keys.extents(next, to), limit: EXTENTS_PER_SCAN })
    isAll = entries.length < EXTENTS_PER_SCAN
  }
}

/** What a walk over the extents of a log finds out. */
export class HotPart {
  hotBytes = 0
  tailBytes = 0
  /** Of the first extent: that of its first batch, or a later one that was committed with it. */
  firstTimestamp = -1
  maxTimestamp = -1
  maxTimestampOffset = 0
  /** Exclusive; where the walk began when there is no extent. */
  endOffset: number
  activeSizeBytes = 0
  activeEndOffset: number
  readonly staged: { fileId: number; startOffset: number }[] = []

  constructor(activeBase: number) {
    this.endOffset = activeBase
    this.activeEndOffset = activeBase
  }

  add(extent: Extent): void {
    if (this.hotBytes === 0) this.firstTimestamp = extent.maxTimestamp
    this.hotBytes += extent.sizeBytes
    this.endOffset = extent.lastOffset + 1
    if (extent.maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = extent.maxTimestamp
      this.maxTimestampOffset = extent.baseOffset
    }
    if (extent.place === ACTIVE) {
      this.activeSizeBytes = extent.position + extent.sizeBytes
      this.activeEndOffset = extent.lastOffset + 1
      return
    }
    this.tailBytes += extent.sizeBytes
    if (extent.place === STAGED && this.staged.at(-1)?.fileId !== extent.fileId) {
      this.staged.push({ fileId: extent.fileId, startOffset: extent.baseOffset })
    }
  }

  /** The log is what the walk found, as one segment that has not ended. */
  applyTo(core: LogCore): void {
    core.hotBytes = this.hotBytes
    core.tailBytes = this.tailBytes
    core.staged = this.staged
    core.rolls = []
    core.segmentBytes = this.hotBytes
    core.segmentBase = core.activeBase
    core.firstTimestamp = this.firstTimestamp
    core.maxTimestamp = this.maxTimestamp
    core.maxTimestampOffset = this.maxTimestampOffset
    core.segmentMaxTimestamp = this.maxTimestamp
    core.segmentMaxTimestampOffset = this.maxTimestampOffset
    if (core.active !== null) {
      core.active.sizeBytes = this.activeSizeBytes
      core.active.endOffset = this.activeEndOffset
    }
  }
}
