import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import { toEsi } from "../../src/domain/Document.ts"
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import { keyOf } from "../../src/intake/Hearing.ts"
import type { Reply } from "../../src/sandbox/Faults.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { mailOf, plain } from "../support/Mails.ts"
import { headIsKnown, publishNaming } from "../support/R2z2Files.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

const key = (killmail: Killmail): string => keyOf({ killmail_id: killmail.killmail_id, hash: hashOf(killmail) })

const pathOf = (killmail: Killmail): string => `/killmails/${killmail.killmail_id}/${hashOf(killmail)}`

const timesAsked = (sandbox: Sandbox, path: string): number =>
  sandbox.requests().filter((request) => request.upstream === "esi" && request.path === `/esi${path}`).length

const replyToMail = (sandbox: Sandbox, killmail: Killmail, replyTo: (count: number) => Reply | undefined): void =>
  sandbox.intercept(({ count, path, upstream }) =>
    upstream === "esi" && path === pathOf(killmail) ? replyTo(count) : undefined
  )

const storedEventually = (killmail: Killmail) =>
  Effect.gen(function*() {
    const reader = yield* KillmailReader
    const row = yield* eventually(() => reader.find(killmail.killmail_id), Option.isSome)
    assert.deepStrictEqual(plain(toEsi(Option.getOrThrow(row))), plain(killmail))
  })

const letterEventually = (killmail: Killmail) =>
  Effect.map(
    eventually(
      (sql) =>
        sql<{ reason: string; error: string; attempts: number }>`
          select reason, error, attempts from dead_letters where key = ${key(killmail)}`,
      (rows) => rows.length === 1
    ),
    ([letter]) => letter!
  )

/** What ran and has to run again waits an hour longer than it would, so that a slow machine sees it wait. */
const waitsForUs = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.andThen(
    sql`
      create function wait_longer() returns trigger language plpgsql as $$
      begin
        new.run_at := new.run_at + interval '1 hour';
        return new;
      end $$`,
    sql`
      create trigger wait_longer before update on graphile_worker._private_jobs for each row
      when (old.locked_at is not null and new.locked_at is null and new.last_error is not null)
      execute function wait_longer()`
  ))

/** The job as it waits for its next run, after so many attempts; `wait` is what it was told to, in seconds. */
const waitingJob = (killmail: Killmail, attempts: number) =>
  Effect.map(
    eventually(
      (sql) =>
        sql<{ wait: number }>`
          select extract(epoch from run_at - updated_at)::float8 - 3600 as wait from graphile_worker.jobs
          where key = ${key(killmail)} and attempts = ${attempts} and locked_at is null and last_error is not null`,
      (rows) => rows.length === 1
    ),
    ([job]) => job!
  )

/** What waits for its time need not wait longer. */
const hurry = (sql: SqlClient.SqlClient) =>
  Effect.gen(function*() {
    yield* sql`update graphile_worker._private_jobs set run_at = now() where locked_at is null and attempts < max_attempts`
    yield* sql`select pg_notify('jobs:insert', '{"count":1}')`
  })

/** Hurries whatever waits until so many killmails are stored. */
const hurryUntilStored = (count: number) =>
  eventually(
    (sql) => Effect.andThen(hurry(sql), sql`select from killmail_ledger`),
    (rows) => rows.length === count
  )

/** The next job that finds Tranquility down looks whether it still is. */
const lookAgain = Effect.flatMap(
  SqlClient.SqlClient,
  (sql) => sql`update rate_limits set probe_at = now() where bucket = 'tranquility'`
)

const withDaemon = <A, E>(
  test: (sandbox: Sandbox) => Effect.Effect<A, E, SqlClient.SqlClient | KillmailReader>
) =>
  Effect.gen(function*() {
    const sandbox = yield* manualSandbox()
    const { context } = yield* startDaemon(sandbox)
    yield* headIsKnown.pipe(Effect.andThen(waitsForUs), Effect.andThen(test(sandbox)), Effect.provide(context))
    assert.deepStrictEqual(sandbox.violations(), [])
  })

