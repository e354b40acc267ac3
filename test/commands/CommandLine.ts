/** The program as people run it: a process with arguments, an environment, two streams and an exit status. */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")
const main = join(root, "src/main.ts")
/** Compiled code kept from process to process: a start takes two thirds of the time. */
const compileCache = join(root, "node_modules/.cache/node")

export interface Ended {
  readonly status: number | null
  readonly out: string
  readonly err: string
}

type Environment = Readonly<Record<string, string>>

/** A process that goes on until it ends by itself or the scope closes. */
export const start = (args: ReadonlyArray<string>, env: Environment = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      // Nothing of the outer environment but where programs are: it may hold settings.
      const child = spawn(process.execPath, [main, ...args], {
        env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: compileCache, ...env }
      })
      const said = { out: "", err: "" }
      child.stdout.on("data", (data: Buffer) => said.out += data.toString())
      child.stderr.on("data", (data: Buffer) => said.err += data.toString())
      const closed = once(child, "close").then(([status]: ReadonlyArray<unknown>): Ended => ({
        status: status as number | null,
        ...said
      }))
      return {
        said,
        signal: (signal: NodeJS.Signals) => child.kill(signal),
        ended: Effect.promise(() => closed),
        /** The first match in what it says; fails when it ends without. */
        says: (pattern: RegExp) =>
          Effect.gen(function*() {
            for (;;) {
              const match = pattern.exec(said.out) ?? pattern.exec(said.err)
              if (match !== null) return match
              if (child.exitCode !== null) return yield* Effect.die(new Error(`It ended: ${said.out}${said.err}`))
              yield* Effect.sleep("20 millis")
            }
          })
      }
    }),
    (child) => Effect.sync(() => child.signal("SIGKILL"))
  )

/** Runs it to its end. */
export const run = (args: ReadonlyArray<string>, env: Environment = {}) =>
  Effect.scoped(Effect.flatMap(start(args, env), ({ ended }) => ended))

export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-command-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)
