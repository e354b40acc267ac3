import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber } from "effect"
import { JobPostponed } from "../../src/jobs/Job.ts"
import { changed, mailOf } from "../support/Mails.ts"
import { eventually } from "../support/TestDaemon.ts"
import { ago, day, hour, mailsOf, makeWorld, pilot, type Task } from "./EntitiesWorld.ts"

const postponedBy = (exit: Exit.Exit<unknown, unknown>): number | undefined => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof JobPostponed ? error.delayMillis : undefined
}

type World = Effect.Success<typeof makeWorld>

/** How many are without a name, deleted, and still wanted, over all three tables. */
const counts = ({ sql }: World) =>
  Effect.map(
    sql<{ nameless: number; deleted: number; wanted: number }>`
      select count(*) filter (where name is null)::int as nameless, count(deleted_at)::int as deleted,
        count(wanted_from)::int as wanted
      from (
        select name, deleted_at, wanted_from from characters
        union all
        select name, deleted_at, wanted_from from corporations
        union all
        select name, deleted_at, wanted_from from alliances
      ) entities`,
    ([row]) => row!
  )

describe("who is seen on killmails", () => {
  it.live("is learnt in the fewest requests that ESI allows", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* world.publish(mailsOf(0, 2400))
      yield* world.runAll
      // A thousand names a request; 24 corporations and 5 alliances, whose tickers come one by one; no affiliations.
      assert.deepStrictEqual(world.asked(), {
        "/universe/names": 3,
        "/corporations/{id}": 24,
        "/alliances/{id}": 5
      })
      assert.deepStrictEqual(yield* counts(world), { nameless: 0, deleted: 0, wanted: 0 })
      const { alliance_id, character_id, corporation_id } = pilot(2399)
      assert.deepStrictEqual(
        yield* world.namesOf(character_id, corporation_id, alliance_id),
        Object.fromEntries(
          [character_id, corporation_id, alliance_id].map((id) => [id, world.sandbox.census.nameOf(id)])
        )
      )
      assert.deepStrictEqual(world.sandbox.violations(), [])
    }))

  it.live("is not asked about again, wherever it is seen", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* world.publish(mailsOf(0, 30))
      yield* world.runAll
      const before = world.asked()
      yield* world.publish(
        mailsOf(0, 30, ago(60_000)).map((mail) => changed(mail, { killmail_id: mail.killmail_id + 1_000_000 }))
      )
      yield* world.runAll
      assert.deepStrictEqual(world.asked(), before)
    }))

  it.live("is never an NPC", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* world.publish(Array.from({ length: 60 }, (_, k) => mailOf("npcs", k)))
      const [npcs] = yield* world.sql<{ npcs: number }>`
        select count(*)::int as npcs from attackers where corporation_id < 2000000 or faction_id is not null`
      assert.isAbove(npcs!.npcs, 0)
      yield* world.runAll
      const ids = world.bodies().flatMap((line) => [...line.matchAll(/\d+/g)].map(([id]) => Number(id)))
      assert.isAbove(ids.length, 100)
      assert.deepStrictEqual(ids.filter((id) => id < 90_000_000), [])
      assert.deepStrictEqual(world.sandbox.violations(), [])
    }))
})

