/**
 * Pilots of a daemon of real processes: their tokens expire all the time, some refreshes fail in every way that EVE's SSO
 * has, and the processes are killed. In the end every own killmail is stored, and every token lives.
 */
import { Effect, Fiber } from "effect"
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import { pilotOf } from "../../src/sandbox/People.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { makeBrowser, signInWith } from "../support/Browser.ts"
import { watchRefreshes } from "../support/Refreshes.ts"
import { TestDatabase } from "../support/TestDatabase.ts"
import { describe, excuse, type Rig, start, storedAtLeast, until, untilCount } from "./Rig.ts"

export interface Plan {
  readonly seed: string
  readonly pilots: number
  /** Of each pilot. */
  readonly killmails: number
  readonly kills: number
  readonly speed: number
}

export interface Outcome {
  readonly seconds: number
  readonly refreshes: number
  readonly failedRefreshes: number
  /** A sentence for whatever is not as it should be. */
  readonly findings: ReadonlyArray<string>
}

/** Of the refreshes. */
const failedShare = 0.05

export const run = (plan: Plan) =>
  Effect.gen(function*() {
    const began = performance.now()
    const { url: databaseUrl } = yield* TestDatabase.make
    const rig = yield* start({
      databaseUrl,
      seed: plan.seed,
      speed: plan.speed,
      faults: 0,
      environment: { KILLMAILD_FEEDS: "" }
    })
    const seen = watchRefreshes(rig.sandbox, plan.seed, failedShare)
    const findings: Array<string> = []
    const pilots = Array.from({ length: plan.pilots }, (_, number) => pilotOf(plan.seed, number).character)
    const killmails = pilots.flatMap((pilot, number) =>
      Array.from({ length: plan.killmails }, (_, k) => lossOf(plan.seed, pilot, number * plan.killmails + k))
    )

    const story = Effect.gen(function*() {
      yield* until(
        "the daemon to listen",
        Effect.promise(() => fetch(`${rig.url}/health/live`).then(({ ok }) => ok || undefined))
      )
      yield* Effect.forEach(pilots, (pilot) => signInWith(makeBrowser(), rig.url, pilot), { concurrency: 4 })
      for (const [index, part] of parts(killmails, plan.kills + 1).entries()) {
        for (const killmail of part) rig.sandbox.knowToEsi(killmail)
        yield* storedAtLeast(rig, Math.floor((index + 0.5) * part.length))
        if (index === plan.kills) break
        const excused = yield* Effect.forkScoped(excuse(rig.sandbox))
        rig.processes.kill(index % 2 === 0 ? "daemon" : "jobs")
        yield* Effect.forkScoped(Effect.delay(Fiber.interrupt(excused), 1000))
      }
      yield* storedAtLeast(rig, killmails.length)
      seen.isCalm = true
      findings.push(...(yield* audit(rig, pilots, killmails)))
    })
    yield* story.pipe(Effect.catchTag("Hung", ({ message }) =>
      Effect.gen(function*() {
        findings.push(`hung: ${message}; ${yield* describe(rig)}`)
      })))
    if (seen.most > 1) findings.push(`${seen.most} refreshes of one character were under way at once`)
    for (const violation of rig.sandbox.violations().slice(0, 3)) {
      findings.push(`a rule of an upstream was broken: ${JSON.stringify(violation)}`)
    }
    findings.push(...rig.processes.findings())
    const seconds = Math.round((performance.now() - began) / 100) / 10
    const { failed: failedRefreshes, refreshes } = seen
    return { seconds, refreshes, failedRefreshes, findings } satisfies Outcome as Outcome
  }).pipe(Effect.scoped)

/** Of the last day, so that the lists are read as often as may be. */
const lossOf = (seed: string, pilot: number, number: number): Killmail => {
  const { killmail } = killmailOf(seed, number)
  const killmail_time = new Date(Date.now() - 3_600_000 - number * 1000).toISOString().slice(0, 19) + "Z"
  return { ...killmail, killmail_time, victim: { ...killmail.victim, character_id: pilot } }
}

const parts = <A>(all: ReadonlyArray<A>, count: number): ReadonlyArray<ReadonlyArray<A>> => {
  const size = Math.ceil(all.length / count)
  return Array.from({ length: count }, (_, index) => all.slice(index * size, (index + 1) * size))
}

/** Whether all is there, and each token can be renewed once more. */
const audit = Effect.fnUntraced(function*(
  { sql }: Rig,
  pilots: ReadonlyArray<number>,
  killmails: ReadonlyArray<Killmail>
) {
  const findings: Array<string> = []
  const known = new Map(
    (yield* sql<{ id: number; hash: string }>`
      select killmail_id::float8 as id, encode(hash, 'hex') as hash from killmail_ledger`).map((
      { hash, id }
    ) => [id, hash])
  )
  const missing = killmails.filter((killmail) => known.get(killmail.killmail_id) !== hashOf(killmail))
  if (missing.length > 0) findings.push(`${missing.length} own killmails are not stored`)
  const [tokens] = yield* sql<{ kept: number; dropped: number; newest: Date }>`
    select count(user_tokens.character_id)::int as kept, count(dropped_at)::int as dropped, now() as newest
    from user_characters left join user_tokens using (character_id)`
  if (tokens!.kept !== pilots.length || tokens!.dropped > 0) {
    findings.push(`of ${pilots.length} tokens ${tokens!.kept} are left, ${tokens!.dropped} were dropped`)
  }
  // Once more each.
  yield* untilCount(
    "renewed token",
    pilots.length,
    Effect.map(
      sql<{ n: number }>`select count(*)::int as n from user_tokens where refreshed_at > ${tokens!.newest}`,
      ([row]) => row!.n
    )
  )
  return findings
})
