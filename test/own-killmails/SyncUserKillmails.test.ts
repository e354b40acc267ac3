import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/TestDaemon.ts"
import {
  expire,
  fleetOf,
  happen,
  lossOf,
  nextPilot,
  OwnWorld,
  type Pilot,
  placed,
  signIn,
  stored,
  sync
} from "./OwnWorld.ts"

const asked = Effect.fnUntraced(function*(id: number) {
  const { sandbox } = yield* OwnWorld
  return sandbox.requests().filter(({ path }) => path.includes(`/${id}/killmails/recent`))
})

const named = Effect.fnUntraced(function*({ character }: Pilot) {
  const { sql } = yield* OwnWorld
  return yield* sql`select from own_killmails where kind = 'character' and id = ${BigInt(character)}`
})

const inNoViolation = Effect.gen(function*() {
  const { sandbox } = yield* OwnWorld
  assert.deepStrictEqual(sandbox.violations(), [])
})

layer(OwnWorld.layer(), { excludeTestServices: true, timeout: 60_000 })("a pilot who signed in", (it) => {
  it.effect("has all killmails that ESI lists, by ESI itself, soon and without being asked", () =>
    Effect.gen(function*() {
      const { sql } = yield* OwnWorld
      const pilot = nextPilot()
      const killmails = [lossOf(pilot), lossOf(pilot, 60 * 24 * 20)]
      yield* happen(...killmails)
      yield* signIn(pilot)
      yield* sync(pilot)
      yield* stored(killmails)
      const rows = yield* sql`
        select sightings.source, sequence is not null as "isAnnounced"
        from sightings join killmail_ledger using (killmail_id)
        where killmail_id = any(${killmails.map(({ killmail_id }) => BigInt(killmail_id))}::bigint[])
        order by killmail_time`
      // What is old is stored like history.
      assert.deepStrictEqual(rows, [
        { source: "esi_character", isAnnounced: false },
        { source: "esi_character", isAnnounced: true }
      ])
      yield* inNoViolation
    }))

  it.effect("costs one request while nothing is new, and next to nothing when ESI says so", () =>
    Effect.gen(function*() {
      const pilot = nextPilot()
      yield* happen(lossOf(pilot))
      yield* signIn(pilot)
      yield* sync(pilot)
      yield* expire
      const { result } = yield* sync(pilot)
      assert.deepInclude(result, { character: { outcome: "read", found: 0, new: 0, known: 0 } })
      assert.deepStrictEqual((yield* asked(pilot.character)).map(({ status }) => status), [200, 304])
      yield* inNoViolation
    }))

  it.effect("is found due by itself", () =>
    Effect.gen(function*() {
      const { context } = yield* OwnWorld
      const pilot = nextPilot()
      const killmail = lossOf(pilot)
      yield* happen(killmail)
      yield* signIn(pilot)
      yield* eventually(
        (sql) =>
          Effect.andThen(
            sql`update graphile_worker._private_jobs set run_at = now() where key = 'queue_user_killmails'`,
            sql`select from job_runs where character_id = ${BigInt(pilot.character)} and task = 'sync_user_killmails'`
          ),
        (rows) => rows.length > 0
      ).pipe(Effect.provide(context))
      yield* stored([killmail])
      yield* inNoViolation
    }))

  it.effect("is asked for with another token where ESI refuses the first", () =>
    Effect.gen(function*() {
      const { sandbox } = yield* OwnWorld
      const pilot = nextPilot()
      const killmail = lossOf(pilot)
      yield* happen(killmail)
      yield* signIn(pilot)
      sandbox.intercept(({ count, path }) =>
        path === `/characters/${pilot.character}/killmails/recent` && count === 1
          ? { status: 401, body: `{"error":"token is expired"}` }
          : undefined
      )
      assert.deepInclude((yield* sync(pilot)).result, { character: { outcome: "read", found: 1, new: 1, known: 0 } })
      const shown = sandbox.requests().filter(({ path }) => path === "/sso/v2/oauth/token")
      assert.isAbove(shown.length, 1)
      yield* stored([killmail])
      yield* inNoViolation
    }))

  it.effect("is not asked for before ESI's answer has expired, whoever wants it", () =>
    Effect.gen(function*() {
      const pilot = nextPilot()
      yield* signIn(pilot)
      yield* sync(pilot)
      yield* sync(pilot, { reads_all: true }, ["completed", "rescheduled"])
      assert.lengthOf(yield* asked(pilot.character), 1)
      yield* inNoViolation
    }))

  it.effect("is read to the last page at first, then to the page that names nothing new", () =>
    Effect.gen(function*() {
      const pilot = nextPilot()
      const first = Array.from({ length: 2001 }, () => lossOf(pilot, 60 * 24 * 20))
      yield* happen(...first)
      yield* signIn(pilot)
      // A reading that waits for its turn at ESI counts, after that, what it names from there.
      yield* sync(pilot)
      assert.lengthOf(yield* named(pilot), 2001)
      assert.lengthOf(yield* asked(pilot.character), 3)
      yield* expire
      yield* happen(lossOf(pilot))
      yield* sync(pilot)
      assert.lengthOf(yield* named(pilot), 2002)
      assert.lengthOf(yield* asked(pilot.character), 5)
      yield* inNoViolation
    }))
})

layer(OwnWorld.layer(), { excludeTestServices: true, timeout: 60_000 })("a corporation", (it) => {
  it.effect("has all its killmails where one of its directors signs in", () =>
    Effect.gen(function*() {
      const { corporation, killmail, pilot } = yield* fleetOf(true)
      yield* happen(killmail)
      yield* signIn(pilot)
      yield* placed(pilot)
      yield* sync(pilot)
      yield* stored([killmail])
      assert.lengthOf(yield* asked(corporation), 1)
      yield* inNoViolation
    }))

  it.effect("is asked for once with who is no director, until their roles may be others", () =>
    Effect.gen(function*() {
      const { sql } = yield* OwnWorld
      const { corporation, pilot } = yield* fleetOf(false)
      yield* signIn(pilot)
      yield* placed(pilot)
      yield* sync(pilot)
      yield* expire
      yield* sync(pilot)
      assert.deepStrictEqual((yield* asked(corporation)).map(({ status }) => status), [403])

      const { sandbox } = yield* OwnWorld
      sandbox.census.appoint(pilot.character, true)
      yield* sql`update corporation_refusals set refused_at = now() - interval '2 days'`
      yield* expire
      yield* sync(pilot)
      assert.deepStrictEqual((yield* asked(corporation)).map(({ status }) => status), [403, 200])
      yield* inNoViolation
    }))
})
