import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { parse, printSchema, validate } from "graphql"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect } from "vitest"
import { refuseTooMuch } from "../../../src/api/graphql/Limits.ts"
import { schema } from "../../../src/api/graphql/Schema.ts"
import { Killmail } from "../../../src/domain/Killmail.ts"
import { EntityStore } from "../../../src/store/EntityStore.ts"
import { stoppableDaemon } from "../../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../../support/TestDaemon.ts"

const root = join(import.meta.dirname, "../../..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

/** Each question, and the answer that follows it, if there is one. */
const examples = [...read("docs/graphql.md").matchAll(/```graphql\n([^]*?)```(?:\n\n```json\n([^]*?)```)?/g)].map((
  [, question, answer]
) => ({ question: question!, answer }))

const { names, ...example } = JSON.parse(read("docs/examples/killmail.json")) as {
  readonly names: Readonly<Record<string, string>>
}
const nameOf = (id: number | undefined) => ({ id: id!, name: names[id!]! })

/** A daemon that has the killmail of the examples, and knows everybody's name. */
const daemon = Effect.gen(function*() {
  const sandbox = yield* manualSandbox()
  const { url: databaseUrl } = yield* migratedDatabase
  const { context, store, url } = yield* stoppableDaemon(databaseUrl, sandbox, {
    KILLMAILD_FEEDS: "",
    KILLMAILD_SCHEDULE_SPEED: "100"
  })
  const killmail = yield* Schema.decodeUnknownEffect(Killmail)(example)
  yield* store([killmail])
  const sql = Context.get(context, SqlClient.SqlClient)
  const entities = Context.get(context, EntityStore)
  yield* entities.notePublications(10)
  const { attackers: [attacker], solar_system_id, victim } = killmail
  yield* entities.keepNames([nameOf(victim.character_id), nameOf(attacker!.character_id)])
  yield* entities.keepCorporations([{ ...nameOf(victim.corporation_id), ticker: "GSB", isClosed: false }])
  yield* entities.keepAlliances([{ ...nameOf(attacker!.alliance_id), ticker: "TORI", isClosed: false }])
  for (const { id, name } of [victim.ship_type_id, attacker!.weapon_type_id].map(nameOf)) {
    yield* sql`insert into types (type_id, name, group_id, published) values (${id}, ${name}, 1, true)`
  }
  yield* sql`insert into solar_systems values (${solar_system_id}, ${nameOf(solar_system_id).name}, 1, 1, 0.3)`
  return { context, url }
})

describe("docs/graphql.md", () => {
  it("shows queries that may be asked", () => {
    assert.isAbove(examples.length, 4)
    for (const { question } of examples) {
      const document = parse(question)
      assert.deepStrictEqual(validate(schema, document), [], question)
      refuseTooMuch({ schema, document })
    }
  })

  it.live("shows what the daemon answers", () =>
    Effect.gen(function*() {
      const { context, url } = yield* daemon
      yield* eventually(
        (sql) => sql`select from statistics where kind = 'character' and period = 'all' and kills = 1`,
        (rows) => rows.length === 1
      ).pipe(Effect.provide(context))
      for (const { answer, question } of examples) {
        if (answer === undefined) continue
        const response = yield* Effect.promise(async () => {
          const body = JSON.stringify({ query: question })
          const headers = { "content-type": "application/json" }
          return (await fetch(`${url}/graphql`, { method: "POST", body, headers })).json()
        })
        assert.deepStrictEqual(response, { data: JSON.parse(answer) }, question)
      }
    }))
})

describe("docs/schema.graphql", () => {
  it("is the schema (vitest writes it with -u after the file's name)", async () => {
    await expect(printSchema(schema) + "\n").toMatchFileSnapshot(join(root, "docs/schema.graphql"))
  })
})
