// Compressions: what goes in comes out, what others wrote is read, and nothing grows beyond its bound.
import { deepEqual, equal, ok, throws } from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { compressSync as lz4Block } from 'lz4-napi'
import { compressSync as snappyBlock } from 'snappy'
import { test } from 'vitest'
import { CorruptError, TooLargeError } from '../../../broker/records/compression-errors.ts'
import { compress, decompress, type Compression } from '../../../broker/records/compression.ts'
import { compressLz4, hasLinkedBlocks } from '../../../broker/records/lz4.ts'
import { compressSnappy } from '../../../broker/records/snappy.ts'
import { COMPRESSIONS, Samples } from './samples.ts'

const CODECS = COMPRESSIONS.filter(compression => compression !== 'none')
const MIB = 1 << 20

const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** Frames of the reference library for LZ4: [name, content, frame]. */
const LZ4_FRAMES = readFileSync(new URL('golden/lz4-frames.txt', import.meta.url), 'utf8')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'))
  .map(line => {
    const [name, count, hex] = line.split(' ')
    const lines = Array.from({ length: Number(count) }, (_, index) => `line ${index % 50} of the text\n`)
    return { name: name!, content: Buffer.from(lines.join('')), frame: Buffer.from(hex!, 'hex') }
  })

const lz4Frame = (name: string): Buffer => Buffer.from(LZ4_FRAMES.find(frame => frame.name === name)!.frame)

for (const codec of CODECS) {
  test(`${codec}: content of any size comes back`, () => {
    const samples = new Samples(7)
    for (const size of [0, 1, 13, 100, 4096, 32_767, 32_768, 32_769, 65_536, 65_537, 300_000, 5 * MIB]) {
      const content = samples.bytes(size)
      deepEqual(decompress(codec, compress(codec, content), size), content, `${size} bytes`)
    }
  })

  test(`${codec}: content as large as the bound is fine, one byte more is not`, () => {
    for (const size of [1, 100, 5000, 200_000]) {
      const compressed = compress(codec, Buffer.alloc(size, 'abcdefg'))
      equal(decompress(codec, compressed, size).length, size)
      throws(() => decompress(codec, compressed, size - 1), TooLargeError)
    }
  })

  test(`${codec}: bytes that are cut off are corrupt, wherever`, () => {
    const compressed = compress(codec, Buffer.from('some content that is longer than nothing. '.repeat(5)))
    for (let size = 0; size < compressed.length; size++) {
      // Java's framing of snappy has no end, so its header alone is an empty content.
      if (codec === 'snappy' && size === 16) continue
      throws(
        () => decompress(codec, compressed.subarray(0, size), MIB),
        CorruptError,
        `${size} of ${compressed.length}`,
      )
    }
  })

  test(`${codec}: changed bytes are corrupt or give other content, and do nothing else`, () => {
    const samples = new Samples(11)
    const compressed = compress(codec, samples.bytes(3000))
    for (let round = 0; round < 3000; round++) {
      const changed = Buffer.from(compressed)
      for (let count = samples.below(3); count >= 0; count--)
        changed[samples.below(changed.length)] = samples.below(256)
      try {
        ok(decompress(codec, changed, MIB).length <= MIB)
      } catch (error) {
        ok(error instanceof CorruptError || error instanceof TooLargeError, String(error))
      }
    }
  })

  test(`${codec}: garbage is corrupt`, () => {
    const samples = new Samples(13)
    for (let round = 0; round < 500; round++) {
      const garbage = samples.bytes(samples.below(100))
      try {
        decompress(codec, garbage, MIB)
      } catch (error) {
        ok(error instanceof CorruptError || error instanceof TooLargeError, String(error))
      }
    }
  })
}

test('none: the bound holds too', () => {
  equal(decompress('none', Buffer.alloc(10), 10).length, 10)
  throws(() => decompress('none', Buffer.alloc(11), 10), TooLargeError)
})

test('levels change the size of gzip and zstd, and mean nothing to snappy and lz4', () => {
  const samples = new Samples(3)
  const content = Buffer.concat(Array.from({ length: 3000 }, () => Buffer.from(`word-${samples.below(5000)} `)))
  const size = (codec: Compression, level?: number): number => compress(codec, content, level).length
  ok(size('gzip', 9) < size('gzip', 1))
  ok(size('zstd', 19) < size('zstd', 1))
  equal(size('gzip', -1), size('gzip'))
  equal(size('zstd', 3), size('zstd'))
  equal(size('lz4', 17), size('lz4', 1))
  equal(size('snappy', 1), size('snappy'))
  for (const level of [-131072, -5, 1, 22])
    deepEqual(decompress('zstd', compress('zstd', content, level), MIB), content)
})

