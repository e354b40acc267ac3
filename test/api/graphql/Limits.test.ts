import { assert, describe, it } from "@effect/vitest"
import { GraphQLError, parse } from "graphql"
import { mostTokens, refuseNested, refuseTooMuch } from "../../../src/api/graphql/Limits.ts"
import { schema } from "../../../src/api/graphql/Schema.ts"

const refusalOf = (query: string, variables: Record<string, unknown> = {}): string | undefined => {
  try {
    refuseNested(query)
    refuseTooMuch({ schema, document: parse(query, { maxTokens: mostTokens }), variables })
    return undefined
  } catch (error) {
    assert.instanceOf(error, GraphQLError)
    return error.message
  }
}

const nested = (levels: number): string => levels === 0 ? "itemTypeId" : `items { ${nested(levels - 1)} }`
const many = (count: number, field: (k: number) => string) =>
  Array.from({ length: count }, (_, k) => field(k)).join(" ")
const attackers = "attackers { character { name } corporation { name ticker } damageDone shipType { name } }"

describe("an operation of GraphQL", () => {
  it("may ask for what a killboard shows", () => {
    for (
      const query of [
        `{ killmails { nextCursor data { killmailId ${attackers} victim { items { itemType { name } } } } } }`,
        "{ killmails(limit: 1000) { data { killmailId killmailTime value { total } victim { characterId shipTypeId } } } }",
        "{ character(id: 1) { name stats { all { kills } months { month kills losses } days { day kills losses } } } }",
        `{ character(id: 1) { killmails(limit: 100) { data { ${attackers} } } } }`,
        `{ ${many(10, (k) => `k${k}: killmail(id: ${k + 1}) { hash ${attackers} }`)} }`,
        "subscription { killmail { killmailId victim { character { name alliance { ticker } } } } }",
        "{ __schema { types { name fields { name type { name ofType { name } } } } } }"
      ]
    ) assert.isUndefined(refusalOf(query), query)
  })

  it("may not go deep, nor ask for the same under many names", () => {
    assert.match(refusalOf(`{ killmail(id: 1) { victim { ${nested(40)} } } }`) ?? "", /deeper than 12 levels/)
    // The parser's stack would be as deep.
    assert.match(refusalOf("{ killmails { data ".repeat(900)) ?? "", /deeper than 12 levels/)
    assert.match(refusalOf(`{ killmail(id: ${"[".repeat(3000)}) { hash } }`) ?? "", /deeper than 12 levels/)
    const chain = "corporation { alliance { stats { all { kills } } } }"
    assert.isUndefined(refusalOf(`{ character(id: 1) { ${chain} } }`))
    const aliases = `{ ${many(21, (k) => `k${k}: killmail(id: 1) { hash }`)} }`
    assert.match(refusalOf(aliases) ?? "", /more than 20 aliases/)
    const inFragment = `{ killmail(id: 1) { ...names } } fragment names on Killmail { ${
      many(21, (k) => `a${k}: hash`)
    } }`
    assert.match(refusalOf(inFragment) ?? "", /more than 20 aliases/)
  })

  it("may not ask for too much, whether it says so itself or by variables", () => {
    const some = `{ data { ${attackers} } }`
    const costly = /more than about 50000 fields/
    assert.match(refusalOf(`{ killmails(limit: 1000) ${some} }`) ?? "", costly)
    const limited = `query ($limit: Int!) { killmails(limit: $limit) { data { ${attackers} } } }`
    assert.isUndefined(refusalOf(limited, { limit: 50 }))
    assert.match(refusalOf(limited, { limit: 1000 }) ?? "", costly)
    const byDefault = `query ($limit: Int! = 1000) { killmails(limit: $limit) { data { ${attackers} } } }`
    assert.match(refusalOf(byDefault) ?? "", costly)
    assert.isUndefined(refusalOf(`{ killmails(limit: 400) ${some} }`))
    const twice = `a: killmails(limit: 400) ${some} b: killmails(limit: 400) ${some}`
    assert.match(refusalOf(`{ ${twice} }`) ?? "", costly)
    assert.match(refusalOf(`{ less: killmails(limit: -9999) ${some} ${twice} }`) ?? "", costly)
    const statistics = "{ killmails(limit: 200) { data { victim { character { stats { all { kills } } } } } } }"
    assert.match(refusalOf(statistics) ?? "", costly)
    const page = "{ character(id: 1) { killmails { data { victim { character { killmails { data { hash } } } } } } } }"
    assert.match(refusalOf(page) ?? "", /^killmails: stands within a list of killmails/)
  })

  it("is refused at once, however many fields its fragments stand for", () => {
    const bomb = `{ killmail(id: 1) { ...f0 } } ${
      many(30, (k) => `fragment f${k} on Killmail { ...f${k + 1} ...f${k + 1} ...f${k + 1} }`)
    } fragment f30 on Killmail { hash }`
    const started = performance.now()
    assert.match(refusalOf(bomb) ?? "", /more than about 50000 fields/)
    assert.isBelow(performance.now() - started, 1000)
    assert.match(refusalOf(`{ ${many(mostTokens, () => "__typename")} }`) ?? "", /4000 tokens/)
  })
})
