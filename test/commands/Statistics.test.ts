import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import * as Database from "../../src/store/Database.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { mailOf, newKillmail } from "../support/Mails.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"
import { run } from "./CommandLine.ts"

describe("statistics rebuild", () => {
  it.live("counts everything anew", () =>
    Effect.gen(function*() {
      const { url } = yield* migratedDatabase
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const mails = Array.from({ length: 30 }, (_, k) => newKillmail(mailOf("rebuild", k)))
        yield* KillmailStore.use((store) => store.append(mails)).pipe(Effect.provide(KillmailStore.layer))
        yield* sql`
          insert into statistics
          values ('all', '2003-05-06', 'system', 1, 666, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)`
        const { out, status } = yield* run(["statistics", "rebuild", "--json"], { DATABASE_URL: url })
        assert.strictEqual(status, 0)
        assert.isAbove(JSON.parse(out).days, 0)
        const rows = yield* sql`
          select period, sum(kills)::int as kills from statistics where kind = 'system' group by period order by period`
        assert.deepStrictEqual(rows, ["day", "month", "all"].map((period) => ({ period, kills: 30 })))
      }).pipe(Effect.provide(Database.layer(Redacted.make(url))))
    }), 60_000)
})
