// The highest election epoch that this candidate has seen, on its disk before it leads, follows or answers in it (rule A3): without it
// a candidate that forgot an epoch in a power loss could follow the leader of an older one. A file of a few bytes.
import { open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

export type DurableEpoch = {
  /** 0 before the first. */
  readonly value: number
  /** Resolves when `epoch`, or a higher one, is on the disk; a lower one changes nothing. Rejects when it cannot be written. */
  raise(epoch: number): Promise<void>
}

export async function openDurableEpoch(path: string): Promise<DurableEpoch> {
  let value = await readEpoch(path)
  // One write at a time, so that the last one on the disk is the highest.
  let tail: Promise<void> = Promise.resolve()

  async function write(epoch: number): Promise<void> {
    if (epoch <= value) return
    await writeEpoch(path, epoch)
    value = epoch
  }

  return {
    get value() {
      return value
    },
    raise(epoch) {
      const written = tail.then(() => write(epoch))
      tail = written.catch(() => {})
      return written
    },
  }
}

async function readEpoch(path: string): Promise<number> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0
    throw new Error(`cannot read the election epoch in ${path}`, { cause: error })
  }
  if (!/^\d{1,15}\n$/.test(text)) throw new Error(`the election epoch in ${path} is damaged: ${JSON.stringify(text)}`)
  return Number(text)
}

async function writeEpoch(path: string, epoch: number): Promise<void> {
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w')
  try {
    await file.writeFile(`${epoch}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
