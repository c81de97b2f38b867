// The reference codec: walks a declaration for every message, slowly and with nothing shared with
// broker/protocol/compile.ts except the declarations. Its bytes are what the compiled code's bytes are compared with.
// Any malformed input throws.
import { defaultOf, type AnyField, type Api, type Shape, type Type } from '../../broker/protocol/schema.ts'

type Values = Readonly<Record<string, unknown>>
type Context = { readonly version: number; readonly isFlexible: boolean }

export function interpretEncode(api: Api, direction: 'request' | 'response', version: number, value: unknown): Buffer {
  const context = { version, isFlexible: api.flexible !== null && version >= api.flexible }
  return Buffer.concat(writeStruct(api[direction], value as Values, context))
}

export function interpretDecode(
  api: Api,
  direction: 'request' | 'response',
  version: number,
  frame: Buffer,
  at: number,
): unknown {
  const context = { version, isFlexible: api.flexible !== null && version >= api.flexible }
  const cursor = { frame, at }
  const value = readStruct(api[direction], cursor, context)
  if (cursor.at !== frame.length) throw new Error('bytes are left over')
  return value
}

function isIn(range: { since: number; until: number } | null, version: number): boolean {
  return range !== null && range.since <= version && version <= range.until
}

function writeStruct(shape: Shape, value: Values, context: Context): Buffer[] {
  const parts: Buffer[] = []
  const tagged = new Map<number, Buffer>()
  for (const [name, field] of Object.entries(shape)) {
    const { rules } = field
    const given = value[name] === undefined ? defaultOf(field) : value[name]
    if (!isIn(rules, context.version)) {
      if (!rules.isIgnorable && !isDefault(field, given))
        throw new Error(`${name} is not in version ${context.version}`)
    } else if (rules.tag === null) {
      parts.push(...write(field.type, given, isIn(rules.nullable, context.version), context))
    } else if (!isDefault(field, given)) {
      tagged.set(rules.tag, Buffer.concat(write(field.type, given, rules.nullable !== null, context)))
    }
  }
  if (!context.isFlexible) return parts
  parts.push(varint(tagged.size))
  for (const tag of [...tagged.keys()].sort((a, b) => a - b)) {
    const bytes = tagged.get(tag)!
    parts.push(varint(tag), varint(bytes.length), bytes)
  }
  return parts
}

function write(type: Type, value: unknown, isNullable: boolean, context: Context): Buffer[] {
  if (value === null && !isNullable) throw new Error('null where there must be a value')
  switch (type.kind) {
    case 'struct': {
      if (!isNullable) return writeStruct(type.shape, value as Values, context)
      return value === null ? [int(1, -1)] : [int(1, 1), ...writeStruct(type.shape, value as Values, context)]
    }
    case 'array': {
      if (value === null) return [context.isFlexible ? varint(0) : int(4, -1)]
      const elements = value as readonly unknown[]
      const length = context.isFlexible ? varint(elements.length + 1) : int(4, elements.length)
      return [length, ...elements.flatMap(element => write(type.element, element, false, context))]
    }
    case 'string': {
      if (value === null) return [context.isFlexible ? varint(0) : int(2, -1)]
      const text = Buffer.from(value as string, 'utf8')
      return [context.isFlexible ? varint(text.length + 1) : int(2, text.length), text]
    }
    case 'bytes':
    case 'records': {
      if (value === null) return [context.isFlexible ? varint(0) : int(4, -1)]
      const all = Array.isArray(value) ? Buffer.concat(value as Buffer[]) : (value as Buffer)
      return [context.isFlexible ? varint(all.length + 1) : int(4, all.length), all]
    }
    case 'uuid':
      return [Buffer.from(value as string, 'base64url')]
    case 'bool':
      return [int(1, value === true ? 1 : 0)]
    case 'float64': {
      const bytes = Buffer.alloc(8)
      bytes.writeDoubleBE(value as number)
      return [bytes]
    }
    case 'uint16': {
      const bytes = Buffer.alloc(2)
      bytes.writeUInt16BE(value as number)
      return [bytes]
    }
    case 'int64': {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64BE(BigInt(value as number))
      return [bytes]
    }
    default:
      return [int(type.kind === 'int8' ? 1 : type.kind === 'int16' ? 2 : 4, value as number)]
  }
}

