import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Client } from "pg"
import { crashPoints } from "../../src/CrashPoint.ts"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { type ArchiveMember, archiveOf, killmailsOfDay, memberOf } from "../../src/sandbox/Archives.ts"
import { hasCorpus } from "../support/Corpus.ts"
import { changed } from "../support/Mails.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"
import { run, start, temporaryDirectory } from "./CommandLine.ts"

const firstDay = "2012-03-30"
const secondDay = "2012-03-31"
const thirdDay = "2012-04-01"

const mailsOf = (day: string, count = 40): ReadonlyArray<Killmail> =>
  killmailsOfDay("backfill", day, Number(day.slice(8)) * 1000, count)

const write = (directory: string, day: string, members: ReadonlyArray<ArchiveMember>): string => {
  mkdirSync(join(directory, day.slice(0, 4)), { recursive: true })
  const path = join(directory, day.slice(0, 4), `killmails-${day}.tar.bz2`)
  writeFileSync(path, archiveOf(members))
  return path
}

const writeDays = (directory: string) => {
  for (const day of [firstDay, secondDay, thirdDay]) write(directory, day, mailsOf(day).map(memberOf))
}

const makeWorld = Effect.gen(function*() {
  const { url } = yield* migratedDatabase
  const directory = yield* temporaryDirectory
  const environment = {
    DATABASE_URL: url,
    KILLMAILD_DATA_DIR: directory,
    KILLMAILD_LOG_LEVEL: "warn"
  }
  const client = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client(url)
      await client.connect()
      return client
    }),
    (client) => Effect.promise(() => client.end())
  )
  const rowsOf = (sql: string) => Effect.promise(() => client.query(sql).then(({ rows }) => rows))
  return {
    directory,
    environment,
    rowsOf,
    backfill: (args: ReadonlyArray<string>, more: Readonly<Record<string, string>> = {}) =>
      Effect.map(run(["backfill", "everef", "--json", ...args], { ...environment, ...more }), (ended) => ({
        ...ended,
        outcome: ended.out === "" ? undefined : JSON.parse(ended.out)
      })),
    counts: Effect.map(
      rowsOf(`
        select (select count(*)::int from killmail_ledger) as ledger, (select count(*)::int from killmails) as killmails,
          (select count(*)::int from attackers) as attackers, (select count(*)::int from items) as items,
          (select count(*)::int from killmail_ledger where sequence is not null) as announced,
          (select coalesce(sum(hashtextextended(parts::text, 0)), 0)::text from attackers parts) as attackers_sum,
          (select coalesce(sum(hashtextextended(parts::text, 0)), 0)::text from items parts) as items_sum,
          (select count(*)::int from graphile_worker.jobs where task_identifier = 'import_day') as jobs,
          (select count(*)::int from unindexed_months()) as unindexed`),
      ([row]) => row!
    )
  }
})

