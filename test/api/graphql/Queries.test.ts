import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import type { Killmail } from "../../../src/domain/Killmail.ts"
import { EntityStore } from "../../../src/store/EntityStore.ts"
import { ApiDaemon } from "../../support/ApiDaemon.ts"
import { mailOf, withVictim } from "../../support/Mails.ts"

const pilot = 2_122_585_718
const corporation = 98_000_001
const alliance = 99_000_001

/** Every third is the pilot's loss. */
const mails: ReadonlyArray<Killmail> = Array.from({ length: 60 }, (_, k) =>
  k % 3 === 0
    ? withVictim(mailOf("graphql", k), { character_id: pilot, corporation_id: corporation, alliance_id: alliance })
    : mailOf("graphql", k))
const [mail] = mails

const prepared = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  yield* sql`delete from graphile_worker._private_jobs where key = 'refresh_characters'`
  const entities = yield* EntityStore
  yield* entities.notePublications(100)
  yield* entities.keepNames([{ id: pilot, name: "Some Pilot" }])
  yield* entities.keepCorporations([{ id: corporation, name: "Some Corporation", ticker: "S.C", isClosed: false }])
  yield* entities.keepAlliances([{ id: alliance, name: "Some Alliance", ticker: "ALLY", isClosed: false }])
  yield* sql`insert into solar_systems values (${mail!.solar_system_id}, 'Somewhere', 1, 1, 0)`
  yield* sql`insert into character_groups (character_id, main_character_id) values (7, ${BigInt(pilot)})`
})

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly data: unknown
  readonly errors: ReadonlyArray<{ readonly message: string; readonly extensions?: { readonly code?: string } }>
}

const send = (path: string, init: RequestInit = {}) =>
  Effect.flatMap(ApiDaemon, ({ url }) =>
    Effect.promise(async (): Promise<Answer> => {
      const response = await fetch(url + path, init)
      const text = await response.text()
      const { data, errors = [] } = text.startsWith("{") ? JSON.parse(text) as Partial<Answer> : {}
      return { status: response.status, headers: response.headers, text, data, errors }
    }))

const post = (body: string, headers: Record<string, string> = {}) =>
  send("/graphql", { method: "POST", body, headers: { "content-type": "application/json", ...headers } })

const ask = (query: string, variables: Record<string, unknown> = {}, headers: Record<string, string> = {}) =>
  post(JSON.stringify({ query, variables }), headers)

/** What REST answers. */
const rest = (path: string) => Effect.map(send(`/api/v1/${path}`), ({ text }): unknown => JSON.parse(text))

/** What stands at a path of names; a test that looks there asserts what it finds. */
const at = (value: unknown, path: string): unknown =>
  path.split(".").reduce((found, name) => (found as Record<string, unknown>)[name], value)
/** The same of each in the list there. */
const each = (value: unknown, list: string, name: string): ReadonlyArray<unknown> =>
  (at(value, list) as ReadonlyArray<unknown>).map((one) => at(one, name))

