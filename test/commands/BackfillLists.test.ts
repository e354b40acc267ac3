import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Client } from "pg"
import { crashPoints } from "../../src/CrashPoint.ts"
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import { killmailsOfDay } from "../../src/sandbox/Archives.ts"
import { changed, withVictim } from "../support/Mails.ts"
import { manualSandbox, migratedDatabase, speed } from "../support/TestDaemon.ts"
import { run, temporaryDirectory } from "./CommandLine.ts"

const days = ["2026-03-30", "2026-03-31", "2026-04-01"] as const

const mailsOf = (day: string, count = 40): ReadonlyArray<Killmail> =>
  killmailsOfDay("lists", day, Number(day.slice(8)) * 1000, count)

const makeWorld = Effect.gen(function*() {
  const { url } = yield* migratedDatabase
  const directory = yield* temporaryDirectory
  const sandbox = yield* manualSandbox()
  const client = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client(url)
      await client.connect()
      return client
    }),
    (client) => Effect.promise(() => client.end())
  )
  // As ESI's first answer would tell: what it is to be asked for waits in a line of this pace.
  yield* Effect.promise(() =>
    client.query(
      "insert into rate_limits (bucket, token_limit, window_millis, learnt) values ('esi:killmail', 360000, 9000, true)"
    )
  )
  const environment = {
    DATABASE_URL: url,
    KILLMAILD_DATA_DIR: directory,
    KILLMAILD_LOG_LEVEL: "error",
    KILLMAILD_CONTACT: "tests@localhost",
    KILLMAILD_SCHEDULE_SPEED: String(speed),
    KILLMAILD_R2Z2_RATE: String(4 * speed),
    ...sandbox.environment
  }
  const rowsOf = (sql: string) => Effect.promise(() => client.query(sql).then(({ rows }) => rows))
  const backfillWith = (more: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) =>
    Effect.map(run(["backfill", ...args, "--json"], { ...environment, ...more }), (ended) => ({
      ...ended,
      outcome: ended.out === "" ? undefined : JSON.parse(ended.out)
    }))
  return {
    directory,
    sandbox,
    rowsOf,
    backfillWith,
    backfill: (...args: ReadonlyArray<string>) => backfillWith({}, ...args),
    counts: Effect.map(
      rowsOf(`
        select (select count(*)::int from killmail_ledger) as ledger, (select count(*)::int from killmails) as killmails,
          (select count(*)::int from killmail_ledger where sequence is not null) as announced,
          (select count(*)::int from graphile_worker.jobs where task_identifier in ('import_day', 'ingest_killmail'))
            as jobs`),
      ([row]) => row!
    ),
    questions: () => sandbox.requests().filter(({ path }) => path.startsWith("/esi/killmails/")).length
  }
})

describe("backfill zkillboard", () => {
  it.live(
    "stores the days of a range from their bodies, without a question to ESI, and only what changed again",
    () =>
      Effect.gen(function*() {
        const { backfill, counts, questions, sandbox } = yield* makeWorld
        for (const day of days) sandbox.publishHistory(day, { killmails: mailsOf(day), hasBodies: true })
        const range = ["--start-date", days[0], "--end-date", days[1]]
        const first = yield* backfill("zkillboard", ...range)
        assert.strictEqual(first.status, 0, first.err)
        assert.deepInclude(first.outcome, {
          imported: 2,
          unchanged: 0,
          killmails: 80,
          stored: 80,
          asked: 0,
          refused: 0
        })
        assert.deepInclude(yield* counts, { ledger: 80, killmails: 80, announced: 0, jobs: 0 })
        sandbox.publishHistory(days[1], { killmails: mailsOf(days[1], 50), hasBodies: true })
        const again = yield* backfill("zkillboard", ...range)
        assert.deepInclude(again.outcome, { imported: 1, unchanged: 1, killmails: 50, stored: 10 })
        assert.strictEqual(questions(), 0)
        assert.deepStrictEqual(sandbox.violations(), [])
      }),
    120_000
  )

  it.live(
    "asks ESI for what has no body, announces none of it, and asks never again for what ESI refuses",
    () =>
      Effect.gen(function*() {
        const { backfill, counts, questions, rowsOf, sandbox } = yield* makeWorld
        const all = mailsOf(days[0], 31)
        const killmails = all.slice(0, 30)
        sandbox.publishHistory(days[0], { killmails, hasBodies: false })
        for (const killmail of killmails.slice(2)) sandbox.knowToEsi(killmail)
        const { hash, killmail } = { killmail: killmails[0]!, hash: "0".repeat(40) }
        sandbox.knowToEsi(killmail, hash)
        const first = yield* backfill("zkillboard")
        assert.strictEqual(first.status, 1)
        assert.match(first.err, /backfill zkillboard: 2 entries are no killmail that fits/)
        assert.deepInclude(first.outcome, { imported: 1, killmails: 30, stored: 0, asked: 30, refused: 2 })
        assert.deepInclude(yield* counts, { ledger: 28, killmails: 28, announced: 0, jobs: 0 })
        const reasons = yield* rowsOf("select reason from dead_letters order by reason")
        assert.deepStrictEqual(reasons, [{ reason: "hash_mismatch" }, { reason: "not_found" }])
        const before = questions()
        sandbox.publishHistory(days[0], { killmails: all, hasBodies: false })
        sandbox.knowToEsi(all[30]!)
        const again = yield* backfill("zkillboard")
        assert.strictEqual(again.status, 0, again.err)
        assert.deepInclude(again.outcome, { imported: 1, asked: 1, refused: 0 })
        assert.strictEqual(questions(), before + 1)
        assert.deepStrictEqual(sandbox.violations(), [])
      }),
    120_000
  )

  it.live("has ESI's body where zKillboard's does not fit the hash", () =>
    Effect.gen(function*() {
      const { backfill, rowsOf, sandbox } = yield* makeWorld
      const [first, ...others] = mailsOf(days[0])
      const victim = { ...first!.victim, ship_type_id: 587 }
      sandbox.publishHistory(days[0], { killmails: [first!, ...others], hasBodies: true })
      sandbox.knowToEsi(first!)
      sandbox.intercept(({ path, upstream }) =>
        upstream === "r2z2" && path.startsWith("/history/raw/")
          ? {
            alter: (body) => JSON.stringify({ ...JSON.parse(body), [first!.killmail_id]: changed(first!, { victim }) })
          }
          : undefined
      )
      const { outcome } = yield* backfill("zkillboard")
      assert.deepInclude(outcome, { stored: 39, asked: 1 })
      const [{ ship }] = yield* rowsOf(
        `select victim_ship_type_id as ship from killmails where killmail_id = ${first!.killmail_id}`
      )
      assert.strictEqual(ship, first!.victim.ship_type_id)
    }), 120_000)
})

