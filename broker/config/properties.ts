// The syntax of server.properties: java.util.Properties, which Kafka reads. Comments with # or !, lines continued by a backslash,
// keys ended by =, : or a blank, escapes in both. A key that is there twice counts the last time, as in Kafka, and is reported.

export type Setting = { readonly name: string; readonly value: string; readonly line: number }
export type ParsedFile = { readonly settings: readonly Setting[]; readonly problems: readonly string[] }

/** Reads every setting of a properties file; `problems` name their line. */
export function parseProperties(text: string): ParsedFile {
  const settings: Setting[] = []
  const problems: string[] = []
  for (const { content, line } of logicalLines(text)) {
    const end = keyEnd(content)
    const name = unescape(content.slice(0, end))
    const value = unescape(content.slice(end).replace(/^[ \t\f]*[=:]?[ \t\f]*/, ''))
    if (name === null || value === null) problems.push(`line ${line}: \\u needs four hexadecimal digits`)
    else if (name === '') problems.push(`line ${line}: there is no key before the '${content[0]}'`)
    else settings.push({ name, value, line })
  }
  return { settings, problems }
}

// A line that ends in an odd number of backslashes goes on in the next one, whose indentation does not count.
function* logicalLines(text: string): Generator<{ content: string; line: number }> {
  let parts: string[] = []
  let start = 0
  const lines = text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)
  for (const [index, raw] of lines.entries()) {
    const line = raw.replace(/^[ \t\f]+/, '')
    const isFirst = parts.every(part => part === '')
    if (isFirst && (line === '' || line.startsWith('#') || line.startsWith('!'))) {
      parts = []
      continue
    }
    if (isFirst) start = index + 1
    let end = line.length
    while (end > 0 && line[end - 1] === '\\') end--
    const isContinued = (line.length - end) % 2 === 1
    parts.push(isContinued ? line.slice(0, -1) : line)
    if (isContinued && index < lines.length - 1) continue
    const content = parts.join('')
    if (content !== '') yield { content, line: start }
    parts = []
  }
}

function keyEnd(content: string): number {
  for (let at = 0; at < content.length; at++) {
    const char = content[at]!
    if (char === '\\') at++
    else if (char === '=' || char === ':' || char === ' ' || char === '\t' || char === '\f') return at
  }
  return content.length
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescape(text: string): string | null {
  if (!text.includes('\\')) return text
  if (/(?<!\\)(\\\\)*\\u(?![0-9A-Fa-f]{4})/.test(text)) return null
  return text.replace(/\\(?:u([0-9A-Fa-f]{4})|([^]))|\\$/g, (_, hex: string | undefined, char: string | undefined) =>
    hex !== undefined ? String.fromCharCode(parseInt(hex, 16)) : (ESCAPES[char ?? ''] ?? char ?? ''),
  )
}
