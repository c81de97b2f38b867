import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'vitest'
import { FrameError, FrameReader } from '../../broker/protocol/frame.ts'

const frameOf = (body: Buffer): Buffer => {
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

const readAll = (chunks: readonly Buffer[], maxBytes = 1000): Buffer[] => {
  const frames: Buffer[] = []
  const reader = new FrameReader(8, maxBytes, frame => frames.push(frame))
  for (const chunk of chunks) reader.push(chunk)
  return frames
}

const bodies = [8, 9, 100, 1000].map((size, i) => Buffer.alloc(size, i + 1))
const stream = Buffer.concat(bodies.map(frameOf))

test('frames come out whole, wherever the stream is cut', () => {
  for (let step = 1; step <= stream.length; step += step < 20 ? 1 : 97) {
    const chunks: Buffer[] = []
    for (let at = 0; at < stream.length; at += step) chunks.push(stream.subarray(at, at + step))
    deepEqual(readAll(chunks), bodies)
  }
})

test('a size that no request has is refused: negative, too small for a header, above the limit', () => {
  for (const size of [-1, -2147483648, 0, 7, 1001, 2147483647]) {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(size)
    throws(() => readAll([bytes]), FrameError)
  }
})

test('a frame that is only announced allocates little', () => {
  const reader = new FrameReader(8, 2 ** 31 - 1, () => {})
  const announcement = Buffer.alloc(14)
  announcement.writeInt32BE(2 ** 31 - 1)
  const before = process.memoryUsage().arrayBuffers
  reader.push(announcement)
  equal(reader.partialBytes, 10)
  equal(process.memoryUsage().arrayBuffers - before <= 2 * 1024 * 1024, true)
})

test('a large frame grows with what arrives and is complete at the end', () => {
  const body = Buffer.alloc(5 * 1024 * 1024 + 3)
  for (let i = 0; i < body.length; i++) body[i] = i % 251
  const bytes = frameOf(body)
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 65536) chunks.push(bytes.subarray(at, at + 65536))
  const frames = readAll(chunks, 10 * 1024 * 1024)
  equal(frames.length, 1)
  equal(frames[0]!.equals(body), true)
})

test('a peer that speaks HTTP or TLS is told apart from one that sends a wrong size', () => {
  throws(() => readAll([Buffer.from('GET / HTTP/1.1')]), /an HTTP request/)
  throws(() => readAll([Buffer.from('PO'), Buffer.from('ST /topics')]), /an HTTP request/)
  throws(() => readAll([Buffer.from('16030100a5', 'hex')]), /a TLS handshake/)
  throws(() => readAll([Buffer.from('hello there')]), /a frame of \d+ bytes/)
})