describe("those whom ESI does not know", () => {
  it.live("cost at most eleven questions each, and one about each alone, and hold up nobody", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      const unknown = [3, 411, 998].map((k) => pilot(k).character_id)
      for (const id of unknown) world.sandbox.census.forget(id)
      yield* world.publish(mailsOf(0, 999))
      yield* world.runAll
      const asked = world.asked()
      assert.isAtMost(asked["/universe/names"]!, 1 + unknown.length * 11)
      assert.strictEqual(asked["/characters/{id}"], unknown.length)
      assert.deepStrictEqual(yield* counts(world), { nameless: 3, deleted: 3, wanted: 0 })
      assert.deepStrictEqual(world.sandbox.violations(), [])
      const names = asked["/universe/names"]!
      yield* world.publish(mailsOf(1500, 3))
      yield* world.runAll
      assert.strictEqual(world.asked()["/universe/names"], names + 1)
    }))

  it.live("and are many take their time, lest their errors close ESI for all", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      for (let k = 0; k < 12; k++) world.sandbox.census.forget(pilot(k).character_id)
      yield* world.publish(mailsOf(0, 30))
      yield* world.run("refresh_characters")
      assert.strictEqual(world.asked()["/characters/{id}"], 5)
      const [job] = yield* world.sql`
        select round(extract(epoch from run_at - now()) / 60)::int as minutes from graphile_worker.jobs
        where key = 'refresh_characters'`
      assert.deepStrictEqual(job, { minutes: 1 })
      yield* world.runAll
      assert.deepStrictEqual(yield* counts(world), { nameless: 12, deleted: 12, wanted: 0 })
      assert.deepStrictEqual(world.sandbox.violations(), [])
    }))

  it.live("by name, as they were made within the hour, are asked about alone", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      const { character_id } = pilot(1)
      world.sandbox.intercept(({ body, path }) =>
        path === "/universe/names" && body.includes(String(character_id))
          ? { status: 404, body: "{\"error\":\"Ensure all IDs are valid before resolving.\"}" }
          : undefined
      )
      yield* world.publish(mailsOf(0, 3))
      yield* world.runAll
      assert.deepStrictEqual(yield* counts(world), { nameless: 0, deleted: 0, wanted: 0 })
      assert.strictEqual(world.asked()["/characters/{id}"], 1)
    }))

  it.live("any more are marked: deleted characters, closed corporations and alliances, and those that never were", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      const { alliance_id, character_id, corporation_id } = pilot(0)
      for (const id of [character_id, corporation_id, alliance_id]) world.sandbox.census.end(id)
      world.sandbox.census.forget(pilot(100).corporation_id)
      world.sandbox.census.forget(pilot(500).alliance_id)
      yield* world.publish([...mailsOf(0, 3, ago(30 * day)), ...mailsOf(100, 3), ...mailsOf(500, 3)])
      yield* world.runAll
      const gone = yield* world.sql`
        select character_id::int as id, name is not null as named from characters where deleted_at is not null
        union all
        select corporation_id::int, name is not null from corporations where deleted_at is not null
        union all
        select alliance_id::int, name is not null from alliances where deleted_at is not null
        order by id`
      assert.deepStrictEqual(gone, [
        { id: character_id, named: true },
        { id: corporation_id, named: true },
        { id: pilot(100).corporation_id, named: false },
        { id: alliance_id, named: true },
        { id: pilot(500).alliance_id, named: false }
      ])
      assert.deepStrictEqual(world.sandbox.violations(), [])
    }))
})

describe("what changes", () => {
  it.live("in names is noticed when somebody is seen after a week", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      const { character_id, corporation_id } = pilot(0)
      yield* world.publish(mailsOf(0, 3, ago(2 * hour)))
      yield* world.runAll
      world.sandbox.census.rename(character_id, "Another Name")
      world.sandbox.census.rename(corporation_id, "Another Corporation")
      for (const table of ["characters", "corporations"]) {
        yield* world.sql`update ${world.sql(table)} set refreshed_at = refreshed_at - interval '8 days'`
      }
      // The sandbox cannot know that a week went by.
      world.sandbox.clientLost()
      yield* world.publish(mailsOf(0, 3, ago(60_000)).map((mail) => changed(mail, { killmail_id: 1 })))
      yield* world.runAll
      const [row] = yield* world.sql`
        select characters.name as pilot, corporations.name as corporation
        from characters join corporations using (corporation_id) where character_id = ${BigInt(character_id)}`
      assert.deepStrictEqual(row, { pilot: "Another Name", corporation: "Another Corporation" })
    }))

  it.live("in affiliations is told by killmails, and costs one request for the new corporation", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* world.publish(mailsOf(0, 3, ago(2 * hour)))
      yield* world.runAll
      const before = world.asked()
      const [mail] = mailsOf(0, 3, ago(hour))
      const moved = { ...pilot(1), corporation_id: 98_000_777 }
      yield* world.publish([changed(mail!, { killmail_id: 1, attackers: [moved] })])
      yield* world.runAll
      assert.deepStrictEqual(world.asked(), { ...before, "/corporations/{id}": before["/corporations/{id}"]! + 1 })
      const [row] = yield* world.sql`
        select corporation_id::int from characters where character_id = ${BigInt(moved.character_id)}`
      assert.deepStrictEqual(row, { corporation_id: 98_000_777 })
    }))

  it.live("since a killmail of long ago is asked for, a thousand at a time", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      yield* world.publish(mailsOf(0, 1200, ago(400 * day)))
      world.sandbox.census.move(pilot(7).character_id, { corporation_id: 98_000_777, faction_id: 500_003 })
      yield* world.runAll
      assert.strictEqual(world.asked()["/characters/affiliation"], 2)
      assert.strictEqual(world.asked()["/universe/names"], 2)
      const [row] = yield* world.sql`
        select corporation_id::int, alliance_id, faction_id::int from characters
        where character_id = ${BigInt(pilot(7).character_id)}`
      assert.deepStrictEqual(row, { corporation_id: 98_000_777, alliance_id: null, faction_id: 500_003 })
      assert.deepStrictEqual(world.sandbox.violations(), [])
    }))
})

