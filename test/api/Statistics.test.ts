import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { ApiDaemon } from "../support/ApiDaemon.ts"
import { changed, mailOf, withVictim } from "../support/Mails.ts"
import { eventually } from "../support/TestDaemon.ts"

const now = new Date(Date.now() - 1000).toISOString().slice(0, 19) + "Z"
const [pilot, gang, victim] = [2_122_585_718, 98_000_001, 90_000_002]
const jita = 30_000_142

/** The pilot and an NPC kill the victim, in Jita. */
const kill = (k: number, time: string) =>
  changed(
    withVictim(mailOf("statistics of the interface", k), { character_id: victim, corporation_id: 98_000_002 }),
    {
      killmail_time: time,
      solar_system_id: jita,
      attackers: [
        {
          character_id: pilot,
          corporation_id: gang,
          ship_type_id: 587,
          damage_done: 90,
          final_blow: true,
          security_status: 0
        },
        { corporation_id: 1_000_125, damage_done: 10, final_blow: false, security_status: 0 }
      ]
    }
  )

const prepared = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* eventually(
    (sql) => sql`select from statistics where period = 'all' and kind = 'character' and kills = 3`,
    (rows) => rows.length === 1
  )
  yield* sql`insert into regions values (10000002, 'The Forge') on conflict do nothing`
})
const mails = [kill(1, now), kill(2, now), kill(3, "2019-03-04T05:06:07Z")]
const Daemon = ApiDaemon.layer(mails, prepared, { KILLMAILD_SCHEDULE_SPEED: "100" })

const ask = (path: string) =>
  Effect.flatMap(ApiDaemon, ({ url }) =>
    Effect.promise(async () => {
      const response = await fetch(`${url}/api/v1/${path}`)
      const json = await response.json() as Record<string, unknown>
      return { status: response.status, json, lifetime: response.headers.get("cache-control") }
    }))

const counts = {
  kills: 0,
  losses: 0,
  npc_losses: 0,
  solo_kills: 0,
  solo_losses: 0,
  final_blows: 0,
  points: 0,
  damage_done: 0,
  damage_taken: 0,
  isk_destroyed: 0,
  isk_lost: 0
}

/** Of the pilot, after so many kills. */
const of = (kills: number) => ({ ...counts, kills, final_blows: kills, damage_done: 90 * kills })
const allOf = (path: string) => Effect.map(ask(`${path}/stats`), ({ json }) => json["all"])

layer(Daemon, { excludeTestServices: true, timeout: 60_000 })("statistics of the interface", (it) => {
  it.effect("tell of all time, of each month and of each day that is kept", () =>
    Effect.gen(function*() {
      const { json, lifetime, status } = yield* ask(`characters/${pilot}/stats`)
      assert.deepStrictEqual([status, lifetime], [200, "public, max-age=30"])
      assert.deepStrictEqual(json, {
        all: of(3),
        months: [{ month: now.slice(0, 7), ...of(2) }, { month: "2019-03", ...of(1) }],
        days: [{ day: now.slice(0, 10), ...of(2) }]
      })
    }))

  it.effect("are there for everybody and every place on a killmail", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* allOf(`corporations/${gang}`), { kills: 3, losses: 0 })
      assert.deepInclude(yield* allOf("corporations/98000002"), { kills: 0, losses: 3 })
      assert.deepInclude(yield* allOf("types/587"), { kills: 3, final_blows: 3 })
      assert.deepInclude(yield* allOf(`systems/${jita}`), { kills: 3, losses: 0 })
    }))

  it.effect("are zeros for one that was on no killmail", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* ask("alliances/99999999/stats"), {
        status: 200,
        lifetime: "public, max-age=30",
        json: { all: counts, months: [], days: [] }
      })
    }))

  it.effect("say who is on top, among players", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* ask("top?kind=corporation"), {
        status: 200,
        lifetime: "public, max-age=30",
        json: { data: [{ id: gang, value: 3 }], names: {} }
      })
      const lately = yield* ask("top?kind=character&by=losses&days=7&limit=1")
      assert.deepStrictEqual(lately.json["data"], [{ id: victim, value: 2 }])
    }))

  it.effect("refuse what cannot be asked", () =>
    Effect.gen(function*() {
      for (
        const path of ["top", "top?kind=moon", "top?kind=type&by=luck", "top?kind=type&days=0", "top?kind=type&limit=x"]
      ) {
        const { json, status } = yield* ask(path)
        assert.deepStrictEqual([status, json["status"]], [400, 400], path)
      }
      assert.strictEqual((yield* ask("moons/40009082/stats")).status, 400)
    }))
})