function isDefault(field: AnyField, value: unknown): boolean {
  const byDefault = defaultOf(field)
  if (value === null || byDefault === null) return value === byDefault
  if (value instanceof Uint8Array || Array.isArray(value)) return value.length === 0
  if (field.type.kind !== 'struct') return value === byDefault
  return Object.entries(field.type.shape).every(([name, inner]) => {
    const given = (value as Values)[name]
    return given === undefined || isDefault(inner, given)
  })
}

function int(sizeBytes: number, value: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  bytes.writeIntBE(value, 0, sizeBytes)
  return bytes
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128)
  return Buffer.from([...bytes, value])
}

type Cursor = { readonly frame: Buffer; at: number }

function readStruct(shape: Shape, cursor: Cursor, context: Context): Values {
  const value: Record<string, unknown> = {}
  const tagged = new Map<number, [string, AnyField]>()
  for (const [name, field] of Object.entries(shape)) {
    value[name] = defaultOf(field)
    if (!isIn(field.rules, context.version)) continue
    if (field.rules.tag !== null) tagged.set(field.rules.tag, [name, field])
    else value[name] = read(field.type, isIn(field.rules.nullable, context.version), cursor, context)
  }
  if (!context.isFlexible) return value
  for (let left = readVarint(cursor); left > 0; left--) {
    const known = tagged.get(readVarint(cursor))
    const content = { frame: take(cursor, readVarint(cursor)), at: 0 }
    if (known === undefined) continue
    const [name, field] = known
    value[name] = read(field.type, field.rules.nullable !== null, content, context)
    if (content.at !== content.frame.length) throw new Error(`${name} has bytes left over`)
  }
  return value
}

function read(type: Type, isNullable: boolean, cursor: Cursor, context: Context): unknown {
  switch (type.kind) {
    case 'struct':
      return isNullable && readInt(1, cursor) < 0 ? null : readStruct(type.shape, cursor, context)
    case 'array': {
      const length = readLength(4, isNullable, cursor, context)
      const values: unknown[] = []
      // Every element has at least one byte, so a length beyond the frame runs out of bytes soon.
      for (let i = 0; i < length; i++) values.push(read(type.element, false, cursor, context))
      return length < 0 ? null : values
    }
    case 'string': {
      const length = readLength(2, isNullable, cursor, context)
      if (length > 32767) throw new Error('a string is too long')
      return length < 0 ? null : take(cursor, length).toString('utf8')
    }
    case 'bytes':
    case 'records': {
      const length = readLength(4, isNullable, cursor, context)
      return length < 0 ? null : Buffer.from(take(cursor, length))
    }
    case 'uuid':
      return take(cursor, 16).toString('base64url')
    case 'bool':
      return readInt(1, cursor) !== 0
    case 'float64':
      return take(cursor, 8).readDoubleBE()
    case 'uint16':
      return take(cursor, 2).readUInt16BE()
    case 'int64':
      return Number(take(cursor, 8).readBigInt64BE())
    default:
      return readInt(type.kind === 'int8' ? 1 : type.kind === 'int16' ? 2 : 4, cursor)
  }
}

function readLength(sizeBytes: number, isNullable: boolean, cursor: Cursor, context: Context): number {
  const length = context.isFlexible ? readVarint(cursor) - 1 : readInt(sizeBytes, cursor)
  if (length < 0 && !isNullable) throw new Error('null where there must be a value')
  return length
}

function readInt(sizeBytes: number, cursor: Cursor): number {
  return take(cursor, sizeBytes).readIntBE(0, sizeBytes)
}

function readVarint(cursor: Cursor): number {
  let value = 0n
  for (let shift = 0n; ; shift += 7n) {
    const byte = take(cursor, 1)[0]!
    value |= BigInt(byte & 0x7f) << shift
    if (value > 0xffffffffn || shift > 28n) throw new Error('a varint has more than 32 bits')
    if (byte < 128) return Number(value)
  }
}

function take(cursor: Cursor, sizeBytes: number): Buffer {
  if (sizeBytes > cursor.frame.length - cursor.at) throw new Error('the bytes end')
  cursor.at += sizeBytes
  return cursor.frame.subarray(cursor.at - sizeBytes, cursor.at)
}
