/** What a copy of the checkout is asked: the compiler, and vitest. */
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** Milliseconds that a program may take; vitest ends tests that hang long before. */
const mostMillis = 600_000

/** Runs it to its end, too late or interrupted to its death, and gives what it printed. What it started dies with it. */
const run = (copy: string, args: ReadonlyArray<string>, env: NodeJS.ProcessEnv = {}) =>
  Effect.callback<{ readonly status: number | null; readonly output: string }>((resume) => {
    const child = spawn(process.execPath, args, {
      cwd: copy,
      env: { ...process.env, TMPDIR: join(copy, "tmp"), NO_COLOR: "1", ...env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const kill = () => {
      try {
        process.kill(-child.pid!, "SIGKILL")
      } catch {
        // All of them have ended.
      }
    }
    let output = ""
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => output += text)
    const deadline = setTimeout(kill, mostMillis)
    // What it leaves behind would keep its output open.
    child.once("exit", kill)
    child.once("close", (status) => {
      clearTimeout(deadline)
      resume(Effect.succeed({ status, output }))
    })
    return Effect.sync(() => {
      clearTimeout(deadline)
      kill()
    })
  })

/** What the compiler has against it; nothing when all is well. What a bug leaves unused stays: nobody's eye is tested here. */
export const compile = (copy: string) =>
  Effect.map(
    run(copy, [
      "node_modules/typescript/bin/tsc",
      "--noEmit",
      "--noUnusedLocals",
      "false",
      "--noUnusedParameters",
      "false"
    ]),
    ({ output, status }) => status === 0 ? undefined : output.trim()
  )

/** How the tests ended that were to be run. */
export interface Report {
  readonly passed: ReadonlyArray<string>
  readonly failed: ReadonlyArray<{ readonly test: string; readonly message: string }>
  /** Why there is nothing to tell: the file could not be loaded, or vitest did not end. */
  readonly trouble: string | undefined
}

interface VitestReport {
  readonly testResults: ReadonlyArray<{
    readonly message: string
    readonly assertionResults: ReadonlyArray<{
      readonly fullName: string
      readonly status: string
      readonly failureMessages: ReadonlyArray<string>
    }>
  }>
}

/** Runs the tests of a file whose titles begin so, on databases of this server. */
export const runTests = (copy: string, file: string, titles: ReadonlyArray<string>, databaseUrl: string) => {
  const path = join(copy, "tmp", `${randomUUID()}.json`)
  const args = [
    "node_modules/vitest/vitest.mjs",
    "run",
    file,
    "--testNamePattern",
    titles.map((title) => RegExp.escape(title)).join("|"),
    "--reporter=json",
    `--outputFile=${path}`,
    // Both are kept in node_modules, which is not ours alone.
    "--cache=false",
    "--fsModuleCache=false"
  ]
  return Effect.map(run(copy, args, { TEST_DATABASE_URL: databaseUrl }), ({ output }): Report => {
    if (!existsSync(path)) {
      return { passed: [], failed: [], trouble: `vitest told nothing: ${output.trim().slice(-500)}` }
    }
    const { testResults } = JSON.parse(readFileSync(path, "utf8")) as VitestReport
    const tests = testResults.flatMap(({ assertionResults }) => assertionResults)
    const messages = testResults.map(({ message }) => message).filter((message) => message !== "")
    return {
      passed: tests.filter(({ status }) => status === "passed").map(({ fullName }) => fullName),
      failed: tests.filter(({ status }) => status === "failed").map(({ failureMessages, fullName }) => ({
        test: fullName,
        message: failureMessages.join("\n")
      })),
      trouble: messages.length === 0 ? undefined : messages.join("\n").slice(0, 500)
    }
  })
}
