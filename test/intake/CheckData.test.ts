import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { Appraiser } from "../../src/intake/Appraiser.ts"
import { checkData, type Report } from "../../src/intake/CheckData.ts"
import { Prices } from "../../src/prices/Prices.ts"
import { StaticData } from "../../src/static-data/StaticData.ts"
import { DataChecks } from "../../src/store/DataChecks.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { PriceImports } from "../../src/store/PriceImports.ts"
import { archiveOf, importFrom, inWorld, replicaOn, temporaryDirectory } from "../static-data/World.ts"
import { changed, mailOf, newKillmail, withVictim } from "../support/Mails.ts"

const rifter = 587
const tritanium = 34

const types = [
  { _key: rifter, groupID: 25, name: { en: "Rifter" }, published: true },
  { _key: tritanium, groupID: 18, name: { en: "Tritanium" }, published: true }
]

/** A day ago, as prices come a day late. */
const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10)

/** One Rifter with Tritanium in its hold, lost yesterday at noon. */
const mailNumber = (k: number): Killmail =>
  changed(
    withVictim(mailOf("check-data", k), {
      character_id: 2_112_000_000 + k,
      ship_type_id: rifter,
      items: [
        { item_type_id: tritanium, flag: 5, singleton: 0, quantity_dropped: 10 },
        { item_type_id: tritanium, flag: 5, singleton: 0, quantity_destroyed: 5 }
      ]
    }),
    {
      killmail_time: `${yesterday}T12:00:0${k % 10}Z`,
      solar_system_id: 30_000_142,
      attackers: [
        { character_id: 2_113_000_000 + k, ship_type_id: rifter, damage_done: 9, final_blow: true, security_status: 0 },
        { corporation_id: 1_000_125, ship_type_id: rifter, damage_done: 0, final_blow: false, security_status: 0 }
      ]
    }
  )

/** What zKillboard says: right, but for what is given. */
const zkbOf = (words: object = {}) => ({
  npc: false,
  solo: true,
  awox: false,
  points: 1,
  totalValue: 400_015,
  labels: ["tz:au", "cat:6", "solo", "pvp", "loc:highsec"],
  ...words
})

const nothing = () => Effect.void
const services = Appraiser.layer.pipe(
  Layer.provide(Prices.layer),
  Layer.provideMerge(StaticData.layer),
  Layer.provideMerge(DataChecks.layer)
)

/** Three killmails, appraised and stored with all that belongs to them. */
const withKillmails = <A, E>(
  test: (
    check: (day?: string) => Effect.Effect<Report, unknown>,
    sql: SqlClient.SqlClient
  ) => Effect.Effect<A, E, Appraiser | KillmailStore>
) =>
  inWorld((url) =>
    Effect.gen(function*() {
      const stores = yield* replicaOn(url, { KILLMAILD_DATA_DIR: yield* temporaryDirectory })
      const sql = Context.get(stores, SqlClient.SqlClient)
      yield* importFrom(
        yield* archiveOf({
          types,
          groups: [
            { _key: 25, categoryID: 6, name: { en: "Frigate" } },
            { _key: 18, categoryID: 4, name: { en: "Mineral" } }
          ],
          categories: [{ _key: 6, name: { en: "Ship" } }, { _key: 4, name: { en: "Material" } }],
          mapSolarSystems: [
            { _key: 30_000_142, constellationID: 1, regionID: 10_000_002, securityStatus: 0.95, name: { en: "Jita" } }
          ]
        })
      )
      yield* (yield* PriceImports).importDay(
        { day: yesterday, typeIds: Int32Array.of(rifter, tritanium), averages: Float64Array.of(400_000, 1) },
        { etag: null, listed: null }
      )
      yield* sql`delete from price_arrivals`
      const all = yield* Layer.build(services).pipe(Effect.provide(stores))
      const context = Context.merge(stores, all)
      yield* store([[mailNumber(1), zkbOf()], [mailNumber(2), undefined], [mailNumber(3), zkbOf({ points: 7 })]]).pipe(
        Effect.provide(context)
      )
      return yield* test((day) => Effect.provide(checkData(day, nothing), context), sql).pipe(Effect.provide(context))
    })
  )

const store = Effect.fnUntraced(function*(mails: ReadonlyArray<readonly [Killmail, unknown]>) {
  const appraiser = yield* Appraiser
  const batch = yield* Effect.forEach(
    mails,
    ([killmail, zkb]) =>
      Effect.map(appraiser.appraise(killmail), (appraisal) => newKillmail(killmail, { appraisal, zkb }))
  )
  yield* (yield* KillmailStore).append(batch)
})

const faultsOf = ({ checks }: Report) => checks.filter(({ ok }) => !ok).map(({ name }) => name)

