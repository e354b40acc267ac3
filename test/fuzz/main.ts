/** `npm run fuzz -- --requests 100000 --seed S`: many requests, valid and not, and what is wrong with the answers. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as EmbeddedPostgres from "../../src/postgres/EmbeddedPostgres.ts"
import { describe, fuzz } from "./Fuzz.ts"
import { sourcesFor, target } from "./Target.ts"

const options = {
  requests: Flag.Int("requests").pipe(Flag.withDescription("Requests to send"), Flag.withDefault(100_000)),
  first: Flag.Int("first").pipe(Flag.withDescription("Number of the first request"), Flag.withDefault(0)),
  seed: Flag.String("seed").pipe(Flag.withDescription("From which all requests follow"), Flag.withDefault("fuzz")),
  url: Flag.String("url").pipe(Flag.withDescription("A daemon that runs, on this machine"), Flag.optional),
  token: Flag.String("token").pipe(Flag.withDescription("Its admin token"), Flag.withDefault("")),
  json: Flag.Boolean("json").pipe(Flag.withDescription("The outcome in a line of JSON"), Flag.withDefault(false))
}

/** A daemon of our own on a Postgres of our own. */
const ownTarget = Effect.gen(function*() {
  const directory = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-fuzz-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const { url } = yield* EmbeddedPostgres.start({
    directory: join(directory, "postgres"),
    settings: { fsync: "off" }
  })
  return yield* target(url)
})

const command = Command.make(
  "fuzz",
  options,
  Effect.fnUntraced(function*({ first, json, requests, seed, token, url }) {
    const daemon = Option.isSome(url) ? { url: url.value, token } : yield* ownTarget
    const sources = yield* sourcesFor(daemon)
    const started = performance.now()
    const progress = (answered: number) => json || process.stderr.write(`${answered} of ${requests}\n`)
    const outcome = yield* Effect.promise(() => fuzz({ url: daemon.url, sources, seed, first, requests, progress }))
    const seconds = Math.round((performance.now() - started) / 1000)
    if (outcome.findings.length > 0) process.exitCode = 1
    if (json) return yield* Console.log(JSON.stringify({ seed, first, requests, seconds, ...outcome }))
    for (const [key, count] of Object.entries(outcome.statuses).toSorted()) yield* Console.log(`${key}  ${count}`)
    for (const finding of outcome.findings) yield* Console.log(describe(finding))
    yield* Console.log(`${requests} requests in ${seconds} s, seed ${seed}: ${outcome.findings.length} findings`)
  }, Effect.scoped)
)

Command.run(command, { version: "0" }).pipe(
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({
    teardown: (exit, onExit) => onExit(exit._tag === "Success" ? Number(process.exitCode ?? 0) : 1)
  })
)
