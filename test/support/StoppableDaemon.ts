/** A whole daemon that a test stops when it wants, and talks to over HTTP. */
import { Context, Effect, Exit, Scope } from "effect"
import { Server } from "../../src/api/Server.ts"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { hashOf } from "../../src/domain/Killmail.ts"
import type * as Sandbox from "../../src/sandbox/Sandbox.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { startDaemonOn } from "./TestDaemon.ts"

/** Stopped by `stop`, or at the latest with the test. */
export const stoppableDaemon = Effect.fnUntraced(function*(
  databaseUrl: string,
  sandbox: Sandbox.Sandbox,
  overrides: Readonly<Record<string, string>> = {}
) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const { context } = yield* startDaemonOn(databaseUrl, sandbox, overrides).pipe(Scope.provide(scope))
  const store = Context.get(context, KillmailStore)
  return {
    context,
    url: Context.get(context, Server).url,
    stop: Scope.close(scope, Exit.void),
    /** Publishes these, as if a feed had brought them. */
    store: (killmails: ReadonlyArray<Killmail>) =>
      Effect.orDie(store.append(killmails.map((killmail) => ({
        killmail,
        hash: hashOf(killmail),
        source: "test",
        heardAt: new Date()
      }))))
  }
})
