import { assert, describe, it } from "@effect/vitest"
import { compare, type ComparedField, comparedFields, type Said, saidBy } from "../../src/domain/Agreement.ts"
import { judge } from "../../src/domain/Judgement.ts"
import { corpusFacts, hasCorpus, linesOf, type RecordedMail } from "../support/Corpus.ts"

const said: Said = {
  npc: false,
  solo: true,
  awox: false,
  points: 7,
  total_value: 100,
  unpriced_items: 0,
  labels: ["tz:eu", "cat:6", "solo", "pvp"]
}

const zkb = {
  npc: false,
  solo: true,
  awox: false,
  points: 7,
  totalValue: 100.99,
  labels: ["cat:6", "pvp", "solo", "tz:eu"],
  hash: "not compared"
}

const verdicts = (ours: Said, theirs: unknown) =>
  Object.fromEntries(compare(ours, theirs).map(({ field, verdict }) => [field, verdict]))

const only = (field: ComparedField, theirs: unknown, ours: Said = said) =>
  compare(ours, theirs).filter((comparison) => comparison.field === field)

describe("zKillboard's words and ours", () => {
  it("agree in each field, in whatever order it has its labels, and totals within 1 %", () => {
    const agreed = comparedFields.map((field) => [field, "agree"])
    assert.deepStrictEqual(Object.entries(verdicts(said, zkb)), agreed)
    assert.strictEqual(only("total_value", { totalValue: 101.02 })[0]!.verdict, "differ")
    assert.strictEqual(only("total_value", { totalValue: 99.02 })[0]!.verdict, "agree")
    assert.strictEqual(only("total_value", { totalValue: 0 }, { ...said, total_value: 0 })[0]!.verdict, "agree")
  })

  it("are told where they differ", () => {
    assert.deepStrictEqual(
      compare(said, { ...zkb, solo: false, points: 8 }).filter(({ verdict }) => verdict !== "agree"),
      [
        { field: "solo", ours: true, theirs: false, verdict: "differ" },
        { field: "points", ours: 7, theirs: 8, verdict: "differ" }
      ]
    )
    const [labels] = only("labels", { labels: ["tz:us", "cat:6", "capital"] })
    assert.deepStrictEqual(labels, {
      field: "labels",
      ours: ["cat:6", "pvp", "solo", "tz:eu"],
      theirs: ["capital", "cat:6", "tz:us"],
      verdict: "differ"
    })
  })

  it("do not count as different where a price is missing", () => {
    const poor = { ...said, unpriced_items: 1 }
    assert.strictEqual(only("total_value", { totalValue: 1000 }, poor)[0]!.verdict, "unpriced")
    assert.strictEqual(only("total_value", { totalValue: 100 }, poor)[0]!.verdict, "agree")
  })

  it("leave out the labels that need other mails", () => {
    assert.strictEqual(only("labels", { labels: [...zkb.labels, "ganked"] })[0]!.verdict, "agree")
    assert.strictEqual(only("labels", { labels: ["cat:6", "solo", "tz:eu", "padding"] })[0]!.verdict, "agree")
  })

  it("are compared as far as they can be read", () => {
    assert.deepStrictEqual(verdicts(said, { labels: { 0: "cat:6", 2: "pvp", 3: "solo", 7: "tz:eu" } }), {
      labels: "agree"
    })
    assert.deepStrictEqual(only("labels", { labels: ["10+", "nullsec", "pvp"] }), [])
    for (const odd of [null, undefined, "?", [], {}, { npc: null, points: "7", totalValue: [], labels: "pvp" }]) {
      assert.deepStrictEqual(verdicts(said, odd), {}, JSON.stringify(odd))
    }
  })
})

const nothing = () => ({ price: 0n, unpriced: [], rule: "market", day: null, source: null } as const)

describe.runIf(hasCorpus)("zKillboard's recorded words and ours", () => {
  it("agree on the flags of every mail", () => {
    const facts = corpusFacts()
    const recorded = linesOf<RecordedMail>("killmails-zkb.jsonl.gz")
    for (const { killmail, zkb } of recorded) {
      const ours = saidBy({ ...judge(killmail, nothing, facts), locationId: null, isProvisional: false })!
      const flags = compare(ours, zkb).filter(({ field }) => ["npc", "solo", "awox"].includes(field))
      assert.deepStrictEqual(
        flags.map(({ verdict }) => verdict),
        ["agree", "agree", "agree"],
        `${killmail.killmail_id}`
      )
    }
    assert.isAbove(recorded.length, 200)
  })
})
