/** A daemon at whose sandbox pilots have killmails of their own, and what tests of these ask it. */
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { JobQueue } from "../../src/jobs/JobQueue.ts"
import { SyncUserKillmails } from "../../src/own-killmails/SyncUserKillmails.ts"
import { pilotOf } from "../../src/sandbox/People.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { type Browser, makeBrowser, signInWith } from "../support/Browser.ts"
import { mailOf, withVictim } from "../support/Mails.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

type Running = Effect.Success<ReturnType<typeof stoppableDaemon>>
type Services = Running["context"] extends Context.Context<infer S> ? S : never

export class OwnWorld extends Context.Service<OwnWorld, {
  readonly url: string
  readonly sandbox: Sandbox
  readonly context: Context.Context<Services>
  readonly sql: SqlClient.SqlClient
}>()("killmaild/test/OwnWorld") {
  static readonly layer = (overrides: Readonly<Record<string, string>> = {}, speed = 1) =>
    Layer.effect(
      OwnWorld,
      Effect.gen(function*() {
        const sandbox = yield* manualSandbox({ speed })
        const { url: databaseUrl } = yield* migratedDatabase
        const { context, url } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "", ...overrides })
        return { url, sandbox, context, sql: Context.get(context, SqlClient.SqlClient) }
      })
    )
}

/** Each test has pilots of its own. */
let count = 100
export const nextPilot = () => pilotOf("test", count++)
export type Pilot = ReturnType<typeof nextPilot>

let mails = 0
/** A loss of the pilot, so many minutes ago. */
export const lossOf = ({ character, corporation }: Pilot, minutesAgo = 1): Killmail => {
  const mail = mailOf("own killmails", ++mails)
  return {
    ...withVictim(mail, { character_id: character, corporation_id: corporation }),
    killmail_time: new Date(Date.now() - minutesAgo * 60_000).toISOString().slice(0, 19) + "Z"
  }
}

/** ESI knows them, and tells the pilot so. */
export const happen = Effect.fnUntraced(function*(...killmails: ReadonlyArray<Killmail>) {
  const { sandbox } = yield* OwnWorld
  for (const killmail of killmails) sandbox.knowToEsi(killmail)
})

export const signIn = Effect.fnUntraced(function*(pilot: Pilot, browser: Browser = makeBrowser(), query = "") {
  const { url } = yield* OwnWorld
  yield* signInWith(browser, url, pilot.character, query)
  return browser
})

/** The pilot's job runs now; returns how it ended. */
export const sync = Effect.fnUntraced(
  function*(
    { character }: Pilot,
    options: { readonly reads_all?: boolean; readonly is_asked?: boolean } = {},
    // A token that is being refreshed puts it off for a moment.
    endings: ReadonlyArray<string> = ["completed", "failed"]
  ) {
    const { context, sql } = yield* OwnWorld
    yield* sql`delete from job_runs where task = 'sync_user_killmails' and character_id = ${BigInt(character)}`
    const [last] = yield* Effect.gen(function*() {
      const queue = yield* JobQueue
      yield* queue.addAll(SyncUserKillmails, [{ character_id: character, is_asked: true, ...options }], { atOnce: 2 })
      return yield* eventually(
        (sql) =>
          sql<{ status: string; result: unknown; error: string | null }>`
            select status, result, error from job_runs
            where task = 'sync_user_killmails' and character_id = ${BigInt(character)} and status = any(${[
            ...endings
          ]}::text[])`,
        (rows) => rows.length > 0
      )
    }).pipe(Effect.provide(context))
    return last!
  }
)

/** Ends when so many of these are stored. */
export const stored = Effect.fnUntraced(function*(killmails: ReadonlyArray<Killmail>) {
  const { context } = yield* OwnWorld
  const ids = killmails.map(({ killmail_id }) => BigInt(killmail_id))
  yield* eventually(
    (sql) => sql`select from killmail_ledger where killmail_id = any(${ids}::bigint[])`,
    (rows) => rows.length === ids.length
  ).pipe(Effect.provide(context))
})

/** A pilot of a corporation of its own, and what a mate has lost, whom only the corporation's list tells of. */
export const fleetOf = Effect.fnUntraced(function*(isDirector: boolean) {
  const { sandbox } = yield* OwnWorld
  const pilot = nextPilot()
  const corporation = 98_000_000 + pilot.character % 999_983
  const mate = { ...nextPilot(), corporation }
  for (const { character } of [pilot, mate]) sandbox.census.move(character, { corporation_id: corporation })
  sandbox.census.appoint(pilot.character, isDirector)
  sandbox.census.appoint(mate.character, false)
  return { pilot: { ...pilot, corporation }, mate, killmail: lossOf(mate), corporation }
})

/** Ends when ESI has told in which corporation the pilot is. */
export const placed = Effect.fnUntraced(function*({ character, corporation }: Pilot) {
  const { context } = yield* OwnWorld
  yield* eventually(
    (sql) =>
      Effect.andThen(
        sql`update graphile_worker._private_jobs set run_at = now() where key = 'queue_user_killmails'`,
        sql`
          select from user_characters
          where character_id = ${BigInt(character)} and corporation_id = ${BigInt(corporation)}`
      ),
    (rows) => rows.length > 0
  ).pipe(Effect.provide(context))
})

/** What ESI answered has expired for us, and for its judge. */
export const expire = Effect.gen(function*() {
  const { sandbox, sql } = yield* OwnWorld
  sandbox.clientLost()
  yield* sql`update killmail_lists set fresh_until = now(), next_at = now() + interval '1 hour'`
})
