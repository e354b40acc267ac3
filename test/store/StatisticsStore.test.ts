import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option } from "effect"
import { SqlClient } from "effect/sql"
import type { Appraisal } from "../../src/domain/Judgement.ts"
import type { Attacker, Killmail } from "../../src/domain/Killmail.ts"
import { counters } from "../../src/domain/Statistics.ts"
import { KillmailCopy } from "../../src/store/KillmailCopy.ts"
import { KillmailStore, type NewKillmail } from "../../src/store/KillmailStore.ts"
import { Revaluations } from "../../src/store/Revaluations.ts"
import { StatisticsStore } from "../../src/store/StatisticsStore.ts"
import { changed, mailOf, newKillmail, withVictim } from "../support/Mails.ts"
import { replicaOn, type Stores, withStores } from "../support/Stores.ts"
import { eventually } from "../support/TestDaemon.ts"

const dayMillis = 86_400_000
const atOnce = { quietMillis: 0, longestMillis: 0 }

const chanceOf = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return Math.floor(state / 2 ** 32 * below)
  }
}
type Chance = ReturnType<typeof chanceOf>

/** Days ago: some whose days are kept, some of months whose sum is. Of enough days that few are counted anew by luck. */
const ageOf = (chance: Chance): number => chance(3) === 0 ? 480 + 90 * chance(20) : chance(60)

/** Few of everybody, so that all meet. */

const attackerOf = (chance: Chance): Attacker => {
  const corporation = 98_000_000 + chance(3)
  return {
    ...(chance(4) > 0 ? { character_id: 2_100_000_000 + chance(6) } : {}),
    ...(chance(5) > 0 ? { corporation_id: corporation } : {}),
    ...(chance(2) > 0 ? { alliance_id: 99_000_000 + corporation % 2 } : {}),
    ...(chance(5) > 0 ? { ship_type_id: 587 + chance(2) } : {}),
    damage_done: chance(1000),
    final_blow: false,
    security_status: 0
  }
}

let k = 0
const randomMail = (chance: Chance): Killmail => {
  const { alliance_id: _, character_id: __, ...victim } = mailOf("statistics", 0).victim
  const time = new Date(Date.now() - ageOf(chance) * dayMillis).toISOString().slice(0, 19) + "Z"
  const attackers = Array.from({ length: 1 + chance(4) }, () => attackerOf(chance))
  return changed(
    withVictim({ ...mailOf("statistics", k++), victim }, {
      ...(chance(4) > 0 ? { character_id: 2_100_000_000 + chance(6) } : {}),
      corporation_id: 98_000_000 + chance(3),
      ...(chance(2) > 0 ? { alliance_id: 99_000_000 + chance(2) } : {}),
      ship_type_id: 587 + chance(2),
      damage_taken: chance(1000)
    }),
    {
      killmail_time: time,
      solar_system_id: 30_000_142 + chance(3),
      attackers: attackers.map((attacker, index) => ({ ...attacker, final_blow: index === 0 }))
    }
  )
}

const randomAppraisal = (chance: Chance): Appraisal => ({
  valuation: {
    day: "2026-01-01",
    lines: [],
    destroyed: 1n,
    dropped: 0n,
    fitted: 0n,
    total: BigInt(chance(1_000_000)),
    unpriced_items: 0
  },
  points: chance(100),
  npc: chance(4) === 0,
  solo: chance(3) === 0,
  awox: false,
  labels: [],
  locationId: null,
  isProvisional: false
})

const randomMails = (chance: Chance, most: number): ReadonlyArray<NewKillmail> =>
  Array.from(
    { length: 1 + chance(most) },
    () => newKillmail(randomMail(chance), chance(5) === 0 ? {} : { appraisal: randomAppraisal(chance) })
  )

const party = (kind: string, id: string, from: string, role: string) => `
  select '${kind}' as kind, ${id}::bigint as id, '${role}' as role, mail.killmail_id as mail
  from ${from} where ${id} is not null`

