import { assert, describe, it } from "@effect/vitest"
import { readBody } from "../../src/history/ArchivedKillmail.ts"

describe("a member of a day", () => {
  it("that is far too long for a killmail is not read, and asked of ESI where it is listed", () => {
    const text = `[${"{},".repeat(1_400_000)}1]`
    const read = readBody("killmails/1.json", text, Date.now())
    assert.strictEqual(read.kind, "refused")
    assert.strictEqual(
      read.kind === "refused" && read.member.error,
      "member killmails/1.json has 4200003 characters, wants a killmail."
    )
    const ref = { killmail_id: 1, hash: "0".repeat(40) }
    assert.deepStrictEqual(readBody("1", text, Date.now(), ref), { kind: "bodiless", ref })
  })
})
