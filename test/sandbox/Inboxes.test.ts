import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { manualSandbox } from "../support/TestDaemon.ts"

const post = (url: string, body: unknown) =>
  Effect.promise(async () => {
    const response = await fetch(url, {
      method: "POST",
      headers: { "user-agent": "a test" },
      body: JSON.stringify(body)
    })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })
const embed = { title: "Somebody lost a Rifter" }
const fields = (count: number) => Array.from({ length: count }, () => ({ name: "n", value: "v" }))
const message = (embeds: ReadonlyArray<object>) => ({ embeds, allowed_mentions: { parse: [] } })

describe("the sandbox's Discord", () => {
  it.live("takes five messages in two seconds, tells how many are left, and then how long to wait", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox({ speed: 1 })
      const url = sandbox.inboxes.make("discord")
      for (const left of [4, 3, 2, 1, 0]) {
        const { headers, status } = yield* post(url, message([embed]))
        assert.strictEqual(status, 204)
        assert.strictEqual(headers.get("x-ratelimit-remaining"), String(left))
        assert.isAtMost(Number(headers.get("x-ratelimit-reset-after")), 2)
      }
      const refused = yield* post(url, message([embed]))
      assert.strictEqual(refused.status, 429)
      assert.isAtMost(JSON.parse(refused.text).retry_after, 2)
      assert.deepStrictEqual(sandbox.violations().map(({ rule }) => rule), ["budget"])
      assert.lengthOf(sandbox.inboxes.received(url), 5)
      assert.strictEqual((yield* post(`${sandbox.inboxes.make("discord")}?wait=true`, message([embed]))).status, 200)
    }))

  it.live("refuses what breaks its limits, and knows no webhook that is gone", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox({ speed: 1000 })
      const url = sandbox.inboxes.make("discord")
      const wrongs = [
        {},
        { content: "no word about mentions" },
        message([{ title: "x".repeat(257) }]),
        message([{ description: "x".repeat(4097) }]),
        message([{ fields: fields(26) }]),
        message([{ fields: [{ name: " ", value: "v" }] }]),
        message(Array.from({ length: 11 }, () => embed)),
        message(Array.from({ length: 2 }, () => ({ description: "x".repeat(3001) }))),
        message([{ ...embed, thumbnail: { url: "ftp://example.org" } }])
      ]
      for (const wrong of wrongs) {
        assert.strictEqual((yield* post(url, wrong)).status, 400, JSON.stringify(wrong).slice(0, 80))
      }
      assert.strictEqual(
        sandbox.violations().filter(({ rule }) => rule === "protocol").length,
        wrongs.length
      )
      sandbox.inboxes.remove(url)
      const gone = yield* post(url, message([embed]))
      assert.deepStrictEqual([gone.status, JSON.parse(gone.text).code], [404, 10_015])
    }))
})
