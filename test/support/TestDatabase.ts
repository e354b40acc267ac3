import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import { randomBytes } from "node:crypto"
import { Client } from "pg"
import { inject } from "vitest"

type Made = { readonly url: string }
type Make<E = never, R = never> = Effect.Effect<Made, E, R | Scope.Scope>

/** A database of a test's own, on the run's server; gone when the scope closes, whoever is still connected. */
export class TestDatabase extends Context.Service<TestDatabase, Made>()("killmaild/test/TestDatabase") {
  /** An empty one. */
  static readonly make: Make = Effect.suspend(() => create("template0"))

  /**
   * Copies of a database that is prepared once a run, however many workers ask: yield the result for each copy (30 ms).
   * `prepare` must have closed its connections when it ends.
   */
  static readonly template = <A, E, R>(name: string, prepare: (url: string) => Effect.Effect<A, E, R>): Make<E, R> =>
    Effect.flatMap(ensureTemplate(name, prepare), create)

  /** The service and clients on one database, shared by all tests that the layer is provided to. */
  static readonly layerFrom = <E, R>(
    make: Make<E, R>
  ): Layer.Layer<
    TestDatabase | PgClient.PgClient | SqlClient.SqlClient,
    E | SqlError.SqlError,
    Exclude<R, Scope.Scope>
  > =>
    Layer.unwrap(Effect.map(TestDatabase, ({ url }) => PgClient.layer({ url: Redacted.make(url) }))).pipe(
      Layer.provideMerge(Layer.effect(TestDatabase, make))
    )

  /** Clients on an empty database. */
  static readonly layer = TestDatabase.layerFrom(TestDatabase.make)
}

/** All names begin with the run's, so that globalSetup finds what a killed worker left on a server that stays. */
const nameOf = (rest: string) => `test_${inject("postgres").run}_${rest}`

const urlOf = (database: string): string => {
  const url = new URL(inject("postgres").url)
  url.pathname = `/${database}`
  return url.href
}

const create = (template: string): Make => {
  const database = nameOf(randomBytes(6).toString("hex"))
  return Effect.acquireRelease(
    administer((client) => client.query(`create database ${database} template ${template}`)),
    () => administer((client) => client.query(`drop database if exists ${database} with (force)`))
  ).pipe(Effect.as({ url: urlOf(database) }))
}

/** Renamed when prepared, so that nobody copies a half-made one. */
const ensureTemplate = Effect.fnUntraced(
  function*<A, E, R>(name: string, prepare: (url: string) => Effect.Effect<A, E, R>) {
    const template = nameOf(`template_${name}`)
    const half = `${template}_half`
    const locked = yield* Effect.acquireRelease(connect, (client) => Effect.promise(() => client.end()))
    yield* Effect.promise(() => locked.query("select pg_advisory_lock(hashtext($1))", [template]))
    const { rowCount } = yield* Effect.promise(() =>
      locked.query("select from pg_database where datname = $1", [template])
    )
    if (rowCount === 0) {
      yield* Effect.promise(() => locked.query(`drop database if exists ${half} with (force)`))
      yield* Effect.promise(() => locked.query(`create database ${half} template template0`))
      yield* prepare(urlOf(half))
      yield* Effect.promise(() => locked.query(`alter database ${half} rename to ${template}`))
    }
    return template
  },
  Effect.scoped
)

const connect = Effect.promise(async () => {
  const client = new Client(inject("postgres").url)
  await client.connect()
  return client
})

const administer = <A>(work: (client: Client) => Promise<A>) =>
  Effect.acquireUseRelease(
    connect,
    (client) => Effect.promise(() => work(client)),
    (client) => Effect.promise(() => client.end())
  )