describe.concurrent("a killmail that came without its body", () => {
  it.live("is fetched from ESI, once", () =>
    withDaemon((sandbox) =>
      Effect.gen(function*() {
        const killmail = mailOf("esi-fine", 1)
        sandbox.knowToEsi(killmail)
        publishNaming(sandbox, killmail)
        yield* storedEventually(killmail)
        publishNaming(sandbox, killmail)
        yield* eventually((sql) => sql`select from sightings`, (rows) => rows.length === 2)
        yield* eventually(
          (sql) => sql`select from graphile_worker.jobs where task_identifier = 'ingest_killmail'`,
          (rows) => rows.length === 0
        )
        assert.strictEqual(timesAsked(sandbox, pathOf(killmail)), 1)
      })
    ))

  it.live("and is unknown to ESI is a dead letter at once, and is not asked for again when it is named again", () =>
    withDaemon((sandbox) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const killmail = mailOf("esi-404", 1)
        publishNaming(sandbox, killmail)
        const letter = yield* letterEventually(killmail)
        assert.strictEqual(letter.reason, "not_found")
        assert.strictEqual(letter.attempts, 1)

        publishNaming(sandbox, killmail)
        yield* eventually((sql) => sql`select from sightings`, (rows) => rows.length === 2)
        assert.deepStrictEqual(
          yield* sql`select from graphile_worker.jobs where task_identifier = 'ingest_killmail'`,
          []
        )
        assert.strictEqual(timesAsked(sandbox, pathOf(killmail)), 1)

        // With the body it needs nobody.
        sandbox.publishR2z2({ esi: killmail })
        yield* storedEventually(killmail)
        assert.strictEqual(timesAsked(sandbox, pathOf(killmail)), 1)
      })
    ))

  it.live("and has another hash by ESI is a dead letter at once", () =>
    withDaemon((sandbox) =>
      Effect.gen(function*() {
        const killmail = mailOf("esi-422", 1)
        sandbox.knowToEsi(killmail, "a".repeat(40))
        publishNaming(sandbox, killmail)
        const letter = yield* letterEventually(killmail)
        assert.strictEqual(letter.reason, "hash_mismatch")
        assert.strictEqual(letter.attempts, 1)
        assert.strictEqual(timesAsked(sandbox, pathOf(killmail)), 1)
      })
    ))

  it.live("costs an attempt when ESI answers 503 again and again, and is stored when it answers", () =>
    withDaemon((sandbox) =>
      Effect.gen(function*() {
        const killmail = mailOf("esi-503", 1)
        sandbox.knowToEsi(killmail)
        replyToMail(sandbox, killmail, (count) => count <= 6 ? { status: 503, body: "busy" } : undefined)
        publishNaming(sandbox, killmail)
        for (const attempts of [1, 2]) {
          const job = yield* waitingJob(killmail, attempts)
          assert.isAtLeast(job.wait, 1)
          assert.strictEqual(timesAsked(sandbox, pathOf(killmail)), 3 * attempts)
          yield* Effect.flatMap(SqlClient.SqlClient, hurry)
        }
        yield* storedEventually(killmail)
        assert.strictEqual(timesAsked(sandbox, pathOf(killmail)), 7)
      })
    ))

  it.live("is a dead letter after three attempts without a usable answer", () =>
    withDaemon((sandbox) =>
      Effect.gen(function*() {
        const killmail = mailOf("esi-500", 1)
        replyToMail(sandbox, killmail, () => ({ status: 500, body: "{\"error\": \"\0\"}" }))
        publishNaming(sandbox, killmail)
        for (const attempts of [1, 2]) {
          yield* waitingJob(killmail, attempts)
          yield* Effect.flatMap(SqlClient.SqlClient, hurry)
        }
        const letter = yield* letterEventually(killmail)
        assert.strictEqual(letter.reason, "esi_unavailable")
        assert.strictEqual(letter.attempts, 3)
        assert.include(letter.error, "500")
      })
    ))

  it.live("waits out a 429 as long as ESI says, which costs no attempt", () =>
    withDaemon((sandbox) =>
      Effect.gen(function*() {
        const killmail = mailOf("esi-429", 1)
        const next = mailOf("esi-429", 2)
        sandbox.knowToEsi(killmail)
        sandbox.knowToEsi(next)
        const refusal = { status: 429, headers: { "retry-after": "10" }, body: "{\"error\":\"slow down\"}" }
        replyToMail(sandbox, killmail, (count) => count === 1 ? refusal : undefined)
        publishNaming(sandbox, killmail)
        const job = yield* waitingJob(killmail, 0)
        assert.isAtLeast(job.wait, 8)
        // The others are held back too: the sandbox would call it a violation.
        publishNaming(sandbox, next)
        yield* waitingJob(next, 0)
        yield* hurryUntilStored(2)
        yield* storedEventually(killmail)
        yield* storedEventually(next)
        assert.strictEqual(timesAsked(sandbox, pathOf(next)), 1)
        assert.strictEqual(timesAsked(sandbox, pathOf(killmail)), 2)
      })
    ))

  it.live("waits while Tranquility is down, which costs no attempt, and is stored afterwards", () =>
    withDaemon((sandbox) =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const mails = [1, 2, 3].map((k) => mailOf("esi-down", k))
        mails.forEach((killmail) => sandbox.knowToEsi(killmail))
        sandbox.tranquility(true)
        publishNaming(sandbox, mails[0]!)
        yield* waitingJob(mails[0]!, 0)
        // Whoever comes now asks nothing at all.
        publishNaming(sandbox, mails[1]!)
        yield* waitingJob(mails[1]!, 0)
        assert.strictEqual(timesAsked(sandbox, pathOf(mails[1]!)), 0)

        yield* lookAgain
        yield* hurry(sql)
        yield* eventually(
          (sql) => sql`select from graphile_worker.jobs where locked_at is not null or run_at <= now()`,
          (rows) => rows.length === 0
        )
        assert.deepStrictEqual(yield* sql`select from killmail_ledger`, [])

        sandbox.tranquility(false)
        yield* lookAgain
        publishNaming(sandbox, mails[2]!)
        // Only one of them looks whether it is up again; others, told just before that it is not, come back later.
        yield* hurryUntilStored(mails.length)
        yield* Effect.forEach(mails, storedEventually)
        assert.deepStrictEqual(yield* sql`select from dead_letters`, [])
      })
    ))

  it.live("is a dead letter when ESI's own body is useless, however often it is asked", () =>
    withDaemon((sandbox) =>
      Effect.gen(function*() {
        const bodies = [
          "<html></html>",
          "{\"killmail_id\": 12",
          "\0\0",
          "{\"killmail_id\": \"a\\u0000\"}",
          JSON.stringify(mailOf("esi-garbage", 0))
        ]
        const mails = bodies.map((body, index) => {
          const killmail = mailOf("esi-garbage", index + 1)
          replyToMail(sandbox, killmail, () => ({ status: 200, headers: { "content-type": "application/json" }, body }))
          publishNaming(sandbox, killmail)
          return killmail
        })
        for (const killmail of mails) {
          const letter = yield* letterEventually(killmail)
          assert.strictEqual(letter.reason, "undecodable")
          assert.strictEqual(letter.attempts, 1)
          assert.strictEqual(timesAsked(sandbox, pathOf(killmail)), 3)
        }
      })
    ))

  it.live("is stored when ESI's body was cut off once", () =>
    withDaemon((sandbox) =>
      Effect.gen(function*() {
        const killmail = mailOf("esi-cut", 1)
        sandbox.knowToEsi(killmail)
        replyToMail(sandbox, killmail, (count) => count === 1 ? { truncate: true } : undefined)
        publishNaming(sandbox, killmail)
        yield* storedEventually(killmail)
        assert.strictEqual(timesAsked(sandbox, pathOf(killmail)), 2)
      })
    ))
})
