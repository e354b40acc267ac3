import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  parseLimit,
  readErrorReset,
  readErrorsLeft,
  readFreshness,
  readTokens,
  tokensFor
} from "../../src/esi/EsiHeaders.ts"

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const
const positive = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10_000_000 }))

describe("the limit header", () => {
  it("is tokens over a window", () => {
    assert.deepStrictEqual(parseLimit("3600/15m"), { limit: 3600, windowMillis: 900_000 })
    assert.deepStrictEqual(parseLimit("3600000/900ms"), { limit: 3_600_000, windowMillis: 900 })
  })

  it.prop("is read in every unit", {
    limit: positive,
    count: positive,
    unit: Schema.Literals(["ms", "s", "m", "h"])
  }, ({ limit, count, unit }) => {
    const windowMillis = count * units[unit]
    // Beyond any window that means something, it is taken for a mistake.
    const expected = windowMillis > 1e10 || limit > 1e9 ? undefined : { limit, windowMillis }
    assert.deepStrictEqual(parseLimit(`${limit}/${count}${unit}`), expected)
  })

  it.prop("is a usable budget or nothing, whatever the text", { text: Schema.String }, ({ text }) => {
    const budget = parseLimit(text)
    assert.isTrue(budget === undefined || (budget.limit > 0 && budget.windowMillis > 0))
  })

  it("is nothing when it is not understood", () => {
    for (const text of ["", "3600", "3600/15", "3600/15d", "0/15m", "3600/0m", "-1/15m", "x/15m", "3600/15m,5/1s"]) {
      assert.isUndefined(parseLimit(text), text)
    }
  })
})

describe("the headers of an answer", () => {
  it("name the bucket, what is left and what this request cost", () => {
    const headers = {
      "x-ratelimit-group": "killmail",
      "x-ratelimit-limit": "3600/15m",
      "x-ratelimit-remaining": "3598",
      "x-ratelimit-used": "2"
    }
    assert.deepStrictEqual(readTokens(headers), {
      group: "killmail",
      told: { limit: 3600, windowMillis: 900_000, remaining: 3598 },
      used: 2
    })
    assert.isUndefined(readTokens({}))
    assert.isUndefined(readTokens({ ...headers, "x-ratelimit-remaining": "many" })?.told)
  })

  it("tell the older error limit", () => {
    assert.strictEqual(readErrorsLeft({ "x-esi-error-limit-remain": "19" }), 19)
    assert.strictEqual(readErrorReset({ "x-esi-error-limit-reset": "42" }), 42_000)
    assert.isUndefined(readErrorReset({ "x-esi-error-limit-reset": "soon" }))
  })

  it("tell how long an answer is fresh: max-age less Age, else Expires", () => {
    const expires = { expires: "Sat, 21 Nov 2026 11:00:30 GMT", date: "Sat, 21 Nov 2026 11:00:00 GMT" }
    assert.strictEqual(readFreshness({ "cache-control": "public, max-age=30", age: "12" }, 0), 18_000)
    assert.strictEqual(readFreshness({ "cache-control": "public", ...expires }, 0), 30_000)
    assert.isUndefined(readFreshness({ "cache-control": "public" }, 0))
  })

  it("leave the price to the status where they name none", () => {
    assert.deepStrictEqual([200, 304, 404, 422, 429, 503].map(tokensFor), [2, 1, 5, 5, 0, 0])
  })
})
