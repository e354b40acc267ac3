/** Whether this process lives and whether it can do its work, for container engines and load balancers. */
import { Context, Effect, Latch, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { SqlClient } from "effect/sql"
import { within } from "../store/Deadline.ts"

/** The database must answer within this. */
const deadline = "2 seconds"

/** Reasons why the daemon is not ready; empty when it is. */
export class Readiness extends Context.Service<Readiness, {
  readonly reasons: Effect.Effect<ReadonlyArray<string>>
  /** Something more to ask each time; it answers with reasons, or none. */
  readonly check: (reasons: Effect.Effect<ReadonlyArray<string>>) => Effect.Effect<void>
  /** This room works from now on. */
  readonly started: (room: string) => Effect.Effect<void>
  /** From now on not ready: the daemon is stopping. */
  readonly drain: Effect.Effect<void>
  /** Waits until it is: what would never end by itself ends then. */
  readonly draining: Effect.Effect<void>
}>()("killmaild/api/Readiness") {
  /** Not ready before all of these rooms have started. */
  static readonly layerFor = (rooms: ReadonlyArray<string>) =>
    Layer.effect(
      Readiness,
      Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const awaited = new Set(rooms)
        const draining = Latch.makeUnsafe()
        const database = sql`select 1`.pipe(
          Effect.as<ReadonlyArray<string>>([]),
          within(deadline),
          Effect.catch(() => Effect.succeed(["the database does not answer"]))
        )
        const checks = [database]
        const reasons = Effect.suspend(() =>
          draining.isOpen()
            ? Effect.succeed(["the daemon is stopping"])
            : Effect.map(Effect.all(checks), (found) => [
              ...[...awaited].map((room) => `${room} has not started`),
              ...found.flat()
            ])
        )
        return Readiness.of({
          reasons,
          check: (more) => Effect.sync(() => void checks.push(more)),
          started: (room) => Effect.sync(() => void awaited.delete(room)),
          drain: Effect.asVoid(draining.open),
          draining: draining.await
        })
      })
    )
}

const live = HttpRouter.add("GET", "/health/live", HttpServerResponse.jsonUnsafe({ status: "live" }))

const ready = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const readiness = yield* Readiness
  yield* router.add(
    "GET",
    "/health/ready",
    Effect.map(readiness.reasons, (reasons) =>
      reasons.length === 0
        ? HttpServerResponse.jsonUnsafe({ status: "ready" })
        : HttpServerResponse.jsonUnsafe({ status: "not ready", reasons }, { status: 503 }))
  )
}))

export const layer = Layer.mergeAll(live, ready)
