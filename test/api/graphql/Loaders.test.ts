import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Statement } from "effect/sql"
import type { Backend } from "../../../src/api/graphql/Answering.ts"
import { queryHandler } from "../../../src/api/graphql/HttpQueries.ts"
import { LiveKillmails } from "../../../src/broadcast/LiveKillmails.ts"
import { JobPools } from "../../../src/jobs/JobPools.ts"
import { JobQueue } from "../../../src/jobs/JobQueue.ts"
import { EntityReader } from "../../../src/store/EntityReader.ts"
import { EntityStore } from "../../../src/store/EntityStore.ts"
import { KillmailReader } from "../../../src/store/KillmailReader.ts"
import { KillmailSearch } from "../../../src/store/KillmailSearch.ts"
import { KillmailStore } from "../../../src/store/KillmailStore.ts"
import { Names } from "../../../src/store/Names.ts"
import { StatisticsReader } from "../../../src/store/StatisticsReader.ts"
import { mailOf, newKillmail } from "../../support/Mails.ts"
import { withStores } from "../../support/Stores.ts"

const more = Layer.mergeAll(StatisticsReader.layer, JobPools.layer, LiveKillmails.layer)

/** Asks as over HTTP, on these stores; tells the statements that the answer took. */
const counting = Effect.gen(function*() {
  const built = yield* Layer.build(more)
  const stores = {
    entities: yield* EntityReader,
    killmails: yield* KillmailReader,
    live: Context.get(built, LiveKillmails),
    names: yield* Names,
    pools: Context.get(built, JobPools),
    queue: yield* JobQueue,
    search: yield* KillmailSearch,
    statistics: Context.get(built, StatisticsReader)
  }
  const context = yield* Effect.context<never>()
  const statements: Array<string> = []
  const transformer: Statement.Transformer = (statement) => {
    statements.push(statement.compile()[0])
    return Effect.succeed(statement)
  }
  const run: Backend["run"] = (effect, options) =>
    Effect.runPromiseWith(context)(Effect.provideService(effect, Statement.CurrentTransformer, transformer), options)
  const handle = queryHandler({ stores, report: Effect.runForkWith(context) })
  return (query: string) =>
    Effect.promise(async (signal) => {
      statements.length = 0
      const [text] = await handle({
        method: "POST",
        url: "/graphql",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query }),
        raw: null,
        context: { isOperator: false, run, signal }
      })
      const { data, errors } = JSON.parse(text!) as { readonly data: unknown; readonly errors?: unknown }
      assert.isUndefined(errors)
      return { data, statements: [...statements] }
    })
})

const pageOf = (limit: number) =>
  `{ killmails(limit: ${limit}) { data {
    solarSystem { name }
    victim {
      shipType { name }
      character { name group { alts } stats { all { losses } } corporation { ticker alliance { ticker } } }
      items { itemType { name } }
    }
    attackers { character { name corporation { name } } alliance { name } weaponType { name } }
  } } }`

describe("an answer of GraphQL", () => {
  it.live("takes as many statements for sixty killmails as for two", () =>
    withStores(() =>
      Effect.gen(function*() {
        const store = yield* KillmailStore
        yield* store.append(Array.from({ length: 120 }, (_, k) => newKillmail(mailOf("loaders", k))))
        const entities = yield* EntityStore
        yield* entities.notePublications(1000)
        const ask = yield* counting
        const few = yield* ask(pageOf(2))
        const many = yield* ask(pageOf(60))
        assert.include(JSON.stringify(many.data), "\"losses\":0")
        assert.strictEqual(many.statements.length, few.statements.length, many.statements.join("\n"))
        // One a kind and level: nobody's number of killmails, attackers or items is in it.
        assert.isAtMost(many.statements.length, 12)
      })
    ))

  it.live("reads what is asked for by several fields once", () =>
    withStores(() =>
      Effect.gen(function*() {
        const ask = yield* counting
        const fields = Array.from({ length: 8 }, (_, k) => `a${k}: character(id: ${1 + k % 3}) { name }`)
        assert.strictEqual((yield* ask(`{ ${fields.join(" ")} }`)).statements.length, 1)
      })
    ))
})
