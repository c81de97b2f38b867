// IP addresses in one spelling, so that they can be compared: what a system calls ::ffff:10.0.0.1 is 10.0.0.1.
import { isIP } from 'node:net'

const MAPPED = '::ffff:'

/** The address in its shortest usual form; null when `text` is no address (host names are none). */
export function canonicalIp(text: string): string | null {
  const zone = text.indexOf('%')
  const address = zone < 0 ? text : text.slice(0, zone)
  const version = isIP(address)
  if (version === 0) return null
  if (version === 4) return address
  const lower = address.toLowerCase()
  if (lower.startsWith(MAPPED) && isIP(lower.slice(MAPPED.length)) === 4) return lower.slice(MAPPED.length)
  return new URL(`http://[${lower}]`).hostname.slice(1, -1)
}
