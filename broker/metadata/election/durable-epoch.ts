// The highest election epoch that this candidate has seen, on its disk before it leads, follows or answers in it (rule A3): without it
// a candidate that forgot an epoch in a power loss could follow the leader of an older one. A file of a few bytes.
import { nodeFiles, type Files } from '../../storage/files.ts'

export type DurableEpoch = {
  /** 0 before the first. */
  readonly value: number
  /** Resolves when `epoch`, or a higher one, is on the disk; a lower one changes nothing. Rejects when it cannot be written. */
  raise(epoch: number): Promise<void>
}

export async function openDurableEpoch(path: string, files: Files = nodeFiles): Promise<DurableEpoch> {
  let value = await readEpoch(path, files)
  // One write at a time, so that the last one on the disk is the highest.
  let tail: Promise<void> = Promise.resolve()

  async function write(epoch: number): Promise<void> {
    if (epoch <= value) return
    await files.replace(path, Buffer.from(`${epoch}\n`))
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

async function readEpoch(path: string, files: Files): Promise<number> {
  if ((await files.stat(path)) === null) return 0
  const text = String(await files.readWhole(path))
  if (!/^\d{1,15}\n$/.test(text)) throw new Error(`the election epoch in ${path} is damaged: ${JSON.stringify(text)}`)
  return Number(text)
}
