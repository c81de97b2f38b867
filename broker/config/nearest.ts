// Finds what somebody probably meant to type: the known word with the fewest slips between it and theirs.

/** The known word nearest to `word`, or null when none is near enough to be worth a suggestion. */
export function nearest(word: string, known: Iterable<string>): string | null {
  // Nobody means a longer word than this, and the work below is quadratic.
  if (word.length > 120) return null
  const plain = simplified(word)
  const bound = plain.length < 4 ? 1 : Math.max(2, Math.floor(plain.length / 4))
  let best: string | null = null
  let bestSlips = bound + 1
  for (const candidate of known) {
    const other = simplified(candidate)
    if (Math.abs(other.length - plain.length) >= bestSlips) continue
    const slips = slipsBetween(plain, other)
    if (slips < bestSlips) [best, bestSlips] = [candidate, slips]
  }
  return best
}

// Separators and capitals are no slips: LOG_RETENTION_MS and log-retention.ms are the same word.
function simplified(word: string): string {
  return word.toLowerCase().replace(/[._-]+/g, '.')
}

// Levenshtein's distance, where two swapped neighbours count as one slip.
function slipsBetween(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      let slips = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (isSame ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) slips = Math.min(slips, before[j - 2]! + 1)
      next.push(slips)
    }
    before = row
    row = next
  }
  return row[b.length]!
}