describe("when ESI fails", () => {
  it.live("altogether, the job comes back, and nobody is forgotten", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      let down = true
      world.sandbox.intercept(() => down ? { status: 500, body: "{\"error\":\"Internal\"}" } : undefined)
      yield* world.publish(mailsOf(0, 30))
      for (const task of ["refresh_characters", "refresh_corporations", "refresh_alliances"] satisfies Array<Task>) {
        assert.strictEqual(postponedBy(yield* world.run(task)), 60_000)
      }
      const { nameless, wanted } = yield* counts(world)
      assert.strictEqual(nameless, wanted)
      down = false
      yield* world.runAll
      assert.deepStrictEqual(yield* counts(world), { nameless: 0, deleted: 0, wanted: 0 })
    }))

  it.live("on one corporation, the others go on, and that one is asked about in an hour", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      const { corporation_id } = pilot(100)
      world.sandbox.intercept(({ path }) =>
        path === `/corporations/${corporation_id}` ? { status: 500, body: "{\"error\":\"Internal\"}" } : undefined
      )
      yield* world.publish([...mailsOf(0, 3), ...mailsOf(100, 3), ...mailsOf(200, 3)])
      const results = Object.fromEntries(yield* world.runAll)
      assert.deepStrictEqual(results["refresh_corporations"], { refreshed: 2, deleted: 0, put_off: 1 })
      const [row] = yield* world.sql`
        select name, wanted_from > now() + interval '59 minutes' as later from corporations
        where wanted_from is not null`
      assert.deepStrictEqual(row, { name: null, later: true })
    }))

  it.live("by a body that cannot be read, it is asked again", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      world.sandbox.intercept(({ count, path }) =>
        path === "/universe/names" && count === 1 ? { truncate: true } : undefined
      )
      yield* world.publish(mailsOf(0, 3))
      yield* world.runAll
      assert.deepStrictEqual(yield* counts(world), { nameless: 0, deleted: 0, wanted: 0 })
      assert.strictEqual(world.asked()["/universe/names"], 2)
    }))

  it.live("in the middle, what was answered is kept", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      world.sandbox.intercept(({ count, path }) =>
        path === "/universe/names" && count > 1 ? { status: 500, body: "{\"error\":\"Internal\"}" } : undefined
      )
      yield* world.publish(mailsOf(0, 1500))
      assert.strictEqual(postponedBy(yield* world.run("refresh_characters")), 60_000)
      const [row] = yield* world.sql`select count(name)::int as named, count(*)::int as all from characters`
      assert.deepStrictEqual(row, { named: 1000, all: 1500 })
    }))

  it.live("or we do, a second replica goes on where the first one died", () =>
    Effect.gen(function*() {
      const world = yield* makeWorld
      world.sandbox.intercept(({ path }) => path === "/universe/names" ? { delayMillis: 200 } : undefined)
      yield* world.publish(mailsOf(0, 30))
      const dying = yield* Effect.forkChild(world.run("refresh_characters"))
      yield* eventually(() => Effect.sync(() => world.asked()["/universe/names"]), (asked) => asked === 1).pipe(
        Effect.provide(world.services)
      )
      assert.strictEqual(postponedBy(yield* world.run("refresh_characters")), 2000)
      yield* Fiber.interrupt(dying)
      yield* world.runAll
      assert.deepStrictEqual(yield* counts(world), { nameless: 0, deleted: 0, wanted: 0 })
    }))
})