test('a gzip stream of several members and a zstd stream of several frames are one content', () => {
  const parts = [Buffer.from('one '), Buffer.from('two')]
  equal(decompress('gzip', Buffer.concat(parts.map(part => gzipSync(part))), 100).toString(), 'one two')
  equal(decompress('zstd', Buffer.concat(parts.map(part => zstdCompressSync(part))), 100).toString(), 'one two')
  throws(() => decompress('gzip', Buffer.concat(parts.map(part => gzipSync(part))), 6), TooLargeError)
  throws(() => decompress('zstd', Buffer.concat(parts.map(part => zstdCompressSync(part))), 6), TooLargeError)
})

test('a zstd frame that does not say its size is read', () => {
  const content = new Samples(2).bytes(100_000)
  const frame = zstdCompressSync(content, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } })
  deepEqual(decompress('zstd', frame, 100_000), content)
})

test('bytes behind the end of a stream are corrupt', () => {
  for (const codec of CODECS) {
    const compressed = compress(codec, Buffer.from('content'))
    throws(() => decompress(codec, Buffer.concat([compressed, Buffer.from('garbage')]), MIB), CorruptError, codec)
  }
})

for (const { name, content, frame } of LZ4_FRAMES) {
  test(`lz4: the frame "${name}" of the reference library is read`, () => {
    deepEqual(decompress('lz4', frame, content.length), content)
    if (content.length > 0) throws(() => decompress('lz4', frame, content.length - 1), TooLargeError)
  })
}

test('lz4: frames with linked blocks are told from others', () => {
  equal(hasLinkedBlocks(lz4Frame('linked')), true)
  equal(hasLinkedBlocks(lz4Frame('independent')), false)
  equal(hasLinkedBlocks(compressLz4(Buffer.alloc(300_000, 'abc'))), false)
})

test('lz4: what a checksum covers is checked: the header always, blocks if they have one', () => {
  const header = lz4Frame('independent')
  header[6]! ^= 1
  throws(() => decompress('lz4', header, MIB), /header checksum/)
  const block = lz4Frame('independent-checksums')
  block[40]! ^= 1
  throws(() => decompress('lz4', block, MIB), CorruptError)
})

test('lz4: a frame that Java refuses is corrupt', () => {
  const changed = (at: number, byte: number): Buffer => {
    const frame = lz4Frame('independent')
    frame[at] = byte
    return frame
  }
  throws(() => decompress('lz4', changed(0, 5), MIB), /magic/)
  throws(() => decompress('lz4', changed(4, 0xa0), MIB), /version/)
  throws(() => decompress('lz4', changed(4, 0x61), MIB), /dictionary/)
  throws(() => decompress('lz4', changed(5, 0x30), MIB), /block size/)
  throws(() => decompress('lz4', changed(5, 0x41), MIB), /block size/)
  throws(() => decompress('lz4', lz4Frame('independent').subarray(0, -4), MIB), /end mark/)
})

test('lz4: a size in the header that the blocks do not have is corrupt', () => {
  const frame = lz4Frame('linked-checksums-size')
  const content = LZ4_FRAMES.find(({ name }) => name === 'linked-checksums-size')!.content
  equal(frame.readBigUInt64LE(6), BigInt(content.length))
  frame[6]! ^= 1
  throws(() => decompress('lz4', frame, MIB), CorruptError)
})

const int32LE = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** A frame of blocks of at most 64 KiB, linked or not. */
function lz4FrameOf(isLinked: boolean, ...blocks: readonly { bytes: Buffer; isStored: boolean }[]): Buffer {
  const header = Buffer.from(isLinked ? '04224d184040c0' : '04224d18604082', 'hex')
  const parts = blocks.flatMap(({ bytes, isStored }) => [int32LE(bytes.length + (isStored ? 2 ** 31 : 0)), bytes])
  return Buffer.concat([header, ...parts, int32LE(0)])
}

test('lz4: a linked block reaches back over all of the 64 KiB before it', () => {
  const first = new Samples(9).bytes(40_000)
  const second = new Samples(10).bytes(25_535)
  // A match of 19 + 81 bytes, 65,535 back: the start of the first block. Then five literals.
  const reaching = { bytes: Buffer.from([0x0f, 0xff, 0xff, 81, 0x50, ...Buffer.from('ended')]), isStored: false }
  const frame = lz4FrameOf(true, { bytes: first, isStored: true }, { bytes: second, isStored: true }, reaching)
  const content = Buffer.concat([first, second, first.subarray(0, 100), Buffer.from('ended')])
  deepEqual(decompress('lz4', frame, MIB), content)
})

