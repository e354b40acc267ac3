import { assert, describe, it } from "@effect/vitest"
import * as TokenBuckets from "../../src/api/TokenBuckets.ts"

const minute = 60_000

describe("a token bucket", () => {
  it("is full at first, and fills up evenly", () => {
    const buckets = TokenBuckets.make(60, minute)
    const first = buckets.take("a", 0)
    assert.deepStrictEqual(first, { isTaken: true, remaining: 59, fullIn: 1, nextIn: 0 })
    for (let k = 1; k < 60; k++) assert.isTrue(buckets.take("a", 0).isTaken)
    assert.deepStrictEqual(buckets.take("a", 0), { isTaken: false, remaining: 0, fullIn: 60, nextIn: 1 })
    assert.isFalse(buckets.take("a", 999).isTaken)
    assert.isTrue(buckets.take("a", 1000).isTaken)
    assert.isFalse(buckets.take("a", 1000).isTaken)
    assert.strictEqual(buckets.take("a", 10 * minute).remaining, 59)
  })

  it("is each client's own", () => {
    const buckets = TokenBuckets.make(1, minute)
    assert.deepStrictEqual(["a", "b", "a", "b"].map((client) => buckets.take(client, 0).isTaken), [
      true,
      true,
      false,
      false
    ])
  })

  it("is forgotten when 50,000 others were used since", () => {
    const buckets = TokenBuckets.make(1, minute)
    assert.isTrue(buckets.take("a", 0).isTaken)
    for (let k = 0; k < 49_999; k++) buckets.take(String(k), 0)
    assert.isFalse(buckets.take("a", 0).isTaken)
    for (let k = 0; k < 50_000; k++) buckets.take(`other ${k}`, 0)
    assert.isTrue(buckets.take("a", 0).isTaken)
  })
})
