/**
 * The program of the jobs' process, whose parent is jobs/JobsProcess.ts. It is crash-only: at the first sign that
 * something is wrong with its connections or itself it ends at once, and its jobs are run by the next.
 */
import "effect/schema/SchemaJITCompiler/enable"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer, Redacted } from "effect"
import { PrometheusMetrics } from "effect/observability"
import * as Jobs from "./Jobs.ts"
import { Canary } from "./jobs/Canary.ts"
import { aliveMillis, type FromChild, type FromParent, type Go } from "./jobs/JobChannel.ts"
import { Settings } from "./Settings.ts"
import * as Database from "./store/Database.ts"
import { stores } from "./Stores.ts"
import * as Telemetry from "./telemetry/Telemetry.ts"

const die = (reason: string): void => {
  process.stderr.write(`killmaild: the jobs' process ends: ${reason}\n`)
  process.kill(process.pid, "SIGKILL")
}

const tell = (message: FromChild): void => {
  process.send?.(message, undefined, undefined, () => {})
}

/** The parent is gone: nobody would bury this process or send another. */
process.on("disconnect", () => die("its parent is gone"))
if (!process.connected) die("its parent was gone before it began")
process.on("unhandledRejection", (reason) => die(`unhandled rejection: ${String(reason)}`))
process.on("uncaughtException", (error) => die(`uncaught exception: ${error.stack ?? error.message}`))

const go = Effect.callback<Go>((resume) => {
  const listener = (message: FromParent) => {
    if (message.type !== "go") return
    process.off("message", listener)
    resume(Effect.succeed(message))
  }
  process.on("message", listener)
  tell({ type: "ready" })
})

const reports = Layer.effectDiscard(Effect.gen(function*() {
  const canary = yield* Canary
  const run = Effect.runForkWith(yield* Effect.context())
  process.on("message", (message: FromParent) => {
    if (message.type !== "metrics") return
    run(Effect.map(PrometheusMetrics.format(), (text) => tell({ type: "metrics", text })))
  })
  const alive = Effect.sync(() => tell({ type: "alive", canaryMillis: canary.age() }))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(alive, Effect.sleep(aliveMillis))))
}))

Effect.gen(function*() {
  const { applicationName, databaseUrl } = yield* go
  const url = Redacted.make(databaseUrl)
  return yield* Layer.launch(
    Layer.merge(reports, Jobs.layer(url, { applicationName, onLost: die })).pipe(
      Layer.provide([stores, Canary.layer]),
      Layer.provide([Database.layer(url, applicationName), NodeHttpClient.layerUndici])
    )
  )
}).pipe(
  Effect.provide(Telemetry.layer),
  Effect.provide(Settings.layerFrom(process.env)),
  NodeRuntime.runMain({
    teardown: (_exit, onExit) => onExit(0)
  })
)
