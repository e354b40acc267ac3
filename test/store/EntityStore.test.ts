import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import type { Attacker, Killmail } from "../../src/domain/Killmail.ts"
import { EntityStore } from "../../src/store/EntityStore.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { changed, crowd, mailOf, newKillmail, withVictim } from "../support/Mails.ts"
import { replicaOn, withStores } from "../support/Stores.ts"
import { oneWaitsForAnother } from "../support/TestDaemon.ts"

const hour = 3_600_000
const day = 24 * hour

/** So long ago, in milliseconds, as a killmail writes it. */
const ago = (millis: number): string => new Date(Date.now() - millis).toISOString().slice(0, 19) + "Z"

const pilot = 90_000_001
const victim = 90_000_002

const attacker = (fields: Partial<Attacker> = {}): Attacker => ({
  character_id: pilot,
  corporation_id: 98_000_001,
  alliance_id: 99_000_001,
  damage_done: 1,
  final_blow: true,
  security_status: -1.5,
  ...fields
})

let k = 0
/** A mail of its own, in which the victim has no corporation. */
const killOf = (time: string, ...attackers: ReadonlyArray<Attacker>): Killmail => {
  const mail = withVictim(mailOf("entities", k++), { character_id: victim })
  const { alliance_id: _, corporation_id: __, faction_id: ___, ...bare } = mail.victim
  return changed(mail, { killmail_time: time, victim: bare, attackers })
}

/** Stores and publishes these, and notes whom they name. */
const publish = Effect.fnUntraced(function*(...mails: ReadonlyArray<Killmail>) {
  const store = yield* EntityStore
  yield* (yield* KillmailStore).append(mails.map((mail) => newKillmail(mail)))
  return yield* store.notePublications(1000)
})

const character = Effect.fnUntraced(function*(id: number) {
  const sql = yield* SqlClient.SqlClient
  const [row] = yield* sql`
    select name, corporation_id::int, alliance_id::int, security_status, wanted_from is not null as wanted,
      deleted_at is not null as deleted
    from characters where character_id = ${BigInt(id)}`
  return row
})

/** As if ESI had been asked about the pilot so long ago, in milliseconds. */
const refreshedAgo = Effect.fnUntraced(function*(millis: number) {
  const sql = yield* SqlClient.SqlClient
  yield* sql`update characters set refreshed_at = ${ago(millis)}::timestamptz where character_id = ${BigInt(pilot)}`
})

/** What ESI answers of it. */
const named = (id: number) => ({ id, name: `of ${id}`, ticker: "T", isClosed: false })

const wantedCharacters = Effect.flatMap(EntityStore, (store) => store.wanted("character", 1000))