describe("backfill everef", () => {
  it.live("stores what files hold, unannounced and indexed, and the second time nothing", () =>
    Effect.gen(function*() {
      const { backfill, counts, directory, rowsOf } = yield* makeWorld
      writeDays(directory)
      const first = yield* backfill(["--path", directory])
      assert.strictEqual(first.status, 0, first.err)
      assert.deepInclude(first.outcome, { imported: 3, unchanged: 0, killmails: 120, stored: 120, refused: 0 })
      assert.deepInclude(yield* counts, { ledger: 120, killmails: 120, announced: 0, jobs: 0, unindexed: 0 })
      const again = yield* backfill(["--path", directory])
      assert.strictEqual(again.status, 0, again.err)
      assert.notInclude(first.err + again.err, "WARN")
      assert.deepInclude(again.outcome, { imported: 0, unchanged: 3, killmails: 0, stored: 0 })

      write(directory, secondDay, [...mailsOf(secondDay), ...mailsOf("2012-03-11", 2)].map(memberOf))
      const edited = yield* backfill(["--path", directory])
      assert.deepInclude(edited.outcome, { imported: 1, unchanged: 2, killmails: 42, stored: 2 })
      const [sources] = yield* rowsOf("select distinct source from killmail_ledger")
      assert.deepStrictEqual(sources, { source: "everef" })
    }), 60_000)

  it.live(
    "takes the days of a range, from EVE Ref within its limits, and asks for an edited file again",
    () =>
      Effect.gen(function*() {
        const { backfill, counts } = yield* makeWorld
        const sandbox = yield* manualSandbox()
        for (const day of [firstDay, secondDay, thirdDay]) sandbox.publishArchive(day, mailsOf(day).map(memberOf))
        const range = ["--start-date", secondDay, "--end-date", thirdDay]
        const first = yield* backfill(range, sandbox.environment)
        assert.strictEqual(first.status, 0, first.err)
        assert.deepInclude(first.outcome, { imported: 2, stored: 80 })
        sandbox.publishArchive(thirdDay, mailsOf(thirdDay, 50).map(memberOf))
        const again = yield* backfill(range, sandbox.environment)
        assert.deepInclude(again.outcome, { imported: 1, unchanged: 1, stored: 10 })
        assert.strictEqual((yield* counts).ledger, 90)
        assert.deepStrictEqual(sandbox.violations(), [])
        const asked = sandbox.requests().filter(({ path }) => path.endsWith(".tar.bz2")).map(({ path }) =>
          path.slice(-18)
        )
        assert.deepStrictEqual(asked.toSorted(), [secondDay, thirdDay, thirdDay].map((day) => `${day}.tar.bz2`))
      }),
    60_000
  )

  it.live("keeps what is good of an archive, and says in one sentence what is not", () =>
    Effect.gen(function*() {
      const { backfill, counts, directory, rowsOf } = yield* makeWorld
      const [first, second, third, ...others] = mailsOf(firstDay).map(memberOf)
      const wrongHash = { ...second!, text: second!.text.replace(/"killmail_hash":"."/, "\"killmail_hash\":\"x") }
      const doubtful = {
        ...third!,
        text: third!.text.replace(/"ship_type_id":\d+,"damage_taken"/, "\"ship_type_id\":587,\"damage_taken\"")
      }
      write(directory, firstDay, [
        { ...first!, text: first!.text.slice(0, 100) },
        { ...wrongHash, text: second!.text.replace(/"killmail_hash":"[0-9a-f]{4}/, "\"killmail_hash\":\"0000") },
        doubtful,
        ...others,
        { name: "killmails/readme.txt", text: "no killmail" },
        memberOf(changed(mailsOf(firstDay, 41)[40]!, { killmail_time: "1999-01-01T00:00:00Z" })),
        memberOf(changed(mailsOf(firstDay, 42)[41]!, { solar_system_id: 3_000_000_000 }))
      ])
      write(directory, secondDay, [])
      const cut = write(directory, thirdDay, mailsOf(thirdDay, 400).map(memberOf))
      truncateSync(cut, 100_000)
      const { err, outcome, status } = yield* backfill(["--path", directory])
      assert.strictEqual(status, 1)
      assert.match(err, /killmails-2012-04-01\.tar\.bz2 is damaged: .*; the \d+ killmails before that are here\.\n$/)
      assert.deepInclude(outcome, { imported: 2, failed: 1, refused: 5 })
      const { jobs, killmails, unindexed } = yield* counts
      assert.isAtLeast(killmails, 37)
      assert.deepInclude({ jobs, unindexed }, { jobs: 0, unindexed: 0 })
      const letters = yield* rowsOf("select task, reason from dead_letters order by task, reason")
      assert.deepStrictEqual(letters, [
        { task: "feed", reason: "bad_row" },
        { task: "feed", reason: "implausible_time" },
        { task: "feed", reason: "undecodable" },
        { task: "import_day", reason: "unreadable" }
      ])
      const asked = yield* rowsOf(
        "select priority from graphile_worker.jobs where task_identifier = 'ingest_killmail' order by key"
      )
      assert.deepStrictEqual(asked, [{ priority: 30 }, { priority: 30 }])
    }), 60_000)

  it.live(
    "imports what is good of a directory, each day once, and has a sentence for every other file",
    () =>
      Effect.gen(function*() {
        const { backfill, counts, directory } = yield* makeWorld
        write(directory, firstDay, mailsOf(firstDay).map(memberOf))
        writeFileSync(join(directory, `killmails-${firstDay}.tar.bz2`), archiveOf(mailsOf(firstDay, 3).map(memberOf)))
        writeFileSync(join(directory, "killmails-2012-02-30.tar.bz2"), "")
        writeFileSync(join(directory, "killmails-2003-05-06.tar.bz2"), "")
        execFileSync("mkfifo", [join(directory, `killmails-${secondDay}.tar.bz2`)])
        const cut = write(directory, thirdDay, mailsOf(thirdDay).map(memberOf))
        truncateSync(cut, 1000)
        symlinkSync("..", join(directory, "2012", "round"))
        const { outcome, status } = yield* backfill(["--path", directory])
        assert.strictEqual(status, 1)
        assert.deepInclude(outcome, { imported: 1, failed: 5, stored: 40 })
        const problems = [
          /killmails-2012-03-31\.tar\.bz2 cannot be read here: it is no file\.$/,
          /killmails-2012-04-01\.tar\.bz2 is damaged: it ends too early; the 0 killmails before that are here\.$/,
          /killmails-2003-05-06\.tar\.bz2 is named after 2003-05-06, wants a day from 2007-12-05 to \d{4}-\d\d-\d\d\.$/,
          /killmails-2012-02-30\.tar\.bz2 is named after 2012-02-30, wants a day from/,
          /2012-03-30\.tar\.bz2 was left out, as .*2012-03-30\.tar\.bz2 is of the same day; it wants a --path of its own\.$/
        ]
        assert.lengthOf(outcome.failures, problems.length)
        problems.forEach((problem, index) => assert.match(outcome.failures[index], problem))
        assert.deepInclude(yield* counts, { killmails: 40, jobs: 0, unindexed: 0 })
      }),
    60_000
  )

  it.live("that is stopped leaves its days to others at once, and goes on where it was", () =>
    Effect.gen(function*() {
      const { backfill, counts, directory, environment, rowsOf } = yield* makeWorld
      writeDays(directory)
      const stopped = yield* start(["backfill", "everef", "--path", directory], environment)
      while ((yield* rowsOf("select from imports")).length === 0) yield* Effect.sleep("20 millis")
      stopped.signal("SIGINT")
      const { err, status } = yield* stopped.ended
      assert.strictEqual(status, 130)
      assert.match(err, /Stopped\. What was read is kept, and the rest is in the queue/)
      const [left] = yield* rowsOf(`
        select (select count(*)::int from graphile_worker._private_jobs where locked_at is not null or attempts > 0) as locked,
          (select count(*)::int from job_runs where status = 'running') as running,
          (select count(*)::int from job_pools where ended_at is null) as pools`)
      assert.deepStrictEqual(left, { locked: 0, running: 0, pools: 0 })
      const again = yield* backfill(["--path", directory])
      assert.strictEqual(again.status, 0, again.err)
      assert.deepInclude(yield* counts, { killmails: 120, jobs: 0, unindexed: 0 })
    }), 60_000)

  it.live("refuses what cannot be meant", () =>
    Effect.gen(function*() {
      const { backfill, directory } = yield* makeWorld
      const refusal = (...args: ReadonlyArray<string>) => Effect.map(backfill(args), ({ err }) => err)
      assert.match(yield* refusal("--start-date", "2012-02-30"), /--start-date got "2012-02-30", wants a day/)
      assert.match(yield* refusal("--start-date", "2013-01-01", "--end-date", "2012-01-01"), /is after --end-date/)
      assert.match(yield* refusal("--path", directory), /holds no archive, wants killmails-YYYY-MM-DD\.tar\.bz2/)
      assert.match(yield* refusal("--path", join(directory, "nowhere")), /cannot be read/)
    }), 60_000)

  it.live("that dies at any point ends with the same killmails when it is begun again", () =>
    Effect.gen(function*() {
      const { backfill, counts, directory } = yield* makeWorld
      const undisturbed = yield* makeWorld
      writeDays(directory)
      writeDays(undisturbed.directory)
      yield* undisturbed.backfill(["--path", undisturbed.directory])
      const order = join(directory, "crash")
      for (const point of crashPoints.history) {
        writeFileSync(order, point)
        const { status } = yield* backfill(["--path", directory], { KILLMAILD_TEST_CRASH_FILE: order })
        assert.notStrictEqual(status, 0, point)
        assert.isTrue(existsSync(`${order}.obeyed`), point)
      }
      const { err, status } = yield* backfill(["--path", directory])
      assert.strictEqual(status, 0, err)
      assert.deepStrictEqual(yield* counts, yield* undisturbed.counts)
    }), 120_000)

  it.live.skipIf(!hasCorpus)("stores the 14,989 killmails of the recorded archives", () =>
    Effect.gen(function*() {
      const { backfill, counts, directory } = yield* makeWorld
      for (const day of ["2021-11-29", "2021-12-03"]) {
        const name = `killmails-${day}.tar.bz2`
        copyFileSync(`../shared/corpus/archives/${name}`, join(directory, name))
      }
      const first = yield* backfill(["--path", directory])
      assert.strictEqual(first.status, 0, first.err)
      assert.deepInclude(first.outcome, { imported: 2, killmails: 14_989, stored: 14_989, refused: 0 })
      assert.deepInclude(yield* counts, { ledger: 14_989, killmails: 14_989, unindexed: 0 })
      const again = yield* backfill(["--path", directory])
      assert.deepInclude(again.outcome, { unchanged: 2, stored: 0 })
      assert.isBelow(again.outcome.seconds, first.outcome.seconds / 5)
    }), 180_000)
})
