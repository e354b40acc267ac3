import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { LiveKillmails } from "../../src/broadcast/LiveKillmails.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

describe("a killmail that two feeds name", () => {
  it.live("is one row and one announcement, with every sighting kept, even after a wrong hash", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { hash, killmail, zkb } = killmailOf("two-feeds", 7)
      sandbox.knowToEsi(killmail, hash)
      const { context } = yield* startDaemon(sandbox, { KILLMAILD_FEEDS: "r2z2,redisq" })
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const live = yield* LiveKillmails
        const announced: Array<number> = []
        live.listen(({ document }) => announced.push(document.killmail_id))

        const wrongHash = "0".repeat(40)
        sandbox.publishR2z2({ esi: killmail, hash: wrongHash })
        for (let k = 0; k < 3; k++) {
          sandbox.publishRedisq({ killID: killmail.killmail_id, zkb: { ...zkb, hash } })
          sandbox.publishR2z2({ esi: killmail, hash, zkb })
        }

        yield* eventually(
          (sql) => sql`select source from sightings where killmail_id = ${BigInt(killmail.killmail_id)}`,
          (rows) => rows.length === 7
        )
        yield* eventually(
          (sql) => sql`select from graphile_worker.jobs where task_identifier = 'ingest_killmail'`,
          (rows) => rows.length === 0
        )
        const ledger = yield* sql<{ hash: string; sequence: bigint }>`
          select encode(hash, 'hex') as hash, sequence from killmail_ledger`
        assert.deepStrictEqual(ledger, [{ hash, sequence: 1n }])
        assert.strictEqual((yield* sql`select from killmails`).length, 1)
        const sources = yield* sql<{ source: string; times: number }>`
          select source, count(*)::int as times from sightings group by 1 order by 1`
        assert.deepStrictEqual(sources, [{ source: "r2z2", times: 4 }, { source: "redisq", times: 3 }])
        const dead = yield* sql`select key, reason from dead_letters`
        assert.deepStrictEqual(dead, [{
          key: `killmail:${killmail.killmail_id}:${wrongHash}`,
          reason: "hash_mismatch"
        }])
        assert.deepStrictEqual(announced, [killmail.killmail_id])
        assert.deepStrictEqual(sandbox.violations(), [])
      }).pipe(Effect.provide(context))
    }))
})
