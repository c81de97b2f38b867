// Generated tables are what the code says.
import { equal } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'vitest'
import { generatedFiles } from '../scripts/generate.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

for (const { path, content } of generatedFiles())
  test(`${path} is up to date; if not, run npm run generate`, () => {
    equal(readFileSync(root + path, 'utf8'), content)
  })
