import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { shareOpenFiles } from '../../../broker/server/open-files.ts'

test('with files enough everybody gets what is configured', () => {
  const everything = { connections: 10_000, httpConnections: 500, logFiles: 512 }
  deepEqual(shareOpenFiles(Infinity, 10_000), everything)
  deepEqual(shareOpenFiles(20_000, 10_000), everything)
  equal(shareOpenFiles(20_000, 5).connections, 5)
})

test('with few files connections leave room for those of the log', () => {
  for (const maxOpenFiles of [64, 300, 1024, 4096]) {
    const { connections, httpConnections, logFiles } = shareOpenFiles(maxOpenFiles, 10_000)
    ok(connections + httpConnections + logFiles <= maxOpenFiles - maxOpenFiles / 16)
    ok(connections >= maxOpenFiles / 2 && logFiles >= maxOpenFiles / 8)
  }
})
