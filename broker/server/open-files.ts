// How the files that the system lets this process have open (ulimit -n) are shared. Every connection is one too: without shares, a
// crowd of clients would keep the log from opening its next segment, and that takes the log directory offline.

export type OpenFileShares = {
  /** At most `maxConnections`. */
  readonly connections: number
  readonly httpConnections: number
  /** Segment and staging files that stay open. */
  readonly logFiles: number
}

const MAX_LOG_FILES = 512
const MAX_HTTP_CONNECTIONS = 500
/** The database, files that are open for a moment, the process's own. */
const MAX_OTHER_FILES = 256

/** `maxOpenFiles` is Infinity where nobody knows. */
export function shareOpenFiles(maxOpenFiles: number, maxConnections: number): OpenFileShares {
  const logFiles = Math.floor(Math.min(MAX_LOG_FILES, maxOpenFiles / 4))
  const httpConnections = Math.floor(Math.min(MAX_HTTP_CONNECTIONS, maxOpenFiles / 16))
  const otherFiles = Math.floor(Math.min(MAX_OTHER_FILES, maxOpenFiles / 8))
  const connections = Math.min(maxConnections, maxOpenFiles - logFiles - httpConnections - otherFiles)
  return { connections, httpConnections, logFiles }
}
