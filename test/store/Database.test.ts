import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer, Redacted } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { randomBytes } from "node:crypto"
import * as Database from "../../src/store/Database.ts"
import { monthsAhead } from "../../src/store/Maintenance.ts"
import { hasPublicRole } from "../../src/store/PublicRole.ts"
import { messageOf } from "../../src/telemetry/Messages.ts"
import { freePort } from "../support/FreePort.ts"
import { withStores } from "../support/Stores.ts"
import { TestDatabase } from "../support/TestDatabase.ts"

const migrateOn = (url: string) => {
  const secret = Redacted.make(url)
  return Effect.scoped(
    Effect.flatMap(Layer.build(Database.layer(secret)), (on) => Effect.provide(Database.migrate(secret), on))
  )
}

/** The SQLSTATE with which it failed. */
const stateOf = <A, R>(effect: Effect.Effect<A, SqlError.SqlError, R>) =>
  Effect.map(Effect.flip(effect), (error) => Database.sqlState(error))

describe("an error of a Postgres that is away", () => {
  it.live("passes, and is none of the server's", () =>
    Effect.gen(function*() {
      const url = Redacted.make(`postgres://nobody@127.0.0.1:${yield* freePort}/nowhere`)
      const question = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select 1`)
      const error = yield* Effect.flip(Effect.provide(question, Database.layer(url)))
      assert.deepStrictEqual([Database.sqlState(error), Database.isPassing(error)], [undefined, true])
      assert.match(messageOf(Cause.fail(error)), /^Postgres: connect ECONNREFUSED 127\.0\.0\.1:\d+$/)
    }))
})

describe("the pool for clients", () => {
  it.live("reads only, and stops a statement that takes too long", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        assert.strictEqual(yield* stateOf(sql`update epoch set since = now()`), "25006")
        assert.strictEqual(yield* stateOf(sql`select pg_sleep(60)`), "57014")
      }).pipe(Effect.provide(Database.publicLayer(Redacted.make(url))))
    ), 90_000)

  it.live("reads what is public, and nothing else that there is or will be", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const owner = yield* SqlClient.SqlClient
        yield* owner`create table user_secrets (secret text)`
        const tables = yield* owner<{ name: string }>`
          select format('%I.%I', nspname, relname) as name
          from pg_class
          join pg_namespace on pg_namespace.oid = relnamespace
          where relkind in ('r', 'p') and nspname in ('public', 'graphile_worker') and not relispartition`
        const readable: Array<string> = []
        const client = yield* Effect.provide(SqlClient.SqlClient, yield* Layer.build(publicPool(url)))
        for (const { name } of tables) {
          const state = yield* Effect.match(client`select from ${client.literal(name)} limit 1`, {
            onFailure: Database.sqlState,
            onSuccess: () => readable.push(name.replace("public.", ""))
          })
          if (typeof state !== "number") assert.strictEqual(state, "42501", name)
        }
        assert.includeMembers(readable, ["killmails", "attackers", "items", "characters", "statistics"])
        for (const secret of ["user_secrets", "dead_letters", "redisq_queues", "rate_limits", "schema_migrations"]) {
          assert.notInclude(readable, secret)
        }
        assert.notMatch(readable.join(), /user|session|token|webhook|graphile/)
      })
    ))

  it.live("only reads where Postgres lets its user have no role for it", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const name = `owner_${randomBytes(6).toString("hex")}`
        yield* Effect.acquireRelease(
          sql`create role ${sql(name)} login`,
          () => Effect.orDie(sql`drop role ${sql(name)}`)
        )
        const foreign = new URL(url)
        foreign.username = name
        yield* Effect.gen(function*() {
          const owner = yield* SqlClient.SqlClient
          const [refused] = yield* owner<{ refusal: string }>`select prepare_public_role('{killmails}') as refusal`
          assert.match(refused!.refusal, /permission denied/)
          assert.isFalse(yield* hasPublicRole)
          const client = yield* Effect.provide(SqlClient.SqlClient, yield* Layer.build(publicPool(foreign.href)))
          const [row] = yield* client<{ user: string; reads: string }>`
            select current_user::text as user, current_setting('transaction_read_only') as reads`
          assert.deepStrictEqual(row, { user: name, reads: "on" })
        }).pipe(Effect.provide(Layer.fresh(Database.layer(Redacted.make(foreign.href)))), Effect.scoped)
      })
    ))
})

/** A pool of its own. */
const publicPool = (url: string) => Layer.fresh(Database.publicLayer(Redacted.make(url)))

const epoch = Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select id, system_identifier from epoch`)

describe.concurrent("the schema", () => {
  it.live("is created once by daemons that start at once, and then left alone", () =>
    Effect.gen(function*() {
      const { url } = yield* TestDatabase.make
      const ran = yield* Effect.all([1, 2, 3].map(() => migrateOn(url)), { concurrency: 3 })
      const names = ran.flat()
      assert.isAbove(names.length, 3)
      assert.strictEqual(new Set(names).size, names.length)
      assert.strictEqual(ran.filter((names) => names.length > 0).length, 1)
      assert.deepStrictEqual(yield* migrateOn(url), [])
    }))

  it.live("that is newer than the program is refused in one sentence, and not touched", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* sql`insert into schema_migrations (migration_id, name) values (9999, 'from_the_future')`
        yield* sql`delete from epoch`
        const error = yield* Effect.flip(migrateOn(url))
        assert.strictEqual(error._tag, "DatabaseUnusable")
        assert.match(
          error.message,
          /^The database has schema 9999 \(from_the_future\), newer than this killmaild, which knows up to \d+\. Run the newer killmaild, or restore a backup of the older schema\.$/
        )
        assert.deepStrictEqual(yield* epoch, [])
      })
    ))

  it.live("gets a new epoch on another server than the one it was made on, and on no other occasion", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const [before] = yield* epoch
        yield* migrateOn(url)
        assert.deepStrictEqual(yield* epoch, [before!])
        yield* sql`update epoch set system_identifier = 'the server of the backup'`
        yield* migrateOn(url)
        const [after] = yield* epoch
        assert.strictEqual(after!["system_identifier"], before!["system_identifier"])
        assert.notStrictEqual(after!["id"], before!["id"])
        yield* Database.renewEpoch
        assert.notStrictEqual((yield* epoch)[0]!["id"], after!["id"])
      })
    ))
})

