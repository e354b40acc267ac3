/**
 * Keeps one child process running that runs the jobs. The child is crash-only: graphile-worker does not survive a lost
 * connection, so the child ends at the first sign of one, and its parent sends the next (Lives.ts).
 */
import { Context, Deferred, Effect, Layer, Redacted } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { type Alive, aliveMillis, type FromChild, type FromParent } from "./JobChannel.ts"
import type { Live } from "./Lives.ts"

/** Milliseconds of silence after which a child is taken for frozen; it gets longer to load its code. */
const frozenMillis = 10 * aliveMillis
const loadingMillis = 30_000
/** Milliseconds that a child gets to end its jobs when the daemon stops. */
const stopMillis = 4000
/** Megabytes for what is short-lived. With 4, collecting it took a fifth of the child's time; more gained nothing. */
const execArgv = ["--max-semi-space-size=16"]

/** A process that loads its code, and then waits to be sent on its way. */
export interface Child {
  readonly process: ChildProcess
  readonly ready: Deferred.Deferred<void>
}

/** `entry` is the program to run; it speaks JobChannel. */
export const forkChild = (entry: URL, env: Readonly<Record<string, string | undefined>>): Child => {
  const child = fork(entry, { env, execArgv, stdio: ["ignore", "inherit", "inherit", "ipc"] })
  const ready = Deferred.makeUnsafe<void>()
  child.on("message", ({ type }: FromChild) => {
    if (type === "ready") Deferred.doneUnsafe(ready, Effect.void)
  })
  return { process: child, ready }
}

/** The child that was started before the daemon's own code was loaded, if there is one: both then load at the same time. */
export const FirstChild = Context.Reference<Child | undefined>("killmaild/jobs/FirstChild", {
  defaultValue: () => undefined
})

export class JobsProcess extends Context.Service<JobsProcess, {
  /** One life of a child. It loads its code at once, beside the burial of the one before. */
  readonly live: Live<never>
  /** Of the child that lives now. */
  readonly pid: () => number | undefined
  /** Milliseconds since a job last ran through all of the queue in a child; null before the first. */
  readonly canaryAge: () => number | null
  /** The child's metrics in Prometheus' text format; empty while there is no child. */
  readonly metrics: Effect.Effect<string>
}>()("killmaild/jobs/JobsProcess") {
  static readonly layer = (entry: URL, url: Redacted.Redacted, env: Readonly<Record<string, string | undefined>>) =>
    Layer.effect(
      JobsProcess,
      Effect.gen(function*() {
        const forked = yield* FirstChild
        // A start that begins again has had it.
        let first = forked?.process.exitCode === null && forked.process.signalCode === null ? forked : undefined
        const state: { child: ChildProcess | undefined; canaryAt: number | null } = { child: undefined, canaryAt: null }
        let tellMetrics: ((text: string) => void) | undefined

        const live: Live<never> = Effect.fnUntraced(function*(applicationName, mayBegin) {
          const { process: child, ready } = yield* Effect.acquireRelease(
            Effect.sync(() => first ?? forkChild(entry, env)),
            ({ process }) => stop(process)
          )
          first = undefined
          let heardAt = performance.now() + loadingMillis
          child.on("message", (message: FromChild) => {
            heardAt = performance.now()
            if (message.type === "alive") state.canaryAt = timeOf(message)
            else if (message.type === "metrics") tellMetrics?.(message.text)
          })
          state.child = child
          const work = Effect.gen(function*() {
            yield* Effect.all([Deferred.await(ready), mayBegin], { concurrency: 2 })
            const go: FromParent = { type: "go", applicationName, databaseUrl: Redacted.value(url) }
            heardAt = performance.now()
            child.send(go, () => {})
            while (performance.now() - heardAt < frozenMillis) yield* Effect.sleep(aliveMillis)
            child.kill("SIGKILL")
            return yield* Effect.never
          })
          return yield* Effect.raceFirst(endOf(child), work)
        }, Effect.scoped)

        return JobsProcess.of({
          live,
          pid: () => state.child?.pid,
          canaryAge: () => state.canaryAt === null ? null : performance.now() - state.canaryAt,
          metrics: Effect.callback<string>((resume) => {
            tellMetrics = (text) => resume(Effect.succeed(text))
            const wanted: FromParent = { type: "metrics" }
            if (state.child?.connected === true) state.child.send(wanted, () => {})
            else resume(Effect.succeed(""))
          }).pipe(Effect.timeoutOrElse({ duration: "1 second", orElse: () => Effect.succeed("") }))
        })
      })
    )
}

/** On this process's own clock. */
const timeOf = ({ canaryMillis }: Alive): number | null =>
  canaryMillis === null ? null : performance.now() - canaryMillis

const endOf = (child: ChildProcess) =>
  Effect.callback<string>((resume) => {
    const tell = (code: number | null, signal: string | null) => resume(Effect.succeed(signal ?? `exit ${code}`))
    if (child.exitCode !== null || child.signalCode !== null) tell(child.exitCode, child.signalCode)
    else child.once("exit", tell)
  })

/** Asks it to end its jobs, and does not wait for ever. */
export const stop = (child: ChildProcess) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    const deadline = setTimeout(() => child.kill("SIGKILL"), stopMillis)
    child.once("exit", () => {
      clearTimeout(deadline)
      resume(Effect.void)
    })
    child.kill("SIGTERM")
  })