describe("a backfill from lists that dies at any point", () => {
  it.live(
    "ends with the same killmails when it is begun again, and asks ESI again for what it had in hand alone",
    () =>
      Effect.gen(function*() {
        const { backfill, backfillWith, counts, directory, questions, sandbox } = yield* makeWorld
        const order = join(directory, "crash")
        const dieAt = Effect.fnUntraced(function*(point: string) {
          writeFileSync(order, point)
          const { status } = yield* backfillWith({ KILLMAILD_TEST_CRASH_FILE: order }, "zkillboard")
          assert.notStrictEqual(status, 0, point)
          assert.isTrue(existsSync(`${order}.obeyed`), point)
          sandbox.clientLost()
        })
        for (const killmail of mailsOf(days[1])) sandbox.knowToEsi(killmail)
        sandbox.publishHistory(days[1], { killmails: mailsOf(days[1]), hasBodies: false })
        yield* dieAt("body there, not recorded")
        yield* dieAt("stored, job not told")
        sandbox.publishHistory(days[0], { killmails: mailsOf(days[0]), hasBodies: true })
        yield* Effect.forEach(crashPoints.history, dieAt)
        const { err, status } = yield* backfill("zkillboard")
        assert.strictEqual(status, 0, err)
        assert.deepStrictEqual(yield* counts, { ledger: 80, killmails: 80, announced: 0, jobs: 0 })
        assert.isAtMost(questions(), 40 + 10)
        assert.deepStrictEqual(sandbox.violations(), [])
      }),
    180_000
  )
})