/** All that has a number, as the tables of killmails say it, asked in another way than the store counts. */
const truth = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const hit = "killmails mail join attackers hit on hit.killmail_id = mail.killmail_id"
  return yield* sql`
    with parties as (
      ${
    sql.literal([
      party("character", "hit.character_id", hit, "attacker").concat(
        " and hit.character_id is distinct from victim_character_id"
      ),
      party("corporation", "hit.corporation_id", hit, "attacker"),
      party("alliance", "hit.alliance_id", hit, "attacker"),
      party("type", "hit.ship_type_id", hit, "attacker"),
      party("character", "victim_character_id", "killmails mail", "victim"),
      party("corporation", "victim_corporation_id", "killmails mail", "victim"),
      party("alliance", "victim_alliance_id", "killmails mail", "victim"),
      party("type", "victim_ship_type_id", "killmails mail", "victim"),
      party("system", "solar_system_id", "killmails mail", "place"),
      party("region", "region_id", "killmails mail join solar_systems using (solar_system_id)", "place")
    ].join(" union "))
  }
    ),
    told as (
      select parties.*, killmails.*, (killmail_time at time zone 'UTC')::date as day,
        (
          select coalesce(sum(damage_done), 0) from attackers
          where killmail_id = mail and id = case kind when 'character' then character_id
            when 'corporation' then corporation_id when 'alliance' then alliance_id when 'type' then ship_type_id end
        ) as own_damage,
        exists (
          select from attackers
          where killmail_id = mail and final_blow and id = case kind when 'character' then character_id
            when 'corporation' then corporation_id when 'alliance' then alliance_id when 'type' then ship_type_id end
        ) as struck
      from parties
      join killmails on killmail_id = mail
      where mail in (select killmail_id from killmail_ledger where sequence is not null or visible_from <= now())
    )
    select period, start::text, kind, id::float8,
      count(*) filter (where role <> 'victim')::int as kills,
      count(*) filter (where role = 'victim')::int as losses,
      count(*) filter (where role = 'victim' and is_npc)::int as npc_losses,
      count(*) filter (where role <> 'victim' and is_solo)::int as solo_kills,
      count(*) filter (where role = 'victim' and is_solo)::int as solo_losses,
      count(*) filter (where role = 'attacker' and struck)::int as final_blows,
      coalesce(sum(points) filter (where role <> 'victim'), 0)::int as points,
      coalesce(sum(case role when 'attacker' then own_damage when 'place' then victim_damage_taken end), 0)::int
        as damage_done,
      coalesce(sum(victim_damage_taken) filter (where role = 'victim'), 0)::int as damage_taken,
      coalesce(sum(total_value) filter (where role <> 'victim'), 0)::float8 as isk_destroyed,
      coalesce(sum(total_value) filter (where role = 'victim'), 0)::float8 as isk_lost
    from told
    cross join lateral (values
      ('day', day), ('month', date_trunc('month', day)::date), ('all', date '2003-05-06')
    ) as span(period, start)
    where period <> 'day' or start >= (select days_since from statistics_progress)
    group by period, start, kind, id
    order by 1, 2, 3, 4`
})

const kept = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  sql`
    select period::text, start::text, kind::text, id::float8,
      ${
    sql.literal(counters.map((name) => `${name}::${name.startsWith("isk") ? "float8" : "int"} as ${name}`).join(", "))
  }
    from statistics
    where kills > 0 or losses > 0
    order by 1, 2, 3, 4`)

/** Counts until nothing is left, and nothing is to be released. */
const settle = Effect.gen(function*() {
  const store = yield* StatisticsStore
  yield* eventually(
    (sql) => sql`select from killmail_ledger where visible_from > now() and visible_from < 'infinity'`,
    (rows) => rows.length === 0
  )
  yield* store.noteReleased
  for (;;) if ((yield* store.addPublications(7)) === 0) break
  for (;;) if (Option.isNone(yield* store.recountNext(atOnce))) break
})

const daysOf = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.all({
    kept: sql`select day::text, killmails from killmails_by_day where killmails > 0 order by 1`,
    truth: sql`
      select (killmail_time at time zone 'UTC')::date::text as day, count(*)::int as killmails
      from killmails
      where killmail_id in (select killmail_id from killmail_ledger where sequence is not null or visible_from <= now())
      group by 1
      order by 1`
  }))

