import { assert, layer } from "@effect/vitest"
import { Context, Effect } from "effect"
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import { KillmailReader } from "../../src/store/KillmailReader.ts"
import { type Browser, makeBrowser } from "../support/Browser.ts"
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

interface Own {
  readonly killmail_id: number
  readonly public: boolean
  readonly visible_from: string | null
}

const ownIds = Effect.fnUntraced(function*(browser: Browser, query = "") {
  const { url } = yield* OwnWorld
  const { json, status, text } = yield* browser.go(`${url}/api/v1/me/killmails${query}`)
  assert.strictEqual(status, 200, text)
  return json["data"] as ReadonlyArray<Own>
})

const ids = (browser: Browser) => Effect.map(ownIds(browser), (own) => own.map(({ killmail_id }) => killmail_id))

const holdBack = Effect.fnUntraced(function*(browser: Browser, { character }: Pilot, hours: number | "always" | null) {
  const { url } = yield* OwnWorld
  return yield* browser.send("PUT", `${url}/api/v1/me/characters/${character}/killmail-privacy`, {
    held_back: hours
  })
})

const publicStatus = Effect.fnUntraced(function*({ killmail_id }: Killmail) {
  const { url } = yield* OwnWorld
  return (yield* makeBrowser().go(`${url}/api/v1/killmails/${killmail_id}`)).status
})

const signedInWith = Effect.fnUntraced(function*(heldBack: number | "always") {
  const pilot = nextPilot()
  const browser = yield* signIn(pilot)
  const { status, text } = yield* holdBack(browser, pilot, heldBack)
  assert.strictEqual(status, 204, text)
  return { pilot, browser }
})

/** A pilot whose killmail is stored, and held back. */
const withheld = Effect.fnUntraced(function*(heldBack: number | "always") {
  const { browser, pilot } = yield* signedInWith(heldBack)
  const killmail = lossOf(pilot)
  yield* happen(killmail)
  yield* sync(pilot)
  yield* stored([killmail])
  return { browser, pilot, killmail }
})

const submit = Effect.fnUntraced(function*(browser: Browser, killmail: Killmail, hash = hashOf(killmail)) {
  const { url } = yield* OwnWorld
  return yield* browser.send("POST", `${url}/api/v1/killmails`, { killmail_id: killmail.killmail_id, hash })
})

