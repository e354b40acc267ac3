import { assert, describe, it } from "@effect/vitest"
import type { WebhookFormat } from "../../src/store/Webhooks.ts"
import { pauseAfter, verdictOf } from "../../src/webhooks/Verdict.ts"

const answer = (status: number, text = "", headers: Readonly<Record<string, string>> = {}) => ({
  status,
  text,
  headers
})

const tagOf = (format: WebhookFormat, status: number) => verdictOf(format, answer(status))._tag
const millisOf = (text: string, headers: Readonly<Record<string, string>> = {}) => {
  const verdict = verdictOf("discord", answer(429, text, headers))
  return verdict._tag === "Wait" ? [verdict.millis, verdict.scope] : []
}

describe("an answer", () => {
  it("says whether to send again, to wait, or to stop, by its status and format", () => {
    const expected = {
      discord: {
        200: "Delivered",
        204: "Delivered",
        301: "Refused",
        400: "Refused",
        401: "Gone",
        403: "Failed",
        404: "Gone"
      },
      slack: { 200: "Delivered", 400: "Refused", 401: "Failed", 403: "Gone", 404: "Gone", 410: "Gone", 500: "Failed" },
      json: {
        202: "Delivered",
        307: "Refused",
        401: "Failed",
        403: "Failed",
        404: "Gone",
        408: "Failed",
        410: "Gone",
        503: "Failed"
      }
    } as const
    for (const format of ["discord", "slack", "json"] as const) {
      for (const [status, tag] of Object.entries(expected[format])) {
        assert.strictEqual(tagOf(format, Number(status)), tag, `${format} ${status}`)
      }
    }
  })

  it("says how long to wait in its body, or in its header, and no longer than an hour", () => {
    assert.deepStrictEqual(millisOf("{\"retry_after\":0.527,\"global\":false}"), [527, "webhook"])
    assert.deepStrictEqual(millisOf("{\"retry_after\":2,\"global\":true}"), [2000, "host"])
    assert.deepStrictEqual(millisOf("", { "retry-after": "3", "x-ratelimit-scope": "global" }), [3000, "host"])
    const date = "Sat, 21 Nov 2026 18:00:00 GMT"
    assert.deepStrictEqual(millisOf("", { "retry-after": "Sat, 21 Nov 2026 18:00:07 GMT", date }), [7000, "webhook"])
    for (const nonsense of ["", "null", "[]", "{\"retry_after\":\"soon\"}", "<html>"]) {
      assert.deepStrictEqual(millisOf(nonsense, { "retry-after": "later" }), [5000, "webhook"], nonsense)
    }
    assert.deepStrictEqual(millisOf("{\"retry_after\":1e9}"), [3_600_000, "webhook"])
  })

  it("says beforehand when there is no more", () => {
    const headers = { "x-ratelimit-remaining": "0", "x-ratelimit-reset-after": "1.25" }
    assert.strictEqual(pauseAfter(answer(204, "", headers)), 1250)
    assert.strictEqual(pauseAfter(answer(204, "", { ...headers, "x-ratelimit-remaining": "1" })), 0)
    assert.strictEqual(pauseAfter(answer(204, "", { "x-ratelimit-remaining": "0" })), 0)
  })
})
