// Says why the first `node` in PATH does not start, and what to do about it. `npm ci` runs it, by npm's own Node, when the Node that
// this project brings does not start. Plain JavaScript, because that other Node may be old.
import { spawnSync } from 'node:child_process'
import process from 'node:process'

const { error, status, stderr } = spawnSync('node', ['--version'], { encoding: 'utf8' })
const reason = error?.message ?? stderr.trim()

if (error !== undefined || status !== 0) {
  const [problem, fix] = /libatomic/.test(reason)
    ? [
        'a system library is missing, libatomic.so.1. Node and RocksDB need it.',
        'Install its package and run this again: `apt-get install libatomic1` (Debian, Ubuntu), `dnf install libatomic` (Fedora, RHEL).',
      ]
    : [
        `the Node that this project brings (node_modules/node) does not start: ${reason}`,
        'There are builds for Linux x64 and arm64 with glibc (so not for Alpine), macOS and Windows.',
      ]
  process.stderr.write(`\nflotilla: ${problem}\n  ${fix}\n\n`)
  process.exitCode = 1
}
