// A lock on a folder that holds for as long as this process lives, and not a moment longer, however it ends. Node has no flock,
// and a file with a process id in it means nothing in a container, where every process is number 1. SQLite, which comes with
// Node, locks its database file through fcntl; an empty database in an exclusive transaction is such a lock and costs a megabyte.
// The lock works between processes and containers of one kernel, not between machines.
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'

export type FolderLock = { release(): void }

/** Locks a folder; null when somebody else has the lock. */
export type LockFolder = (folder: string) => Promise<FolderLock | null>

/** null when somebody else has the lock. Throws when the folder cannot be written. */
export async function lockFolder(folder: string): Promise<FolderLock | null> {
  const { DatabaseSync } = await import('node:sqlite')
  // fcntl drops a process's lock when that process closes any descriptor of the file: nobody else may open it.
  const path = join(folder, LOCK_FILE)
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    // SQLite opens a file that it may not write all the same, and locks nothing then.
    accessSync(path, constants.W_OK)
    // Without a journal file, which this transaction of nothing would leave behind.
    database.exec('PRAGMA journal_mode = MEMORY; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return null
    throw error
  }
  return { release: () => database.close() }
}

export const LOCK_FILE = 'lock'

const SQLITE_BUSY = 5
