import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { spawn } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Killmail } from "../src/domain/Killmail.ts"
import { stoppableDaemon } from "./support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "./support/TestDaemon.ts"

const root = join(import.meta.dirname, "..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

const commands = ["README.md", "docs/stream.md"].flatMap((page) =>
  [...read(page).matchAll(/^curl .*$/gm)].map(([command]) => command)
)
const isEndless = (command: string) => command.includes("/stream")

const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-readme-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** What a shell says to the command; what has no end of its own is ended when it has said something. */
const run = (command: string, directory: string) =>
  Effect.callback<{ readonly status: number | null; readonly output: string }>((resume) => {
    const child = spawn("sh", ["-c", `exec ${command}`], {
      cwd: directory,
      env: { ...process.env, CURL_HOME: directory },
      stdio: ["ignore", "pipe", "ignore"]
    })
    let output = ""
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString()
      if (isEndless(command) && output.includes("\n\n")) child.kill()
    })
    child.on("close", (status) => resume(Effect.succeed({ status, output })))
  })

describe("the examples with curl", () => {
  it.live("work as they stand", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url: databaseUrl } = yield* migratedDatabase
      const { store, url } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "" })
      yield* store([yield* Schema.decodeUnknownEffect(Killmail)(JSON.parse(read("docs/examples/killmail.json")))])
      const directory = yield* temporaryDirectory
      // The test's daemon has a port of its own; curl connects to that one instead.
      writeFileSync(
        join(directory, ".curlrc"),
        `connect-to = "127.0.0.1:8080:127.0.0.1:${new URL(url).port}"\nfail-with-body\nsilent\n`
      )
      assert.isAbove(commands.length, 5)
      for (const command of commands) {
        const { output, status } = yield* run(command, directory)
        if (isEndless(command)) assert.match(output, /^retry: 2000\nevent: welcome\nid: \d+\ndata: \{/, command)
        else assert.strictEqual(status, 0, `${command}: ${output}`)
        const file = / -o (\S+)/.exec(command)?.[1]
        if (file === undefined) assert.notStrictEqual(output, "", command)
        else assert.isTrue(existsSync(join(directory, file)), command)
      }
    }), 90_000)
})
