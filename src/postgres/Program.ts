/** Other programs, run to their end. */
import { Effect } from "effect"
import { execFile } from "node:child_process"

/** As which user a program runs; empty for the daemon's own. */
export interface Identity {
  readonly uid?: number
  readonly gid?: number
}

/** What every program of ours gets: none of the operator's PG… variables, and messages in English to show. */
export const environment = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" }

/** Runs a program to its end. Never fails: the caller judges by `ok` and shows `output`. */
export const run = (
  program: string,
  args: ReadonlyArray<string>,
  identity: Identity = {}
): Effect.Effect<{ readonly ok: boolean; readonly output: string }> =>
  Effect.callback((resume, signal) => {
    // The daemon's own working directory may be closed to that user.
    const options = { ...identity, cwd: "/", env: environment, signal }
    execFile(program, args, options, (error, stdout, stderr) => {
      const said = `${stdout}${stderr}`.trim()
      resume(Effect.succeed({ ok: error === null, output: said === "" && error !== null ? error.message : said }))
    })
  })