layer(OwnWorld.layer(), { excludeTestServices: true, timeout: 60_000 })("a killmail that is held back", (it) => {
  it.effect("is shown to its pilot alone, until its time has come: then it is told, under the next number", () =>
    Effect.gen(function*() {
      const { context, sql } = yield* OwnWorld
      const { browser, killmail } = yield* withheld(24)
      assert.strictEqual(yield* publicStatus(killmail), 404)
      const [own] = yield* ownIds(browser)
      assert.deepInclude(own, { killmail_id: killmail.killmail_id, public: false })
      assert.strictEqual(Date.parse(own!.visible_from!), Date.parse(killmail.killmail_time) + 24 * 3_600_000)
      const other = yield* signIn(nextPilot())
      assert.deepStrictEqual(yield* ownIds(other), [])

      const [job] = yield* sql<
        { at: Date }
      >`select run_at as at from graphile_worker.jobs where task_identifier = 'publish_withheld'`
      assert.strictEqual(job!.at.toISOString(), own!.visible_from)
      const before = yield* Context.get(context, KillmailReader).lastSequence
      yield* sql`update killmail_ledger set visible_from = clock_timestamp() where visible_from > now()`
      yield* sql`update graphile_worker._private_jobs set run_at = now() where key like 'publish_withheld:%'`
      yield* sql`select pg_notify('jobs:insert', '{"count":1}')`
      const [row] = yield* eventually(
        (sql) =>
          sql<{ sequence: number }>`
            select sequence::float8 as sequence from killmail_ledger
            where killmail_id = ${BigInt(killmail.killmail_id)} and sequence is not null`,
        (rows) => rows.length > 0
      ).pipe(Effect.provide(context))
      assert.strictEqual(row!.sequence, before + 1)
      assert.strictEqual(yield* publicStatus(killmail), 200)
      assert.deepInclude((yield* ownIds(browser))[0], { killmail_id: killmail.killmail_id, public: true })
    }))

  it.effect("is public at once when its pilot says so, and for members only when never", () =>
    Effect.gen(function*() {
      const { browser, killmail, pilot } = yield* withheld("always")
      assert.deepInclude((yield* ownIds(browser))[0], { public: false, visible_from: null })
      yield* holdBack(browser, pilot, 0)
      assert.strictEqual(yield* publicStatus(killmail), 200)
      // What was told stays told.
      yield* holdBack(browser, pilot, "always")
      assert.strictEqual(yield* publicStatus(killmail), 200)
    }))

  it.effect("is public at once when another pilot who was on it says so, and not when they say nothing", () =>
    Effect.gen(function*() {
      const victim = yield* signedInWith("always")
      const killer = nextPilot()
      const loss = lossOf(victim.pilot)
      const [attacker] = loss.attackers
      const killmail = { ...loss, attackers: [{ ...attacker!, character_id: killer.character }] }
      yield* happen(killmail)
      yield* sync(victim.pilot)
      yield* stored([killmail])
      const browser = yield* signIn(killer)
      yield* sync(killer)
      assert.lengthOf(yield* ownIds(browser), 1)
      assert.strictEqual(yield* publicStatus(killmail), 404)
      yield* holdBack(browser, killer, 0)
      assert.strictEqual(yield* publicStatus(killmail), 200)
    }))

  it.effect("is released by whoever has its hash, and by nobody else, who learns nothing", () =>
    Effect.gen(function*() {
      const world = yield* OwnWorld
      const { context, sandbox } = world
      const { killmail } = yield* withheld("always")
      const stranger = yield* signIn(nextPilot())
      const wrong = "0".repeat(40)
      const unknown = lossOf(nextPilot())
      sandbox.knowToEsi(unknown)
      for (const mail of [killmail, unknown]) {
        const { json } = yield* submit(stranger, mail, wrong)
        assert.deepStrictEqual(json, { killmail_id: mail.killmail_id, hash: wrong, status: "queued" })
        const again = submit(stranger, mail, wrong).pipe(Effect.provideService(OwnWorld, world))
        yield* eventually(
          () => Effect.map(again, ({ json }) => json["status"]),
          (status) => status === "refused_before"
        )
          .pipe(Effect.provide(context))
        assert.strictEqual(yield* publicStatus(mail), 404)
      }
      assert.strictEqual((yield* submit(stranger, killmail)).status, 202)
      assert.strictEqual(yield* publicStatus(killmail), 200)
    }))

  it.effect("of a corporation is shown to its members, once a director says so, and to nobody else", () =>
    Effect.gen(function*() {
      const { url } = yield* OwnWorld
      const { corporation, killmail, mate, pilot } = yield* fleetOf(true)
      const director = yield* signIn(pilot)
      yield* placed(pilot)
      yield* sync(pilot)
      const path = `${url}/api/v1/me/corporations/${corporation}/killmail-privacy`
      const decided = yield* director.send("PUT", path, { held_back: "always" })
      assert.strictEqual(decided.status, 204, decided.text)
      yield* happen(killmail)
      yield* expire
      yield* sync(pilot)
      yield* stored([killmail])
      assert.strictEqual(yield* publicStatus(killmail), 404)

      assert.deepStrictEqual(yield* ids(director), [killmail.killmail_id])
      const { pilot: outsider } = yield* fleetOf(false)
      assert.deepStrictEqual(yield* ids(yield* signIn(outsider)), [])
      const { sql } = yield* OwnWorld
      const member = yield* signIn({ ...nextPilot(), character: mate.character })
      yield* sql`
        update user_characters set corporation_id = ${BigInt(corporation)}, corporation_told_at = now()
        where character_id = ${BigInt(mate.character)}`
      assert.deepStrictEqual(yield* ids(member), [killmail.killmail_id])
      const { status } = yield* member.send("PUT", path, { held_back: 0 })
      assert.strictEqual(status, 403)
    }))

  it.effect("stays so when its pilot leaves, of whose lists nothing is left", () =>
    Effect.gen(function*() {
      const { sql, url } = yield* OwnWorld
      const { browser, killmail, pilot } = yield* withheld("always")
      assert.strictEqual((yield* browser.send("DELETE", `${url}/api/v1/me`)).status, 200)
      const id = BigInt(pilot.character)
      assert.deepStrictEqual(yield* sql`select from killmail_lists where kind = 'character' and id = ${id}`, [])
      assert.deepStrictEqual(yield* sql`select from own_killmails where kind = 'character' and id = ${id}`, [])
      assert.strictEqual(yield* publicStatus(killmail), 404)
      // Who comes back finds it again.
      assert.deepStrictEqual(yield* ids(yield* signIn(pilot)), [killmail.killmail_id])
    }))

  it.effect("is decided about by its own pilot, within what there is", () =>
    Effect.gen(function*() {
      const { url } = yield* OwnWorld
      const { browser, pilot } = yield* withheld(0)
      const statusOf = (path: string, hours: number) =>
        Effect.map(
          browser.send("PUT", `${url}/api/v1/me/${path}/killmail-privacy`, { held_back: hours }),
          ({ status }) => status
        )
      assert.strictEqual(yield* statusOf(`characters/${nextPilot().character}`, 1), 404)
      assert.strictEqual(yield* statusOf(`characters/${pilot.character}`, 73), 400)
      assert.strictEqual(yield* statusOf(`corporations/${pilot.corporation}`, 1), 403)
    }))
})
