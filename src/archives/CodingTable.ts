/** The Huffman codes of bzip2: canonical, up to 20 bits long. */
import { ArchiveDamaged, type BitReader } from "./BitReader.ts"

export const longestCode = 20
/** Codes up to this length, which nearly all are, are found by their bits. */
export const lookupBits = 10

export interface CodingTable {
  /** By the next ten bits: the code's length in the upper 7 bits, its symbol in the lower 9; 0 where it is longer. */
  readonly lookup: Uint16Array
  /** Of each symbol's code, in bits. */
  readonly lengths: Uint8Array
  /** The symbol of a longer code, in the `count` lowest bits of `pending`. */
  readonly longSymbol: (pending: number, count: number) => number
}

/** Each length differs from the one before by a few steps. */
export const codingTable = (bits: BitReader, size: number): CodingTable => {
  const lengths = new Uint8Array(size)
  let length = bits.take(5)
  for (let symbol = 0; symbol < size; symbol++) {
    while (bits.take(1) === 1) length += bits.take(1) === 0 ? 1 : -1
    if (length < 1 || length > longestCode) throw new ArchiveDamaged("a coding table of it is impossible")
    lengths[symbol] = length
  }
  return tableOf(lengths)
}

const tableOf = (lengths: Uint8Array): CodingTable => {
  const lookup = new Uint16Array(1 << lookupBits)
  /** In the order of their codes, and where each length begins in it. */
  const symbols: Array<number> = []
  const firstCode = new Int32Array(longestCode + 1)
  const firstIndex = new Int32Array(longestCode + 1)
  let code = 0
  for (let length = 1; length <= longestCode; length++) {
    firstCode[length] = code
    firstIndex[length] = symbols.length
    for (let symbol = lengths.indexOf(length); symbol !== -1; symbol = lengths.indexOf(length, symbol + 1)) {
      symbols.push(symbol)
      if (length <= lookupBits) {
        const first = code << lookupBits - length
        lookup.fill(length << 9 | symbol, first, first + (1 << lookupBits - length))
      }
      code++
    }
    if (code > 1 << length) throw new ArchiveDamaged("a coding table of it is impossible")
    code <<= 1
  }
  const longSymbol = (pending: number, count: number): number => {
    for (let length = lookupBits + 1; length <= longestCode; length++) {
      const index = (pending >>> count - length & (1 << length) - 1) - firstCode[length]!
      const end = length === longestCode ? symbols.length : firstIndex[length + 1]!
      if (index < end - firstIndex[length]!) return symbols[firstIndex[length]! + index]!
    }
    throw new ArchiveDamaged("a code of it means nothing")
  }
  return { lookup, lengths, longSymbol }
}
