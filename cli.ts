#!/usr/bin/env -S node --single-threaded-gc
// `flotilla`: says so when Node is too old, else hands over to local/command-line.ts. Everything is imported only after that
// check, so that an old Node gets as far as the message. One thread for garbage collection: docs/decisions/0004.
import process from 'node:process'

const OLDEST_NODE = 24
const major = Number(process.versions.node.split('.')[0])

if (major < OLDEST_NODE) {
  process.stderr.write(
    `flotilla: Node ${process.versions.node} is too old; Flotilla needs Node ${OLDEST_NODE} or newer.\n` +
      '  Install it from https://nodejs.org, or use npm start in a checkout, which brings its own.\n',
  )
  process.exit(1)
}
// Code that was compiled once is kept in the system's folder for temporary files: a broker starts noticeably faster.
const { enableCompileCache } = await import('node:module')
enableCompileCache()
const { runCommandLine } = await import('./local/command-line.ts')
await runCommandLine(process.argv.slice(2))
