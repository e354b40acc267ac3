/** One Postgres for the whole run: that of TEST_DATABASE_URL, or an embedded one without fsync. */
import { Effect, Exit, Scope } from "effect"
import { randomBytes } from "node:crypto"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client } from "pg"
import type { TestProject } from "vitest/node"
import * as EmbeddedPostgres from "../../src/postgres/EmbeddedPostgres.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** A server on which tests may create databases, and a word that names those of this run. */
    readonly postgres: { readonly url: string; readonly run: string }
  }
}

export const settings = { fsync: "off", max_connections: "300", shared_buffers: "128MB" }

const setup = async (project: TestProject) => {
  const run = randomBytes(4).toString("hex")
  const given = process.env["TEST_DATABASE_URL"]
  if (given !== undefined) {
    project.provide("postgres", { url: given, run })
    return () => dropDatabasesOf(run, given)
  }
  const directory = await mkdtemp(join(tmpdir(), "killmaild-test-"))
  const scope = Scope.makeUnsafe()
  const { url } = await Effect.runPromise(
    EmbeddedPostgres.start({ directory: join(directory, "postgres"), settings }).pipe(Scope.provide(scope))
  )
  project.provide("postgres", { url, run })
  return async () => {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await rm(directory, { recursive: true })
  }
}
export default setup

const dropDatabasesOf = async (run: string, url: string) => {
  const client = new Client(url)
  await client.connect()
  const { rows } = await client.query<{ name: string }>(
    "select datname as name from pg_database where datname like $1",
    [`test_${run}_%`]
  )
  for (const { name } of rows) await client.query(`drop database if exists ${name} with (force)`)
  await client.end()
}
