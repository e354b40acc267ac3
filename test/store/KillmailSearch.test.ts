import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Result } from "effect"
import { SqlClient } from "effect/sql"
import type { KillmailRow } from "../../src/domain/Document.ts"
import { type Filter, readFilter } from "../../src/domain/Filter.ts"
import type { Attacker, Killmail } from "../../src/domain/Killmail.ts"
import { matches, type Subject, subjectOf } from "../../src/domain/Matching.ts"
import { securityBands } from "../../src/domain/SecurityBand.ts"
import type { StaticFacts, SystemFacts, TypeFacts } from "../../src/domain/StaticData.ts"
import { type Random, randomOf } from "../../src/sandbox/Random.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { KillmailSearch, type Place, placeOf } from "../../src/store/KillmailSearch.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { StatisticsStore } from "../../src/store/StatisticsStore.ts"
import { changed, mailOf, newKillmail, withVictim } from "../support/Mails.ts"
import { withStores } from "../support/Stores.ts"

/** Small pools, so that filters and killmails meet. One id of each is unknown to the static data. */
const characters = [2_122_000_001, 2_122_000_002, 5_000_000_003]
const corporations = [98_000_001, 98_000_002, 1_000_125]
const alliances = [99_000_001, 99_000_002]
const factions = [500_001, 500_002]
const ships = [587, 588, 11_567, 99_999]
const groups = [25, 26, 30]
const systems: ReadonlyArray<SystemFacts> = [
  [30_000_142, 20_000_020, 10_000_002, 0.45],
  [30_000_001, 20_000_001, 10_000_001, 0.4499],
  [30_000_002, 20_000_001, 10_000_001, 0.0001],
  [30_000_003, 20_000_002, 10_000_001, 0],
  [30_000_004, 20_000_003, 10_000_070, 0.9],
  [31_000_001, 21_000_001, 11_000_001, -0.99],
  [32_000_001, 22_000_001, 12_000_001, 0.2]
].map(([systemId, constellationId, regionId, security]) => ({
  systemId: systemId!,
  name: `S${systemId}`,
  constellationId: constellationId!,
  regionId: regionId!,
  security: security!
}))
const systemIds = [...systems.map(({ systemId }) => systemId), 30_009_999]
const labels = ["loc:nullsec", "isk:1b+", "pvp"]
const isk = [0, 0.01, 1_000_000, 1e9, 123_456_789_012.34]
const places = [40_000_001, 40_000_002]
/** Around the ends of months, lately and long ago. */
const days = [
  "2009-03-31T23:59:59Z",
  "2009-04-01T00:00:00Z",
  "2012-07-15T12:00:00Z",
  "2015-12-31T23:59:59Z",
  "2025-12-31T23:59:59Z",
  "2026-01-01T00:00:00Z",
  "2026-01-15T12:00:00Z",
  "2026-02-01T00:00:00Z"
]

const facts: StaticFacts = {
  type: (typeId) => {
    const at = ships.indexOf(typeId)
    return groups[at] === undefined ? undefined : { typeId, groupId: groups[at] } as TypeFacts
  },
  system: (systemId) => systems.find((system) => system.systemId === systemId)
}

const generatedMail = (k: number): Killmail => {
  const random = randomOf("filters", "mail", k)
  const base = mailOf("filters", k)
  const some = <A>(from: ReadonlyArray<A>): A | undefined => random.chance(0.7) ? random.pick(from) : undefined
  const party = () =>
    Object.fromEntries(
      Object.entries({
        character_id: some(characters),
        corporation_id: some(corporations),
        alliance_id: some(alliances),
        faction_id: some(factions)
      }).filter(([, id]) => id !== undefined)
    )
  const ship = some(ships)
  return {
    killmail_id: base.killmail_id,
    killmail_time: random.pick(days),
    solar_system_id: random.pick(systemIds),
    ...(random.chance(0.3) ? { war_id: random.whole(1, 2) } : {}),
    victim: {
      ...party(),
      ship_type_id: random.pick(ships),
      damage_taken: 1,
      ...(random.chance(0.8) ? { position: { x: random.whole(-3, 3), y: random.whole(-3, 3), z: 0 } } : {}),
      items: []
    },
    attackers: Array.from({ length: random.whole(0, 4) }, (_, at): Attacker => ({
      ...party(),
      ...(ship === undefined ? {} : { ship_type_id: ship }),
      damage_done: 1,
      final_blow: at === 0,
      security_status: 0
    }))
  }
}

