import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { Server } from "../../src/api/Server.ts"
import type { KillmailDocument } from "../../src/domain/Document.ts"
import { mailsOf } from "../entities/EntitiesWorld.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

const stored = (count: number) => eventually((sql) => sql`select from killmail_ledger`, (rows) => rows.length === count)

describe("those who are named by killmails that a feed brings", () => {
  it.live("have names a little later, and no job is left behind", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* startDaemon(sandbox)
      const mails = mailsOf(0, 300)
      yield* Effect.gen(function*() {
        // A new feed begins near the end.
        sandbox.publishR2z2({ esi: mails[0]! })
        yield* stored(1)
        for (const esi of mails.slice(1)) sandbox.publishR2z2({ esi })
        yield* stored(mails.length)
        // It was to run ten seconds after the first of them.
        yield* eventually(
          (sql) =>
            sql`
            update graphile_worker._private_jobs set run_at = now()
            where key = 'refresh_characters' and locked_at is null
            returning key`,
          (rows) => rows.length === 1
        )
        yield* eventually(
          (sql) =>
            sql`
            select name from characters union all select name from corporations union all select name from alliances`,
          (rows) => rows.length === 304 && rows.every(({ name }) => name !== null)
        )
        const left = yield* eventually(
          (sql) =>
            sql`
            select task_identifier, last_error from graphile_worker.jobs
            where task_identifier in ('refresh_characters', 'refresh_corporations', 'refresh_alliances')
            union all
            select task, error from dead_letters`,
          (rows) => rows.length === 0
        )
        assert.deepStrictEqual(left, [])
      }).pipe(Effect.provide(context))

      const { url } = Context.get(context, Server)
      const { names, victim } = yield* Effect.promise(async () => {
        const response = await fetch(`${url}/api/v1/killmails/${mails[0]!.killmail_id}`)
        return await response.json() as KillmailDocument
      })
      for (const id of [victim.character_id!, victim.corporation_id!, victim.alliance_id!]) {
        assert.strictEqual(names[id], sandbox.census.nameOf(id))
      }
      const asked = sandbox.requests().filter(({ path }) => path === "/esi/universe/names")
      assert.isAtMost(asked.length, 2)
      assert.deepStrictEqual(sandbox.violations(), [])
    }), 60_000)
})
