/** What the tests of `esi` share: a killmail, answers, and a world of a database, a server and any number of replicas. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { Esi } from "../../src/esi/Esi.ts"
import { EsiClient } from "../../src/esi/EsiClient.ts"
import type { EsiError, EsiReason } from "../../src/esi/EsiError.ts"
import { Settings } from "../../src/Settings.ts"
import { CachedData } from "../../src/store/CachedData.ts"
import { RateLimits } from "../../src/store/RateLimits.ts"
import { makeScriptedEsi, type Reply, type ScriptedEsi } from "./ScriptedEsi.ts"
import { upstreamState } from "./upstreamState.ts"

export const hash = "70cae925e5b1d4c5f8d3a3f4d9a8b7c6d5e4f3a2"
export const ref = { killmail_id: 134762446, hash }
export const path = `/killmails/${ref.killmail_id}/${hash}`
export const otherRef = { ...ref, killmail_id: 134762447 }
export const otherPath = `/killmails/${otherRef.killmail_id}/${hash}`

export const bodyOf = (killmail_id: number, more: object = {}) =>
  JSON.stringify({
    killmail_id,
    killmail_time: "2026-04-15T14:56:23Z",
    solar_system_id: 30003586,
    attackers: [{ damage_done: 425, final_blow: true, security_status: -3.5 }],
    victim: { damage_taken: 425, ship_type_id: 670 },
    ...more
  })

export const tokenHeaders = (remaining: number, used: number, limit = "3600/15m") => ({
  "x-ratelimit-group": "killmail",
  "x-ratelimit-limit": limit,
  "x-ratelimit-remaining": String(remaining),
  "x-ratelimit-used": String(used)
})
export const good: Reply = { body: bodyOf(ref.killmail_id), headers: tokenHeaders(3598, 2) }
export const otherGood: Reply = { body: bodyOf(otherRef.killmail_id) }
export const html: Reply = { body: "<html>oops</html>", headers: { "content-type": "text/html" } }
export const up: Reply = {
  body: "{\"players\":1,\"server_version\":\"1\"}",
  headers: { "cache-control": "public, max-age=30" }
}
export const error = (status: number, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers,
  body: "{\"error\":\"no\"}"
})

/** A database, a server, and what a replica has: each test its own. */
export const makeWorld = Effect.gen(function*() {
  const server = yield* makeScriptedEsi
  const { url } = yield* upstreamState
  const replica = Effect.suspend(() =>
    Layer.build(Layer.fresh(
      Layer.merge(Esi.layer, EsiClient.layer).pipe(
        Layer.provideMerge(Layer.merge(RateLimits.layer, CachedData.layer)),
        Layer.provideMerge(PgClient.layer({ url: Redacted.make(url) })),
        Layer.provide(NodeHttpClient.layerUndici),
        Layer.provide(Settings.layerFrom({ KILLMAILD_ESI_URL: server.url, KILLMAILD_CONTACT: "tests@example.org" }))
      )
    ))
  )
  const first = yield* replica
  return {
    server,
    replica,
    esi: Context.get(first, Esi),
    client: Context.get(first, EsiClient),
    limits: Context.get(first, RateLimits),
    sql: Context.get(first, SqlClient.SqlClient)
  }
})

export const reasonOf = <A, E>(effect: Effect.Effect<A, EsiError | E>): Effect.Effect<EsiReason, E | A> =>
  Effect.flip(effect).pipe(
    Effect.flatMap((failure) =>
      (failure as EsiError)._tag === "EsiError"
        ? Effect.succeed((failure as EsiError).reason)
        : Effect.fail(failure as E)
    )
  )

/** What asking for `ref` fails with, and how many requests that took. */
export const refusal = Effect.fnUntraced(function*(...replies: ReadonlyArray<Reply>) {
  const world = yield* makeWorld
  world.server.script(path, ...replies)
  const reason = yield* reasonOf(world.esi.killmail(ref))
  return { ...world, reason, asked: world.server.requestsOf(path) }
})

export const usedOf = Effect.fnUntraced(function*(limits: RateLimits["Service"], bucket: string) {
  const [state] = yield* limits.list([bucket])
  return state?.used
})

export const asked = (server: ScriptedEsi) => server.requests.map(({ path }) => path)