const someOf = <A>(random: Random, from: ReadonlyArray<A>): ReadonlyArray<A> =>
  Array.from({ length: random.whole(1, 3) }, () => random.pick(from))

/** One to four fields with values of the pools, and of nowhere. */
const generatedFilter = (k: number): Filter => {
  const random = randomOf("filters", "filter", k)
  const values: Readonly<Record<string, () => unknown>> = {
    character: () => someOf(random, [...characters, 1]),
    corporation: () => someOf(random, corporations),
    alliance: () => someOf(random, alliances),
    faction: () => someOf(random, factions),
    ship: () => someOf(random, ships),
    ship_group: () => someOf(random, groups),
    system: () => someOf(random, systemIds),
    constellation: () => someOf(random, systems.map(({ constellationId }) => constellationId)),
    region: () => someOf(random, systems.map(({ regionId }) => regionId)),
    location: () => someOf(random, places),
    security: () => someOf(random, securityBands),
    war: () => someOf(random, [1, 2, 9_000_000_000]),
    label: () => someOf(random, [...labels, "it's {\"}"]),
    min_value: () => random.pick(isk),
    max_value: () => random.pick(isk),
    min_attackers: () => random.whole(0, 4),
    max_attackers: () => random.whole(0, 4),
    npc: () => random.chance(0.5),
    solo: () => random.chance(0.5),
    awox: () => random.chance(0.5),
    since: () => random.pick([...days, "2026-01-01"]),
    until: () => random.pick([...days, "2026-02-01"])
  }
  const chosen = Array.from({ length: random.whole(0, 4) }, () => random.pick(Object.keys(values)))
  const filter = {
    ...Object.fromEntries(chosen.map((name) => [name, values[name]!()])),
    ...(random.chance(0.5) ? { role: random.pick(["any", "victim", "attacker"]) } : {}),
    ...(random.chance(0.1)
      ? { system: [random.pick(systemIds)], near: [random.whole(-3, 3), 1, 0], within: random.whole(0, 4) }
      : {})
  }
  return Result.getOrElse(readFilter(filter), () => ({}))
}

/** Killmails with every combination of what is known and what is not. */
const prepare = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  for (const system of systems) {
    const { constellationId, name, regionId, security, systemId } = system
    yield* sql`insert into solar_systems values (${systemId}, ${name}, ${constellationId}, ${regionId}, ${security})`
  }
  for (const [at, group] of groups.entries()) {
    yield* sql`insert into types (type_id, name, group_id, published) values (${ships[at]}, 'ship', ${group}, true)`
  }
  const mails = Array.from({ length: 150 }, (_, k) => generatedMail(k + 1))
  yield* Effect.flatMap(KillmailStore, (store) => store.append(mails.map((mail) => newKillmail(mail))))
  const reader = yield* KillmailReader
  const subjects: Array<Subject> = []
  for (const [k, { killmail_id }] of mails.entries()) {
    const random = randomOf("filters", "appraisal", k)
    const maybe = <A>(from: ReadonlyArray<A>): A | null => random.chance(0.8) ? random.pick(from) : null
    yield* sql`
      update killmails
      set total_value = ${maybe(isk.map(String))}::numeric, is_npc = ${maybe([true, false])}::boolean,
        is_solo = ${maybe([true, false])}::boolean, is_awox = ${maybe([true, false])}::boolean,
        labels = ${maybe([`{${labels.slice(0, 2).join()}}`, "{pvp}", "{}"])}::text[],
        location_id = ${maybe(places)}::bigint
      where killmail_id = ${BigInt(killmail_id)}`
    subjects.push(subjectOf(Option.getOrThrow(yield* reader.find(killmail_id)), facts))
  }
  return subjects
})

/** Has the statistics know of all that is stored: who was never seen is then not looked for long ago. */
const count = Effect.gen(function*() {
  const statistics = yield* StatisticsStore
  while ((yield* statistics.addPublications(1000)) > 0);
  while (Option.isSome(yield* statistics.recountNext({ quietMillis: 0, longestMillis: 0 })));
})

const newestFirst = (a: KillmailRow, b: KillmailRow) =>
  Date.parse(b.killmail_time) - Date.parse(a.killmail_time) || b.killmail_id - a.killmail_id