/** A session in this time zone. */
const sessionIn = (url: string, timezone: string) =>
  Effect.map(
    Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 2, startupParameters: { timezone } })),
    (context) => Effect.provide(SqlClient.SqlClient, context)
  ).pipe(Effect.flatten)

const bounds = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) =>
    sql<{ name: string; bound: string }>`
      select oid::regclass::text as name, pg_get_expr(relpartbound, oid) as bound
      from pg_class where relispartition and relkind = 'r' and oid::regclass::text like '%\\_20%' order by 1`
)

describe.concurrent("the partitions", () => {
  it.live("of last month up to six months ahead are there from the beginning", () =>
    withStores(() =>
      Effect.gen(function*() {
        const now = new Date()
        const months = Array.from(
          { length: monthsAhead + 2 },
          (_, k) => new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1 + k, 1)).toISOString().slice(0, 7)
        )
        const names = (yield* bounds).map(({ name }) => name)
        assert.deepStrictEqual(
          names,
          ["attackers", "items", "killmails"].flatMap((table) =>
            months.map((month) => `${table}_${month.replace("-", "_")}`)
          )
        )
      })
    ))

  it.live("begin and end by UTC, whatever the time zone of the session that creates them", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const kathmandu = yield* sessionIn(url, "Asia/Kathmandu")
        assert.deepStrictEqual(yield* kathmandu`select current_setting('timezone') as zone`, [
          { zone: "Asia/Kathmandu" }
        ])
        const [made] = yield* kathmandu`
          select ensure_killmail_partitions('2033-11-30'::date, '2034-01-01'::date) as created`
        assert.strictEqual(made!["created"], 9)
        const madeNow = (yield* bounds).filter(({ name }) => /killmails_203[34]/.test(name))
        assert.deepStrictEqual(madeNow, [
          {
            name: "killmails_2033_11",
            bound: "FOR VALUES FROM ('2033-11-01 00:00:00+00') TO ('2033-12-01 00:00:00+00')"
          },
          {
            name: "killmails_2033_12",
            bound: "FOR VALUES FROM ('2033-12-01 00:00:00+00') TO ('2034-01-01 00:00:00+00')"
          },
          {
            name: "killmails_2034_01",
            bound: "FOR VALUES FROM ('2034-01-01 00:00:00+00') TO ('2034-02-01 00:00:00+00')"
          }
        ])
        const [again] = yield* kathmandu`
          select ensure_killmail_partitions('2033-11-01'::date, '2034-01-31'::date) as created`
        assert.strictEqual(again!["created"], 0)
      })
    ))

  it.live("are created once by many who want them at once, with the indexes of their parents and those of months", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const created = yield* Effect.all(
          Array.from({ length: 8 }, (_, k) =>
            sql<{ created: number }>`
              select ensure_killmail_partitions(${`2010-0${1 + k % 3}-15`}::date, '2010-06-15'::date) as created`),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(created.flat().reduce((sum, { created }) => sum + created, 0), 18)
        const [invalid] = yield* sql<{ count: number }>`
          select count(*)::int as count from pg_index where not indisvalid`
        assert.strictEqual(invalid!.count, 0)
        const indexes = (table: string) =>
          Effect.map(
            sql<{ count: number }>`select count(*)::int as count from pg_index where indrelid = ${table}::regclass`,
            ([row]) => row!.count
          )
        assert.strictEqual(yield* indexes("attackers_2010_04"), 4 + (yield* indexes("attackers")))
      })
    ))
})
