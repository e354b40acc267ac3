import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { Client } from "pg"
import { TestDatabase } from "../support/TestDatabase.ts"

const query = (url: string, text: string) =>
  Effect.promise(async () => {
    const client = new Client(url)
    await client.connect()
    return client.query(text).finally(() => client.end())
  })

it.layer(TestDatabase.layer)("a test database", (it) => {
  it.effect("is reached by sql-pg and by node-pg through the same URL", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const { url } = yield* TestDatabase
      yield* sql`create table seen (word text)`
      yield* sql`insert into seen values ('hello')`
      const { rows } = yield* query(url, "select word from seen")
      assert.deepStrictEqual(rows, [{ word: "hello" }])
    }))
})

it.effect("a template is prepared once for all who ask, and each gets a copy of its own", () =>
  Effect.gen(function*() {
    let prepared = 0
    const make = TestDatabase.template("counted", (url) =>
      Effect.sync(() => prepared++).pipe(Effect.andThen(query(url, "create table t as select 1 as n"))))
    const copies = yield* Effect.all([make, make, make], { concurrency: "unbounded" })
    yield* query(copies[0].url, "insert into t values (2)")
    const counts = yield* Effect.forEach(copies, ({ url }) =>
      query(url, "select count(*)::int as n from t"))
    assert.deepStrictEqual(counts.map(({ rows }) => rows[0].n), [2, 1, 1])
    assert.strictEqual(prepared, 1)
  }))

it.effect("a test database is dropped under a client that is still connected", () =>
  Effect.gen(function*() {
    const client = yield* Effect.scoped(Effect.gen(function*() {
      const { url } = yield* TestDatabase.make
      const client = new Client(url)
      client.on("error", () => {})
      yield* Effect.promise(() => client.connect())
      return client
    }))
    const answer = yield* Effect.promise(() => client.query("select 1").then(() => "answered", () => "refused"))
    assert.strictEqual(answer, "refused")
  }))