layer(ApiDaemon.layer(mails, prepared), { excludeTestServices: true, timeout: 60_000 })("a query of GraphQL", (it) => {
  it.effect("is told of a killmail what REST tells, in camelCase", () =>
    Effect.gen(function*() {
      const { data } = yield* ask(`{ killmail(id: ${mail!.killmail_id}) {
        killmailId killmailTime hash sequence value { total } points npc
        victim { shipTypeId damageTaken position { x y z } items { itemTypeId flag items { itemTypeId } } }
        attackers { characterId damageDone finalBlow securityStatus }
        analysis { attackerCount characters { id share } }
      } }`)
      const told = yield* rest(`killmails/${mail!.killmail_id}`)
      for (
        const [graphql, contract] of [
          ["killmailId", "killmail_id"],
          ["killmailTime", "killmail_time"],
          ["hash", "hash"],
          ["sequence", "sequence"],
          ["value", "value"],
          ["points", "points"],
          ["victim.position", "victim.position"],
          ["victim.damageTaken", "victim.damage_taken"],
          ["analysis.attackerCount", "analysis.attacker_count"]
        ] as const
      ) assert.deepStrictEqual(at(data, `killmail.${graphql}`), at(told, contract), graphql)
      for (
        const [list, graphql, contract] of [
          ["victim.items", "itemTypeId", "item_type_id"],
          ["attackers", "damageDone", "damage_done"],
          ["attackers", "finalBlow", "final_blow"],
          ["attackers", "securityStatus", "security_status"],
          ["analysis.characters", "share", "share"]
        ] as const
      ) assert.deepStrictEqual(each(data, `killmail.${list}`, graphql), each(told, list, contract), graphql)
      assert.deepStrictEqual(
        each(data, "killmail.attackers", "characterId"),
        each(told, "attackers", "character_id").map((id) => id ?? null)
      )
      assert.deepStrictEqual((yield* ask("{ killmail(id: 1) { hash } }")).data, { killmail: null })
    }))

  it.effect("leads from a killmail to who and what is on it", () =>
    Effect.gen(function*() {
      const { data } = yield* ask(`{ killmail(id: ${mail!.killmail_id}) {
        solarSystem { id name }
        victim {
          character { name corporationId group { mainCharacterId alts } }
          corporation { name ticker }
          alliance { allianceId ticker seenAt }
          shipType { id name }
        }
      } }`)
      assert.deepStrictEqual(at(data, "killmail.solarSystem"), { id: mail!.solar_system_id, name: "Somewhere" })
      assert.deepStrictEqual(at(data, "killmail.victim.character"), {
        name: "Some Pilot",
        corporationId: corporation,
        group: { mainCharacterId: pilot, alts: [7] }
      })
      assert.deepStrictEqual(at(data, "killmail.victim.corporation"), { name: "Some Corporation", ticker: "S.C" })
      const seenAt = at(yield* rest(`alliances/${alliance}`), "seen_at")
      assert.deepStrictEqual(at(data, "killmail.victim.alliance"), { allianceId: alliance, ticker: "ALLY", seenAt })
      assert.deepStrictEqual(at(data, "killmail.victim.shipType"), { id: mail!.victim.ship_type_id, name: null })
    }))

  it.effect("is answered with pages of killmails that fit the filter of REST", () =>
    Effect.gen(function*() {
      const query = `query ($filter: KillmailFilter, $cursor: String) {
        killmails(filter: $filter, cursor: $cursor, limit: 7) { nextCursor data { killmailId } }
      }`
      const seen: Array<unknown> = []
      let cursor: unknown = null
      do {
        const { data }: Answer = yield* ask(query, { cursor })
        seen.push(...each(data, "killmails.data", "killmailId"))
        cursor = at(data, "killmails.nextCursor")
      } while (cursor !== null)
      assert.deepStrictEqual(seen, each(yield* rest("killmails?limit=1000"), "data", "killmail_id"))

      for (
        const [filter, fields] of [
          [{ character: pilot, role: "victim" }, `character=${pilot}&role=victim`],
          [{ system: [mail!.solar_system_id], minAttackers: 2 }, `system=${mail!.solar_system_id}&min_attackers=2`],
          [{ security: ["highsec"], npc: null }, "security=highsec"],
          [{ since: "2026-01-01T00:02:00Z" }, "since=2026-01-01T00:02:00Z"]
        ] as const
      ) {
        const { data } = yield* ask(query, { filter })
        const told = yield* rest(`killmails?limit=7&${fields}`)
        assert.deepStrictEqual(each(data, "killmails.data", "killmailId"), each(told, "data", "killmail_id"), fields)
      }
    }))

  it.effect("is told what a character, corporation or alliance did", () =>
    Effect.gen(function*() {
      for (const [kind, id] of [["character", pilot], ["corporation", corporation], ["alliance", alliance]] as const) {
        const { data } = yield* ask(`{ ${kind}(id: ${id}) {
          name stats { all { kills losses iskLost } days { day losses } } killmails(limit: 3) { data { killmailId } }
        } }`)
        const told = yield* rest(`${kind}s/${id}/stats`)
        assert.strictEqual(at(data, `${kind}.stats.all.losses`), at(told, "all.losses"))
        assert.deepStrictEqual(each(data, `${kind}.stats.days`, "day"), each(told, "days", "day"))
        const killmails = yield* rest(`${kind}s/${id}/killmails?limit=3`)
        assert.deepStrictEqual(
          each(data, `${kind}.killmails.data`, "killmailId"),
          each(killmails, "data", "killmail_id")
        )
        assert.deepStrictEqual((yield* ask(`{ ${kind}(id: 5) { name } }`)).data, { [kind]: null })
      }
    }))

  it.effect("is told of the queue if it is the operator's", () =>
    Effect.gen(function*() {
      const query = "{ workerStatus { queueName messageCount consumerCount activeCount failedCount } }"
      for (const authorization of [undefined, "Bearer wrong", "operator"]) {
        const { data, errors } = yield* ask(query, {}, authorization === undefined ? {} : { authorization })
        assert.strictEqual(errors[0]?.extensions?.code, "UNAUTHENTICATED")
        assert.isNull(data)
      }
      const { data, headers } = yield* ask(query, {}, { authorization: "Bearer operator" })
      assert.strictEqual(headers.get("cache-control"), "no-store")
      assert.include(each(data, "workerStatus", "queueName"), "clean_up")
      assert.deepStrictEqual([...new Set(each(data, "workerStatus", "consumerCount"))], [1])
    }))

  it.effect("may be asked by GET, and of the schema", () =>
    Effect.gen(function*() {
      const query = "query Known($id: Long!) { killmail(id: $id) { hash } __schema { queryType { name } } }"
      const variables = JSON.stringify({ id: mail!.killmail_id })
      const { data, status } = yield* send(`/graphql?${new URLSearchParams({ query, variables })}`)
      assert.strictEqual(status, 200)
      assert.match(String(at(data, "killmail.hash")), /^[0-9a-f]{40}$/)
      assert.strictEqual(at(data, "__schema.queryType.name"), "Query")
    }))

  it.effect("is refused in one sentence that says what is wrong", () =>
    Effect.gen(function*() {
      const page = "{ data { hash } }"
      for (
        const [query, message] of [
          ["{", /^Syntax Error: Expected Name, found <EOF>\.$/],
          ["{ killmial }", /^Cannot query field "killmial" on type "Query"\.$/],
          [`{ killmails(filter: { colour: 1 }) ${page} }`, /unknown field "colour"/],
          [`{ killmails(filter: { minValue: -1 }) ${page} }`, /^minValue: got -1, wants ISK in all, this or more\.$/],
          [`{ killmails(filter: { minValue: 2, maxValue: 1 }) ${page} }`, /^minValue: got 2, wants at most maxValue/],
          [`{ killmails(filter: { region: [] }) ${page} }`, /^region: got \[\], wants ids of regions/],
          [`{ killmails(limit: 1001) ${page} }`, /^limit: got 1001, wants 1 to 1000\.$/],
          [`{ killmails(cursor: "x") ${page} }`, /^cursor: wants the nextCursor of the page before\.$/],
          ["{ killmail(id: 1.5) { hash } }", /^Long: got "1\.5", wants a whole number below 2\^53\.$/],
          ["{ killmail(id: 9007199254740993) { hash } }", /^Long: got/],
          [
            "{ killmails(limit: 1000) { data { attackers { character { name } corporation { name ticker } } } } }",
            /^The query asks/
          ],
          ["subscription { killmail { hash } }", /^Wants a query here/],
          ["mutation { killmail }", /mutation/],
          ["query A { __typename } query B { __typename }", /^operationName: wants the name of one/]
        ] as const
      ) {
        const { errors, status, text } = yield* ask(query)
        assert.strictEqual(status, 200, query)
        assert.match(errors[0]?.message ?? text, message)
        assert.notMatch(text, /node_modules|\.ts:|at .*\(/)
        const strict = yield* ask(query, {}, { accept: "application/graphql-response+json" })
        assert.include([200, 400], strict.status)
      }
    }))

  it.effect("is refused with a status where it is none", () =>
    Effect.gen(function*() {
      for (const body of ["", "{", "null", "7", "{}", "{\"query\":1}", "{\"query\":\"{a}\",\"variables\":[]}"]) {
        const { errors, status } = yield* post(body)
        assert.strictEqual(status, 400, body)
        assert.match(errors[0]!.message, /^The request is no question of GraphQL: .*\.$/)
      }
      const batch = yield* post("[{\"query\":\"{ __typename }\"}]")
      assert.strictEqual(batch.status, 400)
      assert.match(batch.errors[0]!.message, /wants one operation, not a list of them\.$/)
      assert.strictEqual((yield* send("/graphql")).status, 400)
      assert.strictEqual((yield* send("/graphql", { method: "DELETE" })).status, 405)
      const form = yield* post("query={a}", { "content-type": "application/x-www-form-urlencoded" })
      assert.strictEqual(form.status, 415)
      assert.strictEqual((yield* post("x".repeat(1_000_001))).status, 413)
      assert.strictEqual((yield* ask("{ __typename }", {}, { accept: "image/png" })).status, 406)
    }))
})
