/** A daemon in little, for the tests to kill: `node owner.ts DIRECTORY`. Prints the URL; on SIGINT asks once more, then ends. */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect } from "effect"
import { Client } from "pg"
import * as EmbeddedPostgres from "../../src/postgres/EmbeddedPostgres.ts"

const answerAtTheEnd = (url: string) =>
  Effect.promise(async () => {
    const client = new Client(url)
    await client.connect()
    await client.query("select 1")
    await client.end()
    process.stdout.write("answered at the end\n")
  })

EmbeddedPostgres.start({ directory: process.argv[2]!, settings: { fsync: "off" } }).pipe(
  Effect.tap(({ url }) => Effect.addFinalizer(() => answerAtTheEnd(url))),
  Effect.tap(({ url }) => Effect.sync(() => process.stdout.write(`${url}\n`))),
  Effect.andThen(Effect.never),
  Effect.scoped,
  NodeRuntime.runMain
)
