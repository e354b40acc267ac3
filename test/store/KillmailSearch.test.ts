import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import { SqlClient } from "effect/sql"
import type { KillmailRow } from "../../src/domain/Document.ts"
import type { Filter } from "../../src/domain/Filter.ts"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { matches, type Subject, subjectOf } from "../../src/domain/Matching.ts"
import { randomOf } from "../../src/sandbox/Random.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { KillmailSearch, type Place } from "../../src/store/KillmailSearch.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { StatisticsStore } from "../../src/store/StatisticsStore.ts"
import {
  facts,
  generatedFilter,
  generatedMail,
  groups,
  isk,
  labels,
  places,
  ships,
  systems
} from "../support/GeneratedFilters.ts"
import { changed, mailOf, newKillmail, withVictim } from "../support/Mails.ts"
import { withStores } from "../support/Stores.ts"

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
const allPages = Effect.fnUntraced(function*(filter: Filter, limit: number, patienceMillis?: number) {
  const search = yield* KillmailSearch
  const rows: Array<KillmailRow> = []
  let after: Place | undefined
  for (;;) {
    const page = yield* search.page(filter, { after, limit, patienceMillis })
    rows.push(...page.rows)
    if (page.next === undefined) return rows
    after = page.next
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
            // Without patience each page is what one look finds.
            const rows = yield* allPages(filter, k % 3 === 0 ? 7 : 1000, k % 8 === 0 ? 0 : undefined)
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
        assert.deepStrictEqual(idsOf(first.rows), [middle.killmail_id])
        yield* store.append([newest, late].map((mail) => newKillmail(mail)))
        const second = yield* search.page({}, { after: first.next, limit: 10 })
        assert.deepStrictEqual(idsOf(second.rows), [oldest.killmail_id, late.killmail_id])
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
        const found = Effect.map(search.page({ character: [2_122_585_718] }, { limit: 10 }), ({ rows }) => idsOf(rows))
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
        assert.strictEqual((yield* search.page({}, { limit: 10 })).rows.length, 1)
        yield* sql`update killmail_ledger set sequence = null, visible_from = 'infinity'`
        assert.deepStrictEqual(yield* search.page({}, { limit: 10 }), { rows: [], next: undefined })
      })
    ))
})