const assertTrue = Effect.gen(function*() {
  const found = yield* kept
  assert.isAbove(found.length, 0)
  assert.deepStrictEqual(found, yield* truth)
  const days = yield* daysOf
  assert.deepStrictEqual(days.kept, days.truth)
})

const jitaAndAround = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  sql`
    insert into solar_systems (solar_system_id, name, constellation_id, region_id, security)
    values (30000142, 'Jita', 20000020, 10000002, 0.9), (30000143, 'Niyabainen', 20000020, 10000003, 0.9)`)

/** Killmails that are held back until `from`, an SQL expression, before anybody has counted them. */
const holdBack = (mails: ReadonlyArray<NewKillmail>, from: string) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const store = yield* KillmailStore
    const ids = mails.map(({ killmail }) => killmail.killmail_id)
    yield* whileNobodyCounts(Effect.andThen(
      store.append(mails),
      sql`
        update killmail_ledger set sequence = null, visible_from = ${sql.literal(from)}
        where killmail_id = any(${`{${ids.join()}}`}::bigint[])`
    ))
  })

const whileNobodyCounts = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const locked = yield* Deferred.make<void>()
    const done = yield* Deferred.make<void>()
    const lock = yield* Effect.forkChild(sql.withTransaction(
      sql`select from statistics_progress for update`.pipe(
        Effect.andThen(Deferred.succeed(locked, undefined)),
        Effect.andThen(Deferred.await(done))
      )
    ))
    yield* Deferred.await(locked)
    yield* Effect.ensuring(work, Deferred.succeed(done, undefined))
    yield* Fiber.join(lock)
  })

const revalueSome = (chance: Chance) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    const keys = yield* sql<{ id: number; time: string }>`
      select killmail_id::float8 as id, killmail_time::text as time from killmails order by killmail_id`
    const batch = keys.filter(() => chance(20) === 0).map((key) => ({ key, appraisal: randomAppraisal(chance) }))
    yield* (yield* Revaluations).apply(batch)
  })

/** The follower dies in the middle of a transaction. */
const dying = <A, E, R>(work: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const sql = yield* SqlClient.SqlClient
    yield* Effect.exit(sql.withTransaction(Effect.andThen(work, Effect.die("killed"))))
  })

const copy = (mails: ReadonlyArray<NewKillmail>) =>
  KillmailCopy.use((copies) =>
    copies.store(mails, { key: { source: "test", day: "2026-01-01" }, bytesRead: 1, killmails: mails.length })
  ).pipe(Effect.provide(KillmailCopy.layer))

const steps = (chance: Chance) => {
  const store = StatisticsStore
  const recount = store.use((statistics) => statistics.recountNext(atOnce))
  return [
    Effect.suspend(() => KillmailStore.use((killmails) => killmails.append(randomMails(chance, 12)))),
    Effect.suspend(() => copy(randomMails(chance, 12))),
    // What repairs a gap of the past is no news.
    Effect.suspend(() =>
      KillmailStore.use((killmails) =>
        killmails.append(randomMails(chance, 6).map((mail) => ({ ...mail, isAnnounced: chance(3) === 0 })))
      )
    ),
    Effect.suspend(() => holdBack(randomMails(chance, 3), "'infinity'")),
    Effect.suspend(() => holdBack(randomMails(chance, 3), "clock_timestamp() + interval '1 millisecond'")),
    // A feed names one that was held back: it becomes public, with a sequence.
    Effect.flatMap(SqlClient.SqlClient, (sql) =>
      sql.withTransaction(Effect.andThen(
        sql`select lock_publications()`,
        sql`
          update killmail_ledger
          set visible_from = now(), sequence = (select coalesce(max(sequence), 0) + 1 from killmail_ledger)
          where killmail_id = (
            select killmail_id from killmail_ledger where sequence is null and visible_from > clock_timestamp() limit 1)`
      ))),
    Effect.suspend(() => revalueSome(chance)),
    store.use((statistics) => statistics.addPublications(5)),
    store.use((statistics) => statistics.noteReleased),
    recount,
    recount,
    dying(store.use((statistics) => statistics.addPublications(5))),
    dying(recount),
    dying(store.use((statistics) => statistics.noteReleased)),
    Effect.suspend(() => chance(20) === 0 ? store.use((statistics) => statistics.restart) : Effect.void)
  ]
}

