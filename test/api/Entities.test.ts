import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { EntityStore } from "../../src/store/EntityStore.ts"
import { ApiDaemon } from "../support/ApiDaemon.ts"
import { changed, mailOf, withVictim } from "../support/Mails.ts"

const time = new Date(Date.now() - 60_000).toISOString().slice(0, 19) + "Z"
const pilot = 2_122_585_718
const killmail = changed(
  withVictim(mailOf("entities of the interface", 1), { character_id: 90_000_002, corporation_id: 98_000_002 }),
  {
    killmail_time: time,
    attackers: [{
      character_id: pilot,
      corporation_id: 98_000_001,
      alliance_id: 99_000_001,
      damage_done: 1,
      final_blow: true,
      security_status: -3.5
    }]
  }
)

/** The names of those who attacked. */
const prepared = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`delete from graphile_worker._private_jobs where key = 'refresh_characters'`
  const entities = yield* EntityStore
  yield* entities.notePublications(10)
  yield* entities.keepNames([{ id: pilot, name: "Some Pilot" }])
  yield* entities.keepCorporations([{ id: 98_000_001, name: "Some Corporation", ticker: "S.C", isClosed: false }])
  yield* entities.keepAlliances([{ id: 99_000_001, name: "Some Alliance", ticker: "ALLY", isClosed: true }])
  yield* sql`insert into npc_corporations values (1000125, 'CONCORD', 'CONCO', 500006)`
  yield* sql`insert into factions values (500006, 'CONCORD Assembly')`
})

interface Answer {
  readonly status: number
  readonly json: Record<string, unknown>
}

const ask = (path: string, init: RequestInit = {}) =>
  Effect.flatMap(ApiDaemon, ({ url }) =>
    Effect.promise(async (): Promise<Answer> => {
      const response = await fetch(`${url}/api/v1/${path}`, init)
      return { status: response.status, json: await response.json() as Record<string, unknown> }
    }))

const put = (id: number, body: unknown, token = "operator") =>
  ask(`character-groups/${id}`, {
    method: "PUT",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` }
  })

layer(ApiDaemon.layer([killmail], prepared), { excludeTestServices: true, timeout: 60_000 })(
  "the HTTP interface",
  (it) => {
    it.effect("tells who a character is, and where it belongs", () =>
      Effect.gen(function*() {
        const { json, status } = yield* ask(`characters/${pilot}`)
        const { refreshed_at, ...rest } = json
        assert.strictEqual(status, 200)
        assert.match(String(refreshed_at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
        assert.deepStrictEqual(rest, {
          character_id: pilot,
          name: "Some Pilot",
          corporation_id: 98_000_001,
          alliance_id: 99_000_001,
          faction_id: null,
          security_status: -3.5,
          group: null,
          seen_at: time,
          deleted_at: null,
          names: { 98000001: "Some Corporation", 99000001: "Some Alliance", [pilot]: "Some Pilot" }
        })
        const nameless = yield* ask("characters/90000002")
        assert.deepInclude(nameless.json, { name: null, refreshed_at: null, names: {} })
      }))

    it.effect("tells names and tickers of corporations and alliances, and of NPC corporations", () =>
      Effect.gen(function*() {
        const corporation = yield* ask("corporations/98000001")
        assert.deepInclude(corporation.json, { name: "Some Corporation", ticker: "S.C", alliance_id: 99_000_001 })
        const alliance = yield* ask("alliances/99000001")
        assert.deepInclude(alliance.json, { name: "Some Alliance", ticker: "ALLY", seen_at: time })
        assert.isString(alliance.json["deleted_at"])
        assert.deepStrictEqual((yield* ask("corporations/1000125")).json, {
          corporation_id: 1_000_125,
          name: "CONCORD",
          ticker: "CONCO",
          alliance_id: null,
          faction_id: 500_006,
          seen_at: null,
          refreshed_at: null,
          deleted_at: null,
          names: { 500006: "CONCORD Assembly", 1000125: "CONCORD" }
        })
      }))

    it.effect("answers those it never saw with 404", () =>
      Effect.gen(function*() {
        for (const path of ["characters/1", "corporations/1", "alliances/1"]) {
          assert.deepInclude((yield* ask(path)).json, { status: 404 }, path)
        }
        assert.strictEqual((yield* ask("characters/somebody")).status, 400)
      }))

    it.effect("names whom it knows in a killmail", () =>
      Effect.gen(function*() {
        const { json } = yield* ask(`killmails/${killmail.killmail_id}`)
        assert.deepStrictEqual(json["names"], {
          98000001: "Some Corporation",
          99000001: "Some Alliance",
          [pilot]: "Some Pilot"
        })
      }))

    it.effect("lets the operator, and nobody else, say who is whose alt", () =>
      Effect.gen(function*() {
        assert.strictEqual((yield* put(pilot, { alts: [90_000_002] }, "wrong")).status, 401)
        const group = { main_character_id: pilot, alts: [90_000_001, 90_000_002] }
        const set = yield* put(pilot, { alts: [90_000_002, 90_000_001, 90_000_002] })
        assert.deepStrictEqual([set.status, set.json], [200, group])
        assert.deepStrictEqual((yield* ask("characters/90000002")).json["group"], group)
        const taken = yield* put(90_000_003, { alts: [90_000_002] })
        assert.strictEqual(taken.status, 409)
        assert.include(taken.json["detail"], `90000002 is an alt of ${pilot}`)
        assert.strictEqual((yield* put(pilot, { alts: [pilot] })).status, 400)
        assert.strictEqual((yield* put(pilot, { alts: ["90000002"] })).status, 400)
        yield* put(pilot, { alts: [] })
        assert.isNull((yield* ask("characters/90000002")).json["group"])
      }))
  }
)
