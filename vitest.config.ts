import { defineConfig } from 'vitest/config'

// One project per kind of suite. `npm test` runs `unit`: what needs nothing but Node. The others start real processes or
// install clients of other languages; each says so itself when something it needs is not there.
const project = (name: string, include: string[], testTimeout: number, fileParallelism = true) => ({
  test: { name, include, testTimeout, hookTimeout: testTimeout, fileParallelism, pool: 'forks' as const },
})

export default defineConfig({
  test: {
    projects: [
      project('unit', ['test/{broker,contract,protocol,local,operator}/**/*.test.ts', 'test/*.test.ts'], 120_000),
      project('model', ['test/model/**/*.test.ts'], 1_800_000),
      project('simulation', ['test/simulation/**/*.test.ts'], 1_800_000),
      project('crash', ['test/crash/**/*.test.ts'], 1_800_000, false),
      project('clients', ['test/clients/**/*.test.ts'], 1_800_000, false),
    ],
  },
})
