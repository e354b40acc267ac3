import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type CrashPoint, crashPoints } from "../../src/CrashPoint.ts"
import { hashOf } from "../../src/domain/Killmail.ts"
import { firstSequence } from "../../src/sandbox/Calendar.ts"
import { killmailOf, type Mail } from "../../src/sandbox/World.ts"
import { TestDatabase } from "../support/TestDatabase.ts"
import { audit, prepare } from "./Audit.ts"
import { type File, refused, trueFile, unreadable } from "./Publications.ts"
import { describe, excuse, publish, start, storedAtLeast, until } from "./Rig.ts"

const seed = "crash points"

/** A daemon on an empty database that has died at each point of a start, and goes on. */
const makeWalk = Effect.gen(function*() {
  const { url: databaseUrl } = yield* TestDatabase.make
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-crash-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const orders = join(directory, "orders")
  const obeyed = `${orders}.obeyed`
  const died = new Set<CrashPoint>()
  const order = (point: CrashPoint) => {
    rmSync(obeyed, { force: true })
    writeFileSync(orders, point)
  }

  const startDeaths: Array<CrashPoint> = [...crashPoints.start]
  order(startDeaths[0]!)
  const wasMeantToDie = () => {
    if (!existsSync(obeyed)) return false
    const point = startDeaths.shift()
    if (point !== undefined) died.add(point)
    if (startDeaths.length > 0) order(startDeaths[0]!)
    return true
  }
  // Jobs on a schedule run once: one that was there at ten deaths in a row would be taken for their cause.
  const environment = { KILLMAILD_TEST_CRASH_FILE: orders, KILLMAILD_SCHEDULE_SPEED: "1" }
  const rig = yield* start({ databaseUrl, seed, speed: 200, faults: 0, environment, wasMeantToDie })
  yield* Effect.forkScoped(excuse(rig.sandbox))
  yield* until(
    `a start to die at ${startDeaths[0]} and go on`,
    Effect.map(rig.sql`select from feed_cursors where cursor is not null`, ([, second]) => second)
  )
  yield* Effect.provideService(prepare, SqlClient.SqlClient, rig.sql)

  let sequence = firstSequence
  let stored = 0
  /** Publishes these, waits until all is at rest, and says what is wrong then. */
  const publishAndAudit = Effect.fnUntraced(function*(files: ReadonlyArray<(sequence: number) => File>) {
    const published = files.map((file) => file(sequence++))
    yield* publish(rig, published)
    stored += published.filter(({ mail }) => mail !== undefined).length
    return Effect.gen(function*() {
      yield* storedAtLeast(rig, stored).pipe(Effect.tapError(() => Effect.flatMap(describe(rig), Effect.logError)))
      const findings = yield* Effect.provideService(
        audit(sequence),
        SqlClient.SqlClient,
        rig.sql
      )
      const heard = Effect.sync(() => rig.bots.every((bot) => bot.heard().at(-1) === stored) || undefined)
      yield* Effect.ignore(until("the subscribers", heard))
      return [...findings, ...rig.bots.flatMap((bot) => bot.findings(stored)), ...rig.processes.findings()]
    })
  })
  return {
    ...rig,
    died,
    order,
    publishAndAudit,
    death: until("a process to pass the point", Effect.sync(() => existsSync(obeyed) || undefined))
  }
})

class Walk extends Context.Service<Walk, Effect.Success<typeof makeWalk>>()("killmaild/test/CrashWalk") {
  static readonly layer = Layer.effect(Walk, makeWalk)
}

/** A mail of a month in which there is no other. */
const mailOf = (n: number, month: string): Mail => {
  const mail = killmailOf(seed, n)
  const killmail = { ...mail.killmail, killmail_time: `${month}-15T12:00:00Z` }
  return { ...mail, killmail, hash: hashOf(killmail) }
}

const whole = (mail: Mail) => (sequence: number) => trueFile(sequence, mail, 1)
const withoutBody = (mail: Mail) => (sequence: number) => trueFile(sequence, mail, 0)

/** What a walk needs beyond killmails with and without body to come by a point. */
const special: Partial<Record<CrashPoint, (walk: Walk["Service"], mail: Mail) => (sequence: number) => File>> = {
  "unreadable file kept, not committed": () => unreadable,
  "dead letter written, job still queued": (_, mail) => (sequence) => refused(sequence, mail, null, "not_found"),
  "job postponed, still locked": ({ sandbox }, mail) => {
    sandbox.intercept(({ count, path }) =>
      path.includes(mail.hash) && count === 1
        ? { status: 429, headers: { "retry-after": "2" } }
        : undefined
    )
    return withoutBody(mail)
  }
}

const isBurial = (point: CrashPoint) => (crashPoints.burial as ReadonlyArray<CrashPoint>).includes(point)

layer(Walk.layer, { excludeTestServices: true, timeout: 120_000 })("a process that dies", (it) => {
  for (const point of crashPoints.start) {
    it.effect(`when "${point}" starts again, and goes on`, () =>
      Effect.map(Walk, ({ died }) => assert.isTrue(died.has(point), "was never passed")))
  }

  for (const [index, point] of [...crashPoints.daemon, ...crashPoints.burial].entries()) {
    it.effect(
      `when "${point}" leaves nothing undone, nothing done twice`,
      () =>
        Effect.gen(function*() {
          const walk = yield* Walk
          const month = `${2004 + index}-01`
          const mails = [0, 1, 2, 3].map((n) => mailOf(10 * index + n, month)) as [Mail, Mail, Mail, Mail]
          walk.order(point)
          if (isBurial(point)) walk.processes.kill("jobs")
          const extra = special[point]?.(walk, mails[2])
          const restAndAudit = yield* walk.publishAndAudit([
            whole(mails[0]),
            withoutBody(mails[1]),
            ...(extra === undefined ? [] : [extra]),
            whole(mails[3])
          ])
          yield* walk.death
          assert.deepStrictEqual(yield* restAndAudit, [])
        }),
      90_000
    )
  }
})
