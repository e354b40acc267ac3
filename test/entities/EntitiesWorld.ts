/** What the tests of `entities` share: a database, a sandbox in which only the test publishes, and the three jobs on both. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Context, Effect, Exit, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import type { Attacker, Killmail } from "../../src/domain/Killmail.ts"
import { refreshAlliances } from "../../src/entities/RefreshAlliances.ts"
import { refreshCharacters } from "../../src/entities/RefreshCharacters.ts"
import { refreshCorporations } from "../../src/entities/RefreshCorporations.ts"
import { EsiEntities } from "../../src/esi/EsiEntities.ts"
import { JobQueue } from "../../src/jobs/JobQueue.ts"
import { Settings } from "../../src/Settings.ts"
import * as Database from "../../src/store/Database.ts"
import { EntityStore } from "../../src/store/EntityStore.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { Leases } from "../../src/store/Leases.ts"
import { Names } from "../../src/store/Names.ts"
import { RateLimits } from "../../src/store/RateLimits.ts"
import { changed, mailOf, newKillmail } from "../support/Mails.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const handlers = {
  refresh_characters: refreshCharacters,
  refresh_corporations: refreshCorporations,
  refresh_alliances: refreshAlliances
}
export type Task = keyof typeof handlers

export const makeWorld = Effect.gen(function*() {
  const sandbox = yield* manualSandbox()
  const { url } = yield* migratedDatabase
  const services = yield* Layer.build(
    Layer.mergeAll(EsiEntities.layer, EntityStore.layer, KillmailStore.layer, JobQueue.layer, Leases.layer, Names.layer)
      .pipe(
        Layer.provideMerge(RateLimits.layer),
        Layer.provideMerge(Database.layer(Redacted.make(url))),
        Layer.provide(NodeHttpClient.layerUndici),
        Layer.provide(Settings.layerFrom({ KILLMAILD_CONTACT: "tests@localhost", ...sandbox.environment }))
      )
  )
  const sql = Context.get(services, SqlClient.SqlClient)
  const store = Context.get(services, KillmailStore)
  const bodies: Array<string> = []
  sandbox.intercept(({ body, path }) => void bodies.push(`${path} ${body}`))

  /** Runs a job as the queue would, and says how it ended. */
  const run = (task: Task) => Effect.exit(handlers[task].run({}, 1).pipe(Effect.provide(services)))

  /** Runs what is in the queue, one by one and without waiting, until it is empty; returns results by task. */
  const runAll = Effect.gen(function*() {
    const results: Array<readonly [task: string, result: unknown]> = []
    for (;;) {
      const [job] = yield* sql<{ id: bigint; task: Task }>`
        delete from graphile_worker._private_jobs
        where id = (select min(id) from graphile_worker._private_jobs)
        returning id, (select identifier from graphile_worker._private_tasks where id = task_id) as task`
      if (job === undefined) return results
      const exit = yield* run(job.task)
      results.push([job.task, Exit.isSuccess(exit) ? exit.value : exit])
    }
  })

  return {
    sandbox,
    sql,
    services,
    run,
    runAll,
    publish: (mails: ReadonlyArray<Killmail>) => store.append(mails.map((mail) => newKillmail(mail))),
    /** Requests below `/esi` by route, ids left out. */
    asked: () => {
      const counts: Record<string, number> = {}
      for (const { path } of sandbox.requests()) {
        const route = path.slice("/esi".length).replace(/\d+/, "{id}")
        counts[route] = (counts[route] ?? 0) + 1
      }
      return counts
    },
    /** Paths and bodies of all that was asked. */
    bodies: () => bodies,
    namesOf: (...ids: ReadonlyArray<number>) =>
      Effect.map(Context.get(services, Names).namesOf(ids), (names) => Object.fromEntries(names))
  }
})

/** So long ago, in milliseconds, as a killmail writes it. */
export const ago = (millis: number): string => new Date(Date.now() - millis).toISOString().slice(0, 19) + "Z"

export const hour = 3_600_000
export const day = 24 * hour

/** Pilot number `k`: a hundred to a corporation, five corporations to an alliance. */
export const pilot = (k: number) =>
  ({
    character_id: 90_000_000 + k,
    corporation_id: 98_000_000 + Math.floor(k / 100),
    alliance_id: 99_000_000 + Math.floor(k / 500),
    damage_done: 1,
    final_blow: true,
    security_status: 0.5
  }) satisfies Attacker

/** Pilots `first` to `first + count - 1`, three to a mail: one was lost, two attacked. */
export const mailsOf = (first: number, count: number, time = ago(hour)): ReadonlyArray<Killmail> =>
  Array.from({ length: Math.ceil(count / 3) }, (_, n) => {
    const mail = mailOf("entities", first + n)
    const [lost, ...attackers] = [0, 1, 2].map((k) => pilot(first + Math.min(3 * n + k, count - 1)))
    const { alliance_id, character_id, corporation_id } = lost!
    const victim = { character_id, corporation_id, alliance_id, ship_type_id: 670, damage_taken: 1 }
    return changed(mail, { killmail_time: time, victim, attackers })
  })
