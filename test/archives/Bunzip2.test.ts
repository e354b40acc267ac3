import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import Bunzip from "seek-bzip"
import { ArchiveDamaged, type Read } from "../../src/archives/BitReader.ts"
import { bunzip2 } from "../../src/archives/Bunzip2.ts"
import { bzip2 } from "../../src/sandbox/Bzip2.ts"
import { hasCorpus } from "../support/Corpus.ts"

/** Hands out at most so many bytes at a time. */
const reading = (bytes: Uint8Array, atOnce = Infinity): Read => {
  let at = 0
  return (buffer) => {
    const part = bytes.subarray(at, at + Math.min(buffer.length, atOnce))
    buffer.set(part)
    at += part.length
    return part.length
  }
}

const unpack = (bytes: Uint8Array, atOnce?: number): Buffer => Buffer.concat([...bunzip2(reading(bytes, atOnce))])

/** Runs, rare bytes and frequent ones, by a generator of Park and Miller. */
const sample = (size: number): Buffer => {
  const bytes = Buffer.alloc(size)
  for (let at = 0, state = 1; at < size;) {
    state = state * 16_807 % 2_147_483_647
    const run = Math.min(size - at, state % 100 === 0 ? state % 400 : 1)
    bytes.fill(state % 50 === 0 ? state >> 8 & 255 : state >> 8 & 15, at, at += run)
  }
  return bytes
}

describe("bunzip2", () => {
  it("gives back what was packed, however it comes in", () => {
    for (const size of [0, 1, 5, 255, 70_000, 250_000]) {
      const packed = bzip2(sample(size))
      assert.isTrue(unpack(packed).equals(sample(size)), `${size} bytes`)
      assert.isTrue(unpack(packed, 1000).equals(sample(size)), `${size} bytes, a thousand at a time`)
    }
  })

  it("takes runs that grow to megabytes, in pieces", () => {
    const zeros = Buffer.alloc(1_500_000)
    const pieces = [...bunzip2(reading(bzip2(zeros)))]
    assert.isTrue(Buffer.concat(pieces).equals(zeros))
    assert.isAtMost(Math.max(...pieces.map(({ length }) => length)), 1 << 20)
  })

  it("takes several files in a row for one", () => {
    const both = Buffer.concat([bzip2(sample(1000)), bzip2(sample(70_000))])
    assert.isTrue(unpack(both).equals(Buffer.concat([sample(1000), sample(70_000)])))
  })

  it("says of every file that was cut off that it is damaged", () => {
    const packed = bzip2(sample(20_000))
    for (let length = 0; length < packed.length; length += 1 + (length >> 3)) {
      assert.throws(() => unpack(packed.subarray(0, length)), ArchiveDamaged, undefined, `cut at ${length}`)
    }
  })

  it("passes no byte that was changed for right", () => {
    const text = sample(2000)
    const packed = bzip2(text)
    for (let at = 0; at < packed.length; at += 7) {
      const changed = Buffer.from(packed)
      changed[at]! ^= 1 << at % 8
      try {
        assert.isTrue(unpack(changed).equals(text), `byte ${at}`)
      } catch (error) {
        assert.instanceOf(error, ArchiveDamaged)
      }
    }
  })

  it("refuses what is no bzip2", () => {
    assert.throws(() => unpack(Buffer.from("<html></html>")), "does not begin as bzip2 does")
  })

  it.skipIf(!hasCorpus)("unpacks EVE Ref's archives as another decoder does", () => {
    const packed = readFileSync("../shared/corpus/archives/killmails-2021-12-03.tar.bz2")
    assert.isTrue(unpack(packed).equals(Buffer.from(Bunzip.decode(packed, undefined, true))))
  })
})