describe("a published killmail", () => {
  it.live("makes everybody in it known and wanted, but for NPCs", () =>
    withStores(() =>
      Effect.gen(function*() {
        const store = yield* EntityStore
        const noted = yield* publish(
          killOf(
            ago(hour),
            attacker(),
            { ...attacker(), character_id: 3_000_001, corporation_id: 1_000_125, alliance_id: 500_001 },
            { corporation_id: 1_000_134, faction_id: 500_019, damage_done: 1, final_blow: false, security_status: 0 }
          )
        )
        assert.strictEqual(noted, 1)
        assert.sameMembers([...(yield* wantedCharacters)], [pilot, victim])
        assert.deepStrictEqual(yield* store.wanted("corporation", 10), [98_000_001])
        assert.deepStrictEqual(yield* store.wanted("alliance", 10), [99_000_001])
        assert.deepStrictEqual(yield* store.countWanted, { character: 2, corporation: 1, alliance: 1 })
        assert.deepStrictEqual(yield* character(pilot), {
          name: null,
          corporation_id: 98_000_001,
          alliance_id: 99_000_001,
          security_status: -1.5,
          wanted: true,
          deleted: false
        })
      })
    ))

  it.live("is noted once, however many there are", () =>
    withStores(() =>
      Effect.gen(function*() {
        const store = yield* EntityStore
        const mails = Array.from({ length: 7 }, () => newKillmail(killOf(ago(hour), attacker())))
        yield* (yield* KillmailStore).append(mails)
        assert.deepStrictEqual(
          [yield* store.notePublications(5), yield* store.notePublications(5), yield* store.notePublications(5)],
          [5, 2, 0]
        )
      })
    ))

  it.live("asks for one job some seconds later, until that runs", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const jobs = sql`
          select key, priority::int, round(extract(epoch from run_at - now()))::int as seconds, locked_at is not null as locked
          from graphile_worker._private_jobs order by id`
        yield* publish(killOf(ago(hour), attacker()))
        yield* publish(killOf(ago(hour), attacker()))
        const waiting = { key: "refresh_characters", priority: 40, seconds: 10, locked: false }
        assert.deepStrictEqual(yield* jobs, [waiting])
        yield* sql`update graphile_worker._private_jobs set locked_at = now(), locked_by = 'somebody'`
        yield* publish(killOf(ago(hour), attacker()))
        assert.deepStrictEqual(yield* jobs, [{ ...waiting, key: null, locked: true }, waiting])
      })
    ))

  it.live("tells where somebody belongs now, if it is the newest", () =>
    withStores(() =>
      Effect.gen(function*() {
        yield* publish(
          killOf(ago(3 * hour), attacker()),
          killOf(ago(2 * hour), attacker({ corporation_id: 98_000_002, security_status: -1.6 })),
          killOf(ago(4 * hour), attacker({ corporation_id: 98_000_003 }))
        )
        assert.include(yield* character(pilot), { corporation_id: 98_000_002, security_status: -1.6 })
        yield* publish(killOf(ago(5 * hour), attacker({ corporation_id: 98_000_004 })))
        assert.include(yield* character(pilot), { corporation_id: 98_000_002 })
        const { alliance_id: _, ...alone } = attacker({ corporation_id: 98_000_005 })
        yield* publish(killOf(ago(hour), alone))
        assert.include(yield* character(pilot), { corporation_id: 98_000_005, alliance_id: null })
      })
    ))

  it.live("in which a pilot dies tells nothing of his security status, and takes nothing away", () =>
    withStores(() =>
      Effect.gen(function*() {
        const loss = (time: string) =>
          withVictim(killOf(time, attacker({ character_id: 90_000_009 })), { character_id: pilot })
        yield* publish(killOf(ago(3 * hour), attacker()), loss(ago(2 * hour)))
        assert.include(yield* character(pilot), { security_status: -1.5 })
        yield* publish(loss(ago(hour)))
        assert.include(yield* character(pilot), { security_status: -1.5 })
      })
    ))

  it.live("makes somebody wanted again who was last asked about a week ago, and nobody sooner", () =>
    withStores(() =>
      Effect.gen(function*() {
        const store = yield* EntityStore
        yield* publish(killOf(ago(3 * hour), attacker()))
        yield* store.keepNames([{ id: pilot, name: "Some Pilot" }])
        yield* refreshedAgo(6 * day)
        yield* publish(killOf(ago(2 * hour), attacker({ corporation_id: 98_000_002 })))
        assert.include(yield* character(pilot), { name: "Some Pilot", corporation_id: 98_000_002, wanted: false })
        yield* refreshedAgo(8 * day)
        yield* publish(killOf(ago(4 * hour), attacker()))
        assert.include(yield* character(pilot), { wanted: false })
        yield* publish(killOf(ago(hour), attacker()))
        assert.include(yield* character(pilot), { wanted: true })
      })
    ))

  it.live("names whoever was seen last first", () =>
    withStores(() =>
      Effect.gen(function*() {
        yield* publish(
          killOf(ago(3 * hour), attacker({ character_id: 90_000_011 })),
          killOf(ago(hour), attacker({ character_id: 90_000_012 })),
          killOf(ago(2 * hour), attacker({ character_id: 90_000_013 }))
        )
        assert.deepStrictEqual(
          (yield* wantedCharacters).filter((id) => id !== victim),
          [90_000_012, 90_000_013, 90_000_011]
        )
      })
    ))

  it.live("of five thousand pilots is noted in one go", () =>
    withStores(() =>
      Effect.gen(function*() {
        yield* publish(killOf(ago(hour), ...crowd(5000)))
        assert.strictEqual((yield* (yield* EntityStore).countWanted).character, 5001)
      })
    ))
})

