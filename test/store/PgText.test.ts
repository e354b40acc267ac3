import { assert, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { SqlClient } from "effect/sql"
import { pgArray } from "../../src/store/PgArray.ts"
import { pgJson, pgText } from "../../src/store/PgText.ts"
import { TestDatabase } from "../support/TestDatabase.ts"

/** Pieces of text in which quoting goes wrong, if it does. */
const pieces = [
  "\"",
  "\\",
  "\\\\",
  "'",
  ",",
  "{",
  "}",
  " ",
  "\n",
  "\t",
  "\u0001",
  "NULL",
  "null",
  "a",
  "u0000",
  "é",
  "漢",
  "🚀",
  "$1",
  "--"
] as const
const text = Schema.Array(Schema.Literals(pieces)).check(Schema.isMaxLength(8))
/** What Postgres has no place for. */
const hostile = Schema.Array(Schema.Literals([...pieces, "\0", "\ud800", "\udc00", "ud800"])).check(
  Schema.isMaxLength(8)
)

const runs = { arbitrary: { runs: 150 } }

layer(TestDatabase.layer)("an array for Postgres", (it) => {
  it.effect.prop("holds the strings that were put in, whatever is in them", [
    Schema.Array(Schema.NullOr(text)),
    Schema.String
  ], ([list, random]) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const strings = [...list.map((parts) => parts?.join("") ?? null), pgText(random).toWellFormed()]
      const [row] = yield* sql`
        select to_json(${pgArray(strings)}::text[]) as list, cardinality(${pgArray(strings)}::text[]) as length`
      assert.deepStrictEqual(row, { list: strings, length: strings.length })
    }), runs)

  it.effect.prop("holds numbers of any size, and nothing where there is none", [
    Schema.Array(Schema.UndefinedOr(Schema.NullOr(Schema.Int)))
  ], ([list]) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const [row] = yield* sql`select to_json(${pgArray(list)}::bigint[]) as list`
      // JSON has no -0.
      assert.deepStrictEqual(
        row!["list"],
        list.map((element) => element === undefined || element === null ? null : element + 0)
      )
    }), runs)

  it.effect("holds floats and truths exactly", () =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const floats = [0.1, -1e300, 5e-324, 1.7976931348623157e308, 123456789.12345679, null]
      const [row] = yield* sql`
        select to_json(${pgArray(floats)}::float8[]) as floats, to_json(${
        pgArray([true, false, null])
      }::boolean[]) as truths,
          ${pgArray([])}::text[] = '{}' as empty`
      assert.deepStrictEqual(row, { floats, truths: [true, false, null], empty: true })
    }))
})

layer(TestDatabase.layer)("JSON for Postgres", (it) => {
  it.effect.prop("is what was put in, when Postgres has a place for it", [
    Schema.Array(Schema.Struct({ key: text, value: text }))
  ], ([entries]) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const value = Object.fromEntries(entries.map(({ key, value }) => [key.join(""), value.join("")]))
      // As text, since JSON.parse of Node 24 takes an escaped key for another one that it has read in the same place.
      const kept = yield* sql<{ key: string; value: string }>`select key, value from jsonb_each_text(${
        pgJson(value)
      }::jsonb)`
      assert.deepStrictEqual(new Map(kept.map(({ key, value }) => [key, value])), new Map(Object.entries(value)))
    }), runs)

  it.effect.prop("can be looked into whatever it holds, and differs only where it must", [
    Schema.Array(Schema.Struct({ key: hostile, value: hostile }))
  ], ([entries]) =>
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const joined = entries.map(({ key, value }) => [key.join(""), value.join("")] as const)
      const [row] = yield* sql`
        select ${pgJson({ entries: joined })}::json->'entries' as kept, ${
        pgJson(Object.fromEntries(joined))
      }::jsonb as map`
      assert.deepStrictEqual(row!["kept"], joined.map((pair) => pair.map((part) => pgText(part).toWellFormed())))
    }), runs)
})
