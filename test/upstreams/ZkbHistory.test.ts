import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { bodiesIn } from "../../src/upstreams/ZkbHistory.ts"

const read = (text: string) =>
  [...bodiesIn(Buffer.from(text))].map(({ killmail_id, text }) => [killmail_id, JSON.parse(text)])

describe("a day's bodies", () => {
  it.prop("are each read as JSON would read them, whatever is in them", [
    Schema.Record(Schema.String, Schema.Struct({ text: Schema.String, nested: Schema.Array(Schema.Json) })),
    Schema.Literals([0, 2])
  ], ([bodies, indent]) => {
    const numbered = Object.values(bodies).map((body, index) => [index + 1, body] as const)
    const text = JSON.stringify(Object.fromEntries(numbered), undefined, indent)
    assert.deepStrictEqual(read(text), JSON.parse(JSON.stringify(numbered)))
  })

  it("end where the file is cut off", () => {
    assert.deepStrictEqual(read(`{"1":{"a":"}"},"2":{"b":"\\"`), [[1, { a: "}" }]])
    assert.deepStrictEqual(read(""), [])
    assert.deepStrictEqual(read("[]"), [])
  })
})