describe("ESI's answers", () => {
  it.live("about affiliations change those whom no killmail named for a week", () =>
    withStores(() =>
      Effect.gen(function*() {
        const store = yield* EntityStore
        yield* publish(killOf(ago(6 * day), attacker()), killOf(ago(8 * day), attacker({ character_id: 90_000_021 })))
        assert.deepStrictEqual(yield* store.longUnseen([pilot, 90_000_021]), [90_000_021])
        yield* store.keepAffiliations(
          [pilot, 90_000_021].map((character_id) => ({ character_id, corporation_id: 98_000_009 }))
        )
        assert.include(yield* character(pilot), { corporation_id: 98_000_001 })
        assert.include(yield* character(90_000_021), { corporation_id: 98_000_009, alliance_id: null, wanted: true })
        assert.deepStrictEqual(yield* store.longUnseen([pilot, 90_000_021]), [])
        yield* publish(killOf(ago(2 * hour), attacker({ character_id: 90_000_021 })))
        assert.include(yield* character(90_000_021), { corporation_id: 98_000_009 })
      })
    ))

  it.live("that a character is in Doomheim mark it as deleted, until a later killmail names it", () =>
    withStores(() =>
      Effect.gen(function*() {
        const store = yield* EntityStore
        yield* publish(killOf(ago(8 * day), attacker()))
        yield* store.keepAffiliations([{ character_id: pilot, corporation_id: 1_000_001 }])
        yield* store.keepNames([{ id: pilot, name: "Some Pilot" }])
        assert.include(yield* character(pilot), { name: "Some Pilot", deleted: true, wanted: false })
        yield* publish(killOf(ago(-1000), attacker()))
        assert.include(yield* character(pilot), { deleted: false, wanted: true })
      })
    ))

  it.live("that there is none such mark it as deleted, and it is not asked about again for older killmails", () =>
    withStores(() =>
      Effect.gen(function*() {
        const store = yield* EntityStore
        yield* publish(killOf(ago(8 * day), attacker()))
        for (const kind of ["character", "corporation", "alliance"] as const) {
          yield* store.markDeleted(kind, yield* store.wanted(kind, 10))
        }
        yield* publish(killOf(ago(hour), attacker()))
        assert.deepStrictEqual(yield* store.countWanted, { character: 0, corporation: 0, alliance: 0 })
        assert.include(yield* character(pilot), { deleted: true })
      })
    ))

  it.live("that fail put one off for an hour", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* EntityStore
        yield* publish(killOf(ago(hour), attacker()))
        yield* store.putOff("character", [pilot])
        assert.deepStrictEqual(yield* wantedCharacters, [victim])
        yield* sql`update characters set wanted_from = wanted_from - interval '1 hour'`
        assert.sameMembers([...(yield* wantedCharacters)], [pilot, victim])
      })
    ))

  it.live("about corporations and alliances bring names and tickers, and tell when one is closed", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* EntityStore
        yield* publish(killOf(ago(8 * day), attacker()))
        const corporation = { id: 98_000_001, name: "Corp\0", ticker: "C.ORP", enlisted_faction_id: 500_003 }
        yield* store.keepCorporations([{ ...corporation, isClosed: false }])
        yield* store.keepAlliances([{ id: 99_000_001, name: "Alliance", ticker: "ALLY", isClosed: true }])
        assert.deepStrictEqual(
          yield* sql`select name, ticker, alliance_id, faction_id::int, deleted_at, wanted_from from corporations`,
          [{
            name: "Corp\uFFFD",
            ticker: "C.ORP",
            alliance_id: null,
            faction_id: 500_003,
            deleted_at: null,
            wanted_from: null
          }]
        )
        assert.deepStrictEqual(
          yield* sql`select name, ticker, deleted_at is not null as deleted from alliances`,
          [{ name: "Alliance", ticker: "ALLY", deleted: true }]
        )
      })
    ))

  it.live("about a corporation's alliance are older than a killmail of this hour", () =>
    withStores(() =>
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const store = yield* EntityStore
        yield* publish(killOf(ago(hour / 2), attacker()))
        yield* store.keepCorporations([{ id: 98_000_001, name: "Corp", ticker: "CORP", isClosed: false }])
        assert.deepStrictEqual(yield* sql`select alliance_id::int from corporations`, [{ alliance_id: 99_000_001 }])
      })
    ))

  it.live("wait for killmails that name the same, and never in a circle", () =>
    withStores((url) =>
      Effect.gen(function*() {
        const store = yield* EntityStore
        const sqlOther = Context.get(yield* replicaOn(url), SqlClient.SqlClient)
        yield* publish(
          killOf(ago(8 * day), attacker()),
          killOf(ago(8 * day), attacker({ corporation_id: 98_000_002, alliance_id: 99_000_002, character_id: victim }))
        )
        const corporations = [98_000_001, 98_000_002] as const
        const alliances = [99_000_001, 99_000_002] as const
        const characters = [pilot, victim] as const
        const affiliated = (character_id: number) => ({ character_id, corporation_id: corporations[0] })
        const writers = [
          ["corporation", corporations, store.keepCorporations(corporations.toReversed().map(named))],
          ["alliance", alliances, store.keepAlliances(alliances.toReversed().map(named))],
          ["character", characters, store.keepNames(characters.toReversed().map(named))],
          ["character", characters, store.keepAffiliations(characters.toReversed().map(affiliated))],
          ["character", characters, store.putOff("character", characters.toReversed())],
          ["character", characters, store.markDeleted("character", characters.toReversed())]
        ] as const
        for (const [kind, [low, high], write] of writers) {
          const name = (id: number) =>
            sqlOther`
              update ${sqlOther(`${kind}s`)} set seen_at = seen_at
              where ${sqlOther(`${kind}_id`)} = ${BigInt(id)}`
          const lowNamed = yield* Deferred.make<void>()
          const goOn = yield* Deferred.make<void>()
          const killmail = yield* Effect.forkChild(
            name(low).pipe(
              Effect.andThen(Deferred.succeed(lowNamed, undefined)),
              Effect.andThen(Deferred.await(goOn)),
              Effect.andThen(name(high)),
              sqlOther.withTransaction
            )
          )
          yield* Deferred.await(lowNamed)
          const answer = yield* Effect.forkChild(write)
          yield* oneWaitsForAnother
          yield* Deferred.succeed(goOn, undefined)
          const exits = [yield* Fiber.await(killmail), yield* Fiber.await(answer)]
          assert.deepStrictEqual(exits.map(({ _tag }) => _tag), ["Success", "Success"], kind)
        }
      })
    ))
})
