import { assert, describe, it } from "@effect/vitest"
import { retryAfterMillis } from "../src/RetryAfter.ts"

const date = "Sat, 21 Nov 2026 11:00:00 GMT"
const read = (text: string, more: { readonly date?: string } = {}) =>
  retryAfterMillis({ "retry-after": text, ...more }, Date.parse("Sat, 21 Nov 2026 11:00:05 GMT"))

describe("Retry-After", () => {
  it("tells how long to wait in seconds, or by a date that the server's clock explains", () => {
    assert.strictEqual(read("7"), 7000)
    assert.strictEqual(read(" 0.25 "), 250)
    assert.strictEqual(read("Sat, 21 Nov 2026 11:00:09 GMT", { date }), 9000)
    assert.strictEqual(read("Sat, 21 Nov 2026 11:00:09 GMT"), 4000)
    assert.strictEqual(read("Sat, 21 Nov 2026 10:00:00 GMT", { date }), 0)
  })

  it("says nothing where it is neither", () => {
    for (const text of ["", "later", "-5", "1e9", "1.2.3", "in 5", "NaN"]) assert.isUndefined(read(text), text)
    assert.isUndefined(retryAfterMillis({}))
  })

  it("is believed for a day at most", () => {
    assert.strictEqual(read("99999999999"), 86_400_000)
    assert.strictEqual(read("Sat, 21 Nov 2099 11:00:00 GMT", { date }), 86_400_000)
  })
})
