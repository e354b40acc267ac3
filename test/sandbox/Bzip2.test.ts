import { assert, describe, it } from "@effect/vitest"
import { randomBytes } from "node:crypto"
import Bunzip from "seek-bzip"
import { bzip2 } from "../../src/sandbox/Bzip2.ts"

describe("bzip2", () => {
  it("comes out as it went in", () => {
    const line = "5.5,2026-07-20,6,5,12,1000,2026-07-21T11:05:00Z,10000002,34\n"
    const inputs = {
      nothing: Buffer.alloc(0),
      "one byte": Buffer.from("a"),
      "runs of 3, 4, 255, 256 and 1000": Buffer.from(
        [3, 4, 255, 256, 1000].map((run, i) => "abcde"[i]!.repeat(run)).join("")
      ),
      zeros: Buffer.alloc(2000),
      noise: randomBytes(3000),
      "more than a block": Buffer.concat([Buffer.from(line.repeat(50)), Buffer.alloc(200_000), Buffer.from("the end")])
    }
    for (const [name, input] of Object.entries(inputs)) {
      assert.isTrue(Bunzip.decode(bzip2(input), undefined, true).equals(input), name)
    }
  })

  it("is smaller than text", () => {
    const text = Array.from({ length: 500 }, (_, type) => `${type * 7.5},2026-07-20,${type},10000002`).join("\n")
    assert.isBelow(bzip2(Buffer.from(text)).length, text.length / 2)
  })
})