describe.concurrent("a check of data", () => {
  it.live("finds all well, and where zKillboard says something else, and why", () =>
    withKillmails((check, sql) =>
      Effect.gen(function*() {
        const report = yield* check()
        assert.deepStrictEqual(faultsOf(report), [], JSON.stringify(report.checks))
        assert.strictEqual(report.killmails, 3)
        assert.deepStrictEqual(
          report.agreement.map(({ agree, differ, field }) => [field, agree, differ]),
          [["npc", 2, 0], ["solo", 2, 0], ["awox", 2, 0], ["points", 1, 1], ["total_value", 2, 0], ["labels", 2, 0]]
        )
        const { killmail_id } = mailNumber(3)
        const example = { killmail_id, ours: "1", theirs: "7" }
        assert.deepStrictEqual(report.causes, [
          { field: "points", cause: "the loss of a Rifter", killmails: 1, example }
        ])

        yield* sql`update killmails set zkb = ${
          JSON.stringify(zkbOf({ totalValue: 1, labels: ["tz:au", "pvp", "#:1"] }))
        }::jsonb`
        const { causes } = yield* check(yesterday)
        assert.deepStrictEqual(causes.map(({ cause, field, killmails }) => [field, killmails, cause]), [
          ["total_value", 3, "most of it is Rifter (market)"],
          ["labels", 3, "+cat:6 +loc:highsec +solo -#:1"]
        ])
      })
    ))

  it.live("names each fault, with examples and how to repair it", () =>
    withKillmails((check, sql) =>
      Effect.gen(function*() {
        const { killmail_id } = mailNumber(2)
        const id = BigInt(killmail_id)
        const [next] = yield* sql`select to_char(now() at time zone 'UTC' + interval '1 month', 'YYYY_MM') as month`
        const plants: ReadonlyArray<readonly [Effect.Effect<unknown, unknown>, ReadonlyArray<string>]> = [
          [sql`delete from killmails where killmail_id = ${id}`, ["ledger"]],
          [
            sql`update killmail_ledger set killmail_time = killmail_time - interval '1 second' where killmail_id = ${id}`,
            [
              "ledger",
              "killmails"
            ]
          ],
          [sql`delete from killmail_ledger where killmail_id = ${id}`, ["killmails", "sequences"]],
          [sql`delete from attackers where killmail_id = ${id} and ordinal = 0`, ["attackers", "values"]],
          [sql`insert into attackers select * from attackers where killmail_id = ${id}`, ["attackers", "values"]],
          [sql`delete from items where killmail_id = ${id} and ordinal = 0`, ["items", "values"]],
          [sql`update killmail_ledger set sequence = 5 where sequence = 3`, ["sequences"]],
          [sql.unsafe(`alter table items detach partition items_${next!["month"]}`), ["partitions"]],
          [
            Effect.andThen(
              sql`select id from graphile_worker.add_job('canary', '{}'::json, job_key => 'held')`,
              sql`update graphile_worker._private_jobs set locked_at = now() - interval '1 hour', locked_by = 'dead'`
            ),
            ["locks"]
          ],
          [sql`update killmails set total_value = null where killmail_id = ${id}`, ["valued"]],
          [sql`update killmails set total_value = 1 where killmail_id = ${id}`, ["values"]],
          [sql`update killmails set labels = '{pvp}' where killmail_id = ${id}`, ["values"]],
          [sql`update killmails set unpriced_items = 1 where killmail_id = ${id}`, ["values", "prices"]],
          [sql`update price_days set day = day - 30`, ["price age"]],
          [sql`delete from price_days`, ["price age"]],
          [sql`update static_data_imports set imported_at = imported_at - interval '1 year'`, ["static data"]],
          [sql`delete from static_data_imports`, ["static data"]]
        ]
        for (const [plant, faults] of plants) {
          const report = yield* Effect.flip(sql.withTransaction(
            Effect.andThen(plant, Effect.flatMap(check(), Effect.fail))
          )) as Effect.Effect<Report>
          assert.deepStrictEqual(faultsOf(report), faults)
          for (const { hint, ok } of report.checks) assert.strictEqual(hint === null, ok)
          const first = report.checks.find(({ ok }) => !ok)
          if (["ledger", "killmails", "attackers", "items", "valued", "values"].includes(faults[0]!)) {
            assert.deepStrictEqual(first!.examples, [killmail_id])
          }
        }
      })
    ))

  it.live("takes no value for wrong that is about to be valued anew", () =>
    withKillmails((check, sql) =>
      Effect.gen(function*() {
        yield* sql`update killmails set total_value = 1`
        assert.deepStrictEqual(faultsOf(yield* check()), ["values"])
        yield* sql`insert into price_arrivals (first_day) values (${yesterday}::date)`
        assert.deepStrictEqual(faultsOf(yield* check()), [])
      })
    ))

  it.live("of a day looks at all of it, and at nothing else", () =>
    withKillmails((check, sql) =>
      Effect.gen(function*() {
        yield* store([[changed(mailNumber(4), { killmail_time: "2020-05-05T23:59:59Z" }), undefined]])
        yield* sql`delete from items where killmail_id <> ${BigInt(mailNumber(4).killmail_id)} and ordinal = 0`
        assert.strictEqual((yield* check("2020-05-05")).killmails, 1)
        assert.notInclude(faultsOf(yield* check("2020-05-05")), "items")
        const { checks, killmails } = yield* check(yesterday)
        assert.strictEqual(killmails, 3)
        assert.match(checks.find(({ name }) => name === "items")!.finding, /^3 killmails lack items/)
        assert.strictEqual((yield* check("2019-01-01")).killmails, 0)
      })
    ))
})