const randomWalk = (seed: number): Effect.Effect<void, unknown, Stores> =>
  Effect.gen(function*() {
    const chance = chanceOf(seed)
    const all = steps(chance)
    const any = () => all[chance(all.length)]!
    for (let step = 0; step < 60; step++) {
      yield* chance(2) === 0
        ? any()
        : Effect.all([any(), any()], { concurrency: 2 })
    }
    yield* settle
    yield* assertTrue
  })

describe("statistics", () => {
  for (const seed of [1, 2, 3, 4]) {
    it.live(
      `are what the killmails say, whatever happened before (seed ${seed})`,
      () =>
        withStores(() =>
          Effect.gen(function*() {
            yield* jitaAndAround
            yield* randomWalk(seed)
          })
        ),
      60_000
    )
  }

  it.live("count each killmail once when several replicas count at the same time", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const chance = chanceOf(7)
        yield* (yield* KillmailStore).append(Array.from({ length: 200 }, () => randomMails(chance, 1)[0]!))
        const another = Effect.flatMap(replicaOn(url), (replica) => Effect.provide(settle, replica))
        yield* Effect.all([settle, another, another, another], { concurrency: "unbounded" })
        yield* settle
        yield* assertTrue
      })
    ))

  it.live("keep days for 400 days and whole months, and months for ever", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* StatisticsStore
        const chance = chanceOf(5)
        yield* (yield* KillmailStore).append(Array.from({ length: 40 }, () => randomMails(chance, 1)[0]!))
        yield* settle
        // As if all were two months older.
        yield* sql`update statistics_progress set days_since = (days_since - interval '2 months')::date`
        yield* sql`
          update statistics set start = (start - interval '14 months')::date
          where period = 'day' and start < (select min(start) + 40 from statistics where period = 'day')`
        let forgotten = 0
        while (yield* store.forgetDay) forgotten += 1
        assert.isAbove(forgotten, 0)
        assert.isFalse(yield* store.forgetDay)
        const [kept] = yield* sql<Record<string, boolean>>`
          select days_since = statistics_days_since() as "hasMoved",
            days_since <= (now() at time zone 'UTC' - interval '400 days')::date as "isEnough",
            not exists (select from statistics where period = 'day' and start < days_since) as "isAll",
            (select sum(kills) from statistics where period = 'month') =
              (select sum(kills) from statistics where period = 'all') as "hasMonths"
          from statistics_progress`
        assert.deepStrictEqual(kept, { hasMoved: true, isEnough: true, isAll: true, hasMonths: true })
      })
    ))

  it.live("wait for a day that changes to come to rest, but not for ever", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* StatisticsStore
        const minute = 60_000
        const isCounted = Effect.map(
          store.recountNext({ quietMillis: minute, longestMillis: 10 * minute }),
          Option.isSome
        )
        const note = (secondsAgo: number) =>
          sql`
            insert into statistics_due (day, noted_at)
            values ('2026-01-01', now() - ${secondsAgo} * interval '1 second')`
        yield* note(30)
        assert.isFalse(yield* isCounted)
        yield* note(700)
        assert.isTrue(yield* isCounted)
        yield* note(70)
        assert.deepStrictEqual(yield* store.backlog, { publications: 0, days: 1 })
        assert.isTrue(yield* isCounted)
        assert.deepStrictEqual(yield* store.backlog, { publications: 0, days: 0 })
      })
    ))

  it.live("are right again after a restart, whatever was done to the table", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        yield* (yield* KillmailStore).append(randomMails(chanceOf(6), 40))
        yield* settle
        yield* sql`update statistics set kills = kills + 1`
        yield* sql`delete from statistics where kind = 'corporation'`
        yield* (yield* StatisticsStore).restart
        yield* settle
        yield* assertTrue
      })
    ))
})
