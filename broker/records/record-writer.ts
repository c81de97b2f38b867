// Writes records in the format of a v2 batch (KIP-98, KIP-82), without the batch around them.
//
//   length varint | attributes int8 (unused, 0) | timestampDelta varlong | offsetDelta varint
//   keyLength varint (-1: null) | key | valueLength varint (-1: null) | value
//   header count varint | { keyLength varint | key (UTF-8) | valueLength varint (-1: null) | value }*
import { sizeOfVarint, sizeOfVarlong, writeVarint, writeVarlong } from './varint.ts'

export type RecordHeaderInit = { readonly key: string; readonly value?: Uint8Array | null }

/** A record to be written; absent parts are null or empty. `timestamp` in milliseconds since the epoch, -1 for none. */
export type RecordInit = {
  readonly timestamp: number
  readonly key?: Uint8Array | null
  readonly value?: Uint8Array | null
  readonly headers?: readonly RecordHeaderInit[]
}

/** The bytes of `records`, one behind the other from `reserved` on; the first `reserved` bytes are left to the caller. */
export function encodeRecords(records: readonly RecordInit[], baseTimestamp: number, reserved: number): Buffer {
  const sizes = new Array<number>(records.length)
  let totalSize = reserved
  for (let index = 0; index < records.length; index++) {
    const size = bodySize(records[index]!, records[index]!.timestamp - baseTimestamp, index)
    sizes[index] = size
    totalSize += sizeOfVarint(size) + size
  }
  const buffer = Buffer.allocUnsafe(totalSize)
  let at = reserved
  for (let index = 0; index < records.length; index++) {
    at = writeVarint(buffer, at, sizes[index]!)
    at = writeBody(buffer, at, records[index]!, records[index]!.timestamp - baseTimestamp, index)
  }
  return buffer
}

function bodySize(record: RecordInit, timestampDelta: number, offsetDelta: number): number {
  const headers = record.headers ?? []
  let size = 1 + sizeOfVarlong(timestampDelta) + sizeOfVarint(offsetDelta)
  size += sizeOfBytes(record.key) + sizeOfBytes(record.value) + sizeOfVarint(headers.length)
  for (const header of headers) {
    const keySize = Buffer.byteLength(header.key)
    size += sizeOfVarint(keySize) + keySize + sizeOfBytes(header.value)
  }
  return size
}

function writeBody(
  buffer: Buffer,
  at: number,
  record: RecordInit,
  timestampDelta: number,
  offsetDelta: number,
): number {
  const headers = record.headers ?? []
  buffer[at++] = 0
  at = writeVarlong(buffer, at, timestampDelta)
  at = writeVarint(buffer, at, offsetDelta)
  at = writeBytes(buffer, at, record.key)
  at = writeBytes(buffer, at, record.value)
  at = writeVarint(buffer, at, headers.length)
  for (const header of headers) {
    at = writeVarint(buffer, at, Buffer.byteLength(header.key))
    at += buffer.write(header.key, at)
    at = writeBytes(buffer, at, header.value)
  }
  return at
}

function sizeOfBytes(bytes: Uint8Array | null | undefined): number {
  return bytes === null || bytes === undefined ? 1 : sizeOfVarint(bytes.length) + bytes.length
}

function writeBytes(buffer: Buffer, at: number, bytes: Uint8Array | null | undefined): number {
  if (bytes === null || bytes === undefined) return writeVarint(buffer, at, -1)
  at = writeVarint(buffer, at, bytes.length)
  buffer.set(bytes, at)
  return at + bytes.length
}
