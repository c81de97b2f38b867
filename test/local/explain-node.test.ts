// What `npm ci` says on a machine on which the Node of this project does not start.
import { equal, match } from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'vitest'

const script = fileURLToPath(new URL('../../scripts/explain-node.js', import.meta.url))

/** Runs the script where `node` is this shell script. */
function explain(node: string): { status: number | null; stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), 'flotilla-explain-'))
  try {
    writeFileSync(join(folder, 'node'), `#!/bin/sh\n${node}\n`)
    chmodSync(join(folder, 'node'), 0o755)
    return spawnSync(process.execPath, [script], { encoding: 'utf8', env: { PATH: folder } })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test.skipIf(process.platform === 'win32')('a missing libatomic is named with the package that has it', () => {
  const loader = 'node: error while loading shared libraries: libatomic.so.1: cannot open shared object file'
  const { status, stderr } = explain(`echo '${loader}' >&2; exit 127`)
  equal(status, 1)
  match(stderr, /libatomic\.so\.1.*\n.*apt-get install libatomic1/)
})

test.skipIf(process.platform === 'win32')(
  'another reason is repeated, with the systems that there are builds for',
  () => {
    const { status, stderr } = explain("echo 'node: no such luck' >&2; exit 1")
    equal(status, 1)
    match(stderr, /no such luck\n.*glibc/)
  },
)

test.skipIf(process.platform === 'win32')('a Node that starts needs no explanation', () => {
  const { status, stderr } = explain('exit 0')
  equal(status, 0)
  equal(stderr, '')
})