describe("backfill zkillboard of one entity", () => {
  const corporation = 98_000_001
  const lossesOf = (count: number) =>
    killmailsOfDay("entity", days[0], 5000, count).map((mail) => withVictim(mail, { corporation_id: corporation }))

  it.live(
    "brings in all pages with their bodies and zKillboard's words, unannounced, and the second time nothing",
    () =>
      Effect.gen(function*() {
        const { backfill, counts, questions, rowsOf, sandbox } = yield* makeWorld
        sandbox.publishKillboard([...lossesOf(450), ...mailsOf(days[1])])
        const first = yield* backfill("zkillboard", "--corporation", String(corporation))
        assert.strictEqual(first.status, 0, first.err)
        assert.deepInclude(first.outcome, { killmails: 450, added: 450, refused: 0 })
        assert.deepInclude(yield* counts, { ledger: 450, killmails: 450, announced: 0, jobs: 0 })
        assert.deepStrictEqual(yield* rowsOf("select count(zkb)::int from killmails"), [{ count: 450 }])
        const again = yield* backfill("zkillboard", "--corporation", String(corporation))
        assert.deepInclude(again.outcome, { killmails: 450, added: 0 })
        assert.strictEqual(questions(), 0)
        assert.deepStrictEqual(sandbox.violations(), [])
      }),
    120_000
  )

  it.live("goes on month by month where there are more pages than zKillboard tells", () =>
    Effect.gen(function*() {
      const { backfill, counts, sandbox } = yield* makeWorld
      const killmails = lossesOf(110)
      sandbox.publishKillboard(killmails.slice(0, 10))
      sandbox.intercept(({ path, upstream }) => {
        const page = Number(/^\/api\/corporationID\/\d+\/page\/(\d+)\//.exec(path)?.[1])
        const killmail = upstream === "zkillboard" && page >= 1 ? killmails[110 - page] : undefined
        return killmail && {
          status: 200,
          body: JSON.stringify([{ ...killmail, zkb: { hash: hashOf(killmail) } }])
        }
      })
      const range = ["--start-date", "2026-02-01"]
      const { err, outcome, status } = yield* backfill("zkillboard", "--corporation", String(corporation), ...range)
      assert.strictEqual(status, 0, err)
      assert.deepInclude(outcome, { killmails: 110, added: 110 })
      assert.deepInclude(yield* counts, { ledger: 110, announced: 0 })
      const paths = sandbox.requests().filter(({ upstream }) => upstream === "zkillboard").map(({ path }) => path)
      assert.deepStrictEqual(paths.slice(100), [
        `/zkillboard/api/corporationID/${corporation}/year/2026/month/3/page/1/`,
        `/zkillboard/api/corporationID/${corporation}/year/2026/month/3/page/2/`,
        `/zkillboard/api/corporationID/${corporation}/year/2026/month/2/page/1/`
      ])
      assert.deepStrictEqual(sandbox.violations(), [])
    }), 120_000)

  it.live("says in one sentence what zKillboard refuses, and what cannot be meant", () =>
    Effect.gen(function*() {
      const { backfill, sandbox } = yield* makeWorld
      sandbox.intercept(({ upstream }) =>
        upstream === "zkillboard"
          ? { status: 200, body: "{\"error\":\"Please provide an entity filter first.\"}" }
          : undefined
      )
      const refusal = (...args: ReadonlyArray<string>) => Effect.map(backfill("zkillboard", ...args), ({ err }) => err)
      assert.match(yield* refusal("--alliance", "7"), /zKillboard says: Please provide an entity filter first\.\n$/)
      assert.match(yield* refusal("--alliance", "0"), /--alliance got 0, wants an id above 0\.\n$/)
      assert.match(
        yield* refusal("--alliance", "7", "--character", "9"),
        /--alliance came beside --character, wants one of them\.\n$/
      )
    }), 120_000)

  it.live("takes an address that is somebody else's for no source without killmails", () =>
    Effect.gen(function*() {
      const { backfill, sandbox } = yield* makeWorld
      sandbox.intercept(({ upstream }) =>
        upstream === "zkillboard" ? { status: 200, body: "[1,{\"a\":2}]" } : { status: 404, body: "not found" }
      )
      const refusal = (...args: ReadonlyArray<string>) =>
        Effect.map(backfill(...args), ({ err, status }) => `${status} ${err}`)
      assert.match(yield* refusal("zkillboard", "--alliance", "7"), /^1 .*: zKillboard's answer names no killmail\.\n$/)
      assert.match(yield* refusal("zkillboard"), /^1 .*: R2Z2 has no \/history\/totals\.json\.\n$/)
      assert.match(yield* refusal("eve-kill"), /^1 .*: EVE-KILL has no \/history\.\n$/)
      assert.match(
        yield* refusal("everef", "--start-date", days[0]),
        /^1 .*: EVE Ref has no \/killmails\/totals\.json\.\n$/
      )
    }), 120_000)
})

describe("backfill eve-kill", () => {
  it.live(
    "takes bodies from the feed, and asks ESI for what that has not, as it begins later or lost some",
    () =>
      Effect.gen(function*() {
        const { backfill, counts, questions, sandbox } = yield* makeWorld
        for (const day of days) sandbox.publishHistory(day, { killmails: mailsOf(day), hasBodies: false })
        const [before, first, second] = days.map((day) => mailsOf(day))
        const lost = first!.slice(10, 12)
        for (const killmail of [...before!, ...lost]) sandbox.knowToEsi(killmail)
        for (const killmail of [...first!, ...second!]) {
          if (!lost.includes(killmail)) sandbox.publishEveKill({ killmail })
        }
        for (let hour = 0; hour < 60; hour++) {
          const killmail_time = new Date(Date.parse("2026-04-02T06:00:00Z") + hour * 600_000).toISOString().replace(
            ".000",
            ""
          )
          sandbox.publishEveKill({ killmail: changed(mailsOf("2026-04-20", 60)[hour]!, { killmail_time }) })
        }
        const { err, outcome, status } = yield* backfill("eve-kill", "--end-date", days[2])
        assert.strictEqual(status, 0, err)
        assert.deepInclude(outcome, { imported: 3, killmails: 120, stored: 78, asked: 42, refused: 0 })
        assert.deepInclude(yield* counts, { ledger: 120, killmails: 120, announced: 0, jobs: 0 })
        assert.strictEqual(questions(), 42)
        assert.deepStrictEqual(sandbox.violations(), [])
      }),
    120_000
  )
})