test('lz4: an independent block may not reach back, and no block beyond the beginning', () => {
  const stored = { bytes: Buffer.alloc(200, 'x'), isStored: true }
  const reaching = { bytes: Buffer.from([0x0f, 200, 0, 81, 0x50, ...Buffer.from('ended')]), isStored: false }
  equal(decompress('lz4', lz4FrameOf(true, stored, reaching), MIB).length, 305)
  throws(() => decompress('lz4', lz4FrameOf(false, stored, reaching), MIB), CorruptError)
  throws(() => decompress('lz4', lz4FrameOf(true, reaching), MIB), CorruptError)
})

test('lz4: a block that holds more than its frame allows is corrupt, whether it is counted or not', () => {
  const samples = new Samples(4)
  const dense = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index % 8 === 0 ? samples.below(256) : 0)))
  for (const content of [Buffer.alloc(70_000), dense]) {
    const block = { bytes: lz4Block(content).subarray(4), isStored: false }
    ok(block.bytes.length < 65_536)
    throws(() => decompress('lz4', lz4FrameOf(false, block), MIB), CorruptError)
  }
  throws(() => decompress('lz4', lz4FrameOf(false, { bytes: Buffer.alloc(65_537), isStored: true }), MIB), CorruptError)
})

test('lz4: stored blocks count against the bound', () => {
  const frame = lz4FrameOf(
    false,
    { bytes: Buffer.alloc(100), isStored: true },
    { bytes: Buffer.alloc(100), isStored: true },
  )
  equal(decompress('lz4', frame, 200).length, 200)
  throws(() => decompress('lz4', frame, 199), TooLargeError)
})

test('snappy: raw blocks and the framing of Java are both read', () => {
  const content = new Samples(5).bytes(100_000)
  const raw = snappyBlock(content)
  deepEqual(decompress('snappy', raw, MIB), content)
  const framed = compressSnappy(content)
  equal(framed.subarray(0, 8).toString('latin1'), '\x82SNAPPY\0')
  deepEqual(decompress('snappy', framed, MIB), content)
})

test('snappy: framed streams that follow each other are one content', () => {
  const both = Buffer.concat([compressSnappy(Buffer.from('one ')), compressSnappy(Buffer.from('two'))])
  equal(decompress('snappy', both, MIB).toString(), 'one two')
})

test('snappy: sizes that cannot be are refused before anything is allocated for them', () => {
  const header = compressSnappy(Buffer.alloc(0))
  const huge = Buffer.from([0xff, 0xff, 0xff, 0x7f, 0x00])
  throws(() => decompress('snappy', huge, 2 ** 31), CorruptError)
  throws(() => decompress('snappy', Buffer.concat([header, int32(5), huge]), 2 ** 31), CorruptError)
  for (const size of [-1, 6, 2 ** 31 - 1, -(2 ** 31)])
    throws(() => decompress('snappy', Buffer.concat([header, int32(size), huge]), MIB), CorruptError)
  throws(() => decompress('snappy', Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), MIB), CorruptError)
})

/** 512 MiB of zeros in each compression, made without having them. */
function bomb(codec: Compression): Buffer {
  const part = compress(codec, Buffer.alloc(16 * MIB))
  const parts = Array<Buffer>(32)
  switch (codec) {
    case 'lz4':
      // The header once, the blocks of every part, the end mark once.
      return Buffer.concat([part.subarray(0, 7), ...parts.fill(part.subarray(7, -4)), part.subarray(-4)])
    case 'snappy':
      return Buffer.concat([part.subarray(0, 16), ...parts.fill(part.subarray(16))])
    default:
      return Buffer.concat(parts.fill(part))
  }
}

for (const codec of CODECS) {
  test(`${codec}: a bomb does not take more memory than its bound`, () => {
    const bytes = bomb(codec)
    ok(bytes.length < 30 * MIB)
    const before = process.resourceUsage().maxRSS
    throws(() => decompress(codec, bytes, 4 * MIB), TooLargeError)
    const grownKiB = process.resourceUsage().maxRSS - before
    ok(grownKiB < 48 << 10, `${grownKiB} KiB for a bound of 4 MiB`)
  })
}