const idsOf = (rows: ReadonlyArray<KillmailRow>) => rows.map(({ killmail_id }) => killmail_id)

/** All pages, one after another. */
const allPages = Effect.fnUntraced(function*(filter: Filter, limit: number) {
  const search = yield* KillmailSearch
  const rows: Array<KillmailRow> = []
  let after: Place | undefined
  for (;;) {
    const page = yield* search.page(filter, { after, limit })
    rows.push(...page)
    if (page.length < limit) return rows
    after = placeOf(page.at(-1)!)
  }
})

describe("searching killmails", () => {
  it.live(
    "finds in SQL what the pure filter finds, newest first, for any filter and any size of page",
    () =>
      withStores(() =>
        Effect.gen(function*() {
          const subjects = yield* prepare
          let found = 0
          for (let k = 0; k < 400; k++) {
            // What the statistics know of makes it faster, and nothing else.
            if (k === 150) yield* count
            const filter = generatedFilter(k)
            const wanted = subjects.filter(matches(filter)).map(({ row }) => row).toSorted(newestFirst)
            const rows = yield* allPages(filter, k % 3 === 0 ? 7 : 1000)
            assert.deepStrictEqual(idsOf(rows), idsOf(wanted), JSON.stringify(filter))
            if (wanted.length > 0 && wanted.length < subjects.length) found++
          }
          // Filters that fit all or nothing would prove little.
          assert.isAbove(found, 100)
        })
      ),
    60_000
  )

  it.live("shows everything once while newer and older killmails arrive between two pages", () =>
    withStores(() =>
      Effect.gen(function*() {
        const search = yield* KillmailSearch
        const store = yield* KillmailStore
        const [newest, middle, oldest, late] = [1, 2, 3, 4].map((k) => mailOf("pages", k))
          .toSorted((a, b) => a.killmail_time < b.killmail_time ? 1 : -1) as [Killmail, Killmail, Killmail, Killmail]
        yield* store.append([middle, oldest].map((mail) => newKillmail(mail)))
        const first = yield* search.page({}, { limit: 1 })
        assert.deepStrictEqual(idsOf(first), [middle.killmail_id])
        yield* store.append([newest, late].map((mail) => newKillmail(mail)))
        const second = yield* search.page({}, { after: placeOf(first[0]!), limit: 10 })
        assert.deepStrictEqual(idsOf(second), [oldest.killmail_id, late.killmail_id])
      })
    ))

  it.live("finds a killmail of long ago as soon as it is stored, counted or not, and when it is released", () =>
    withStores(() =>
      Effect.gen(function*() {
        const search = yield* KillmailSearch
        const store = yield* KillmailStore
        const sql = yield* SqlClient.SqlClient
        const mail = withVictim(changed(mailOf("long ago", 1), { killmail_time: "2010-05-05T05:05:05Z" }), {
          character_id: 2_122_585_718
        })
        const found = Effect.map(search.page({ character: [2_122_585_718] }, { limit: 10 }), idsOf)
        yield* count
        assert.deepStrictEqual(yield* found, [])
        yield* store.append([newKillmail(mail)])
        assert.deepStrictEqual(yield* found, [mail.killmail_id])
        yield* count
        assert.deepStrictEqual(yield* found, [mail.killmail_id])
        // Held back, and counted without it; then its time has come.
        yield* sql`update killmail_ledger set sequence = null, visible_from = 'infinity'`
        yield* sql`select restart_statistics()`
        yield* count
        assert.deepStrictEqual(yield* found, [])
        yield* sql`update killmail_ledger set visible_from = now()`
        assert.deepStrictEqual(yield* found, [mail.killmail_id])
      })
    ))

  it.live("shows no killmail that is withheld", () =>
    withStores(() =>
      Effect.gen(function*() {
        const search = yield* KillmailSearch
        const store = yield* KillmailStore
        const sql = yield* SqlClient.SqlClient
        yield* store.append([newKillmail(mailOf("withheld", 1))])
        assert.strictEqual((yield* search.page({}, { limit: 10 })).length, 1)
        yield* sql`update killmail_ledger set sequence = null, visible_from = 'infinity'`
        assert.deepStrictEqual(yield* search.page({}, { limit: 10 }), [])
      })
    ))
})
