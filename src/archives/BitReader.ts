/** Reads a file of bits, highest first, of which so many bytes as are asked for are always at hand. */

/** What is being read is not what it should be, or ends too early; the message completes "…: ". */
export class ArchiveDamaged extends Error {}

/** Copies what comes next to the beginning of the buffer; returns how many bytes, 0 at the end. */
export type Read = (buffer: Uint8Array) => number

/** Of what is in memory. */
export const readFrom = (bytes: Uint8Array): Read => {
  let at = 0
  return (buffer) => {
    const part = bytes.subarray(at, at += buffer.length)
    buffer.set(part)
    return part.length
  }
}

export interface BitReader {
  /** Bytes from `at` on come after the `count` lowest bits of `pending`. Past the end they are zeros. */
  readonly buffer: Uint8Array
  at: number
  pending: number
  count: number
  /** Brings the next `ahead` bytes to hand; false at the end of the file. */
  readonly refill: () => boolean
  /** The next bits, at most 24, as a number. */
  readonly take: (bits: number) => number
  /** Leaves out what is left of the byte. */
  readonly align: () => void
  /** Fails when more was taken than there was. */
  readonly check: () => void
}

export const makeBitReader = (read: Read, ahead: number): BitReader => {
  const buffer = new Uint8Array(2 * ahead)
  let end = 0
  let ended = false
  const reader: BitReader = {
    buffer,
    at: 0,
    pending: 0,
    count: 0,
    refill: () => {
      if (!ended && end - reader.at < ahead) {
        buffer.copyWithin(0, reader.at, end)
        end -= reader.at
        reader.at = 0
        while (!ended && end < buffer.length) {
          const more = read(buffer.subarray(end))
          ended = more === 0
          end += more
        }
        buffer.fill(0, end)
      }
      return reader.at < end || reader.count > 7
    },
    take: (bits) => {
      while (reader.count < bits) {
        reader.pending = reader.pending << 8 | buffer[reader.at++]!
        reader.count += 8
      }
      reader.count -= bits
      return reader.pending >>> reader.count & (1 << bits) - 1
    },
    align: () => {
      reader.count -= reader.count % 8
    },
    check: () => {
      if (reader.at - (reader.count >> 3) > end) throw new ArchiveDamaged("it ends too early")
    }
  }
  return reader
}
