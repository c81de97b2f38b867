// Walks once and prints what was found as JSON, for removed-rules.ts: node main.ts SEED STEPS
import { LARGE, walk } from './explore.ts'

const [, , seed, maxSteps] = process.argv
console.log(JSON.stringify(walk(LARGE, { seed: Number(seed), maxSteps: Number(maxSteps) })))
