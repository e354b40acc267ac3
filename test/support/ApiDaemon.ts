/** A daemon without feeds, whose interface the tests of a file ask. */
import { Context, Effect, Layer } from "effect"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { stoppableDaemon } from "./StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "./TestDaemon.ts"

type Running = Effect.Success<ReturnType<typeof stoppableDaemon>>
type Services = Running["context"] extends Context.Context<infer S> ? S : never

export class ApiDaemon extends Context.Service<ApiDaemon, Pick<Running, "context" | "url">>()(
  "killmaild/test/ApiDaemon"
) {
  /** It has stored these killmails, and knows what `prepare` writes. */
  static readonly layer = <E>(
    killmails: ReadonlyArray<Killmail>,
    prepare: Effect.Effect<unknown, E, Services>,
    overrides: Readonly<Record<string, string>> = {}
  ) =>
    Layer.effect(
      ApiDaemon,
      Effect.gen(function*() {
        const sandbox = yield* manualSandbox()
        const { url: databaseUrl } = yield* migratedDatabase
        const { context, store, url } = yield* stoppableDaemon(databaseUrl, sandbox, {
          KILLMAILD_FEEDS: "",
          ...overrides
        })
        yield* store(killmails)
        yield* Effect.provide(prepare, context)
        return { context, url }
      })
    )
}
