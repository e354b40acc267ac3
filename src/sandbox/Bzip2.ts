/**
 * Packs bytes as bzip2, the form of EVE Ref's archives, which Node can not. Any bzip2 can unpack it. It is made for files of
 * some 100 kB: rotations are sorted by comparison, and all symbols get codes of the same length.
 */

/** Bytes of input that are sorted together; in a block of 900 kB there is room for what run-length coding adds. */
const blockSize = 200_000

export const bzip2 = (input: Uint8Array): Buffer => {
  const out = bitWriter()
  out.write(24, 0x425a68) // BZh
  out.write(8, 0x39) // blocks of 900 kB
  let whole = 0
  for (let start = 0; start < input.length; start += blockSize) {
    const block = input.subarray(start, start + blockSize)
    const crc = crcOf(block)
    whole = ((whole << 1 | whole >>> 31) ^ crc) >>> 0
    out.write(24, 0x314159).write(24, 0x265359)
    out.write(32, crc)
    writeBlock(out, rotated(runLengths(block)))
  }
  out.write(24, 0x177245).write(24, 0x385090)
  out.write(32, whole)
  return out.bytes()
}

/** Four equal bytes are followed by the number of further ones. */
const runLengths = (block: Uint8Array): Uint8Array => {
  const out: Array<number> = []
  for (let at = 0; at < block.length;) {
    const byte = block[at]!
    let end = at + 1
    while (end < block.length && block[end] === byte && end - at < 255) end++
    const run = end - at
    for (let each = 0; each < Math.min(run, 4); each++) out.push(byte)
    if (run >= 4) out.push(run - 4)
    at = end
  }
  return Uint8Array.from(out)
}

/** The Burrows-Wheeler transform: the last column of the sorted rotations, and which of them is the text itself. */
const rotated = (text: Uint8Array): { readonly last: Uint8Array; readonly origin: number } => {
  const twice = Buffer.concat([text, text])
  const order = Uint32Array.from(text.keys()).toSorted((a, b) =>
    twice.compare(twice, b, b + text.length, a, a + text.length) || a - b
  )
  return {
    last: Uint8Array.from(order, (start) => twice[start + text.length - 1]!),
    origin: order.indexOf(0)
  }
}

type Bits = ReturnType<typeof bitWriter>

const writeBlock = (out: Bits, { last, origin }: ReturnType<typeof rotated>): void => {
  const used = [...new Set(last)].toSorted((a, b) => a - b)
  const symbols = movedToFront(last, used)
  const length = Math.ceil(Math.log2(used.length + 2))
  out.write(1, 0) // not randomised
  out.write(24, origin)
  const rows = Array.from({ length: 16 }, (_, row) => used.filter((byte) => byte >> 4 === row))
  out.write(16, rows.reduce((bits, row, index) => row.length > 0 ? bits | 0x8000 >> index : bits, 0))
  for (const row of rows) {
    if (row.length > 0) out.write(16, row.reduce((bits, byte) => bits | 0x8000 >> (byte & 15), 0))
  }
  const groups = Math.ceil(symbols.length / 50)
  out.write(3, 2) // two tables, the least there may be, and the first for every group
  out.write(15, groups)
  for (let group = 0; group < groups; group++) out.write(1, 0)
  for (let table = 0; table < 2; table++) {
    out.write(5, length)
    for (let symbol = 0; symbol < used.length + 2; symbol++) out.write(1, 0)
  }
  for (const symbol of symbols) out.write(length, symbol)
}

/** Symbols 0 and 1 write the length of a run of the byte in front as a number in base 2 with the digits 1 and 2. */
const movedToFront = (last: Uint8Array, used: ReadonlyArray<number>): ReadonlyArray<number> => {
  const front = [...used]
  const symbols: Array<number> = []
  let run = 0
  const endRun = () => {
    for (; run > 0; run = (run - 1) >> 1) symbols.push((run - 1) & 1)
  }
  for (const byte of last) {
    const at = front.indexOf(byte)
    if (at === 0) {
      run++
      continue
    }
    endRun()
    front.splice(at, 1)
    front.unshift(byte)
    symbols.push(at + 1)
  }
  endRun()
  symbols.push(used.length + 1)
  return symbols
}

const bitWriter = () => {
  const bytes: Array<number> = []
  let pending = 0
  let count = 0
  const writer = {
    /** The lowest bits of a number, at most 32, highest first. */
    write: (bits: number, value: number) => {
      for (let bit = bits - 1; bit >= 0; bit--) {
        pending = pending << 1 | value >>> bit & 1
        if (++count === 8) {
          bytes.push(pending)
          pending = count = 0
        }
      }
      return writer
    },
    bytes: (): Buffer => {
      if (count > 0) bytes.push(pending << 8 - count)
      return Buffer.from(bytes)
    }
  }
  return writer
}

/** The CRC-32 of Ethernet, highest bit first. */
const crcOf = (bytes: Uint8Array): number => {
  let crc = 0xffffffff
  for (const byte of bytes) crc = crc << 8 ^ crcTable[crc >>> 24 ^ byte]!
  return ~crc >>> 0
}

const crcTable = Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? crc << 1 ^ 0x04c11db7 : crc << 1
  return crc
})
