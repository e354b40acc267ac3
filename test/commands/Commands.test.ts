import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { type AddressInfo, connect, createServer } from "node:net"
import { join } from "node:path"
import { Client } from "pg"
import { killmailOf } from "../../src/sandbox/World.ts"
import { manualSandbox, migratedDatabase, settingsFor } from "../support/TestDaemon.ts"
import { TestDatabase } from "../support/TestDatabase.ts"
import { run, start, temporaryDirectory } from "./CommandLine.ts"

const query = (url: string, text: string) =>
  Effect.promise(async () => {
    const client = new Client(url)
    await client.connect()
    return client.query(text).finally(() => client.end())
  })

describe("the commands", () => {
  it.live("wait for a Postgres that is still starting up, and say so once", () =>
    Effect.gen(function*() {
      const { url } = yield* TestDatabase.make
      const { err, out, status } = yield* run(["migrate"], { DATABASE_URL: yield* slowlyStarting(url, 2) })
      assert.deepStrictEqual({ status, out }, { status: 0, out: "The schema is up to date.\n" })
      assert.match(
        err,
        /^\S+ INFO {2}Waiting for Postgres at 127\.0\.0\.1:\d+ \(the database system is starting up\)\.\n$/
      )
    }))

  it.live("show settings and the database's address, secrets hidden but where they are asked for", () =>
    Effect.gen(function*() {
      const env = { DATABASE_URL: "postgres://me:secret@db/killmaild", KILLMAILD_PORT: "9000" }
      const [shown, asJson, address] = yield* Effect.all(
        [run(["settings"], env), run(["settings", "--json"], env), run(["database-url"], env)],
        { concurrency: 3 }
      )
      assert.strictEqual(shown.status, 0)
      assert.match(shown.out, /^DATABASE_URL +\*{8} +set /m)
      assert.match(shown.out, /^KILLMAILD_PORT +9000 +set /m)
      assert.notInclude(shown.out, "secret")
      const rows: ReadonlyArray<unknown> = JSON.parse(asJson.out)
      assert.deepInclude(rows, {
        name: "KILLMAILD_PORT",
        value: "9000",
        set: true,
        meaning: "port to listen on; 0 takes a free one"
      })
      assert.strictEqual(address.out, "postgres://me:secret@db/killmaild\n")
    }))

  it.live("forget dead letters and put them back", () =>
    Effect.gen(function*() {
      const { url } = yield* migratedDatabase
      const env = { DATABASE_URL: url }
      yield* query(
        url,
        `insert into dead_letters (task, key, payload, reason, error, attempts)
         select 'ingest_killmail', 'killmail:' || n, '{}', 'not_found', 'No.', 1 from generate_series(1, 2) n`
      )
      const stats = yield* run(["queue", "stats", "ingest_killmail", "--json"], env)
      const expected = { task: "ingest_killmail", priority: 0, waiting: 0, failed: 2 }
      assert.deepInclude(JSON.parse(stats.out)[0], expected)
      const retried = yield* run(["queue", "retry", "ingest_killmail", "--failed"], env)
      assert.strictEqual(retried.out, "2 dead letters of ingest_killmail put back into the queue.\n")
      const unknown = yield* run(["queue", "retry", "ingest_killmails", "--failed"], env)
      assert.match(
        unknown.err,
        /^killmaild: queue retry: no task is called ingest_killmails, wants one of .*ingest_killmail/
      )
      const cleared = yield* run(["queue", "clear", "ingest_killmail", "--failed", "--json"], env)
      assert.strictEqual(cleared.out, "{\"task\":\"ingest_killmail\",\"count\":0}\n")
      const table = yield* run(["queue", "stats"], env)
      assert.match(table.out, /^task +priority +waiting .*\ningest_killmail +0 +2 /)
    }))

  it.live("import static data from where one wants, and tell what is there now", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url } = yield* migratedDatabase
      const env = settingsFor(sandbox, url, yield* temporaryDirectory)
      const first = yield* run(["static-data", "import"], env)
      assert.strictEqual(first.status, 0, first.err)
      assert.match(first.out, /^Build 3444265 is here: \d+ categories, .*, \d+ celestials\.\n$/)
      assert.match(first.err, /^download: 100 %, [\d.]+ of [\d.]+ MB\nimport: \d+ %, .*\n$/)
      const again = yield* run(["static-data", "import", "--json"], env)
      assert.deepStrictEqual(again, {
        status: 0,
        out: "{\"status\":\"known\",\"build\":3444265,\"rows\":{},\"missing\":[]}\n",
        err: ""
      })
      const shorthand = `${sandbox.url}/static-data/eve-online-static-data-latest-jsonl.zip`
      assert.strictEqual((yield* run(["static-data", "import", shorthand, "--force"], env)).status, 0)
      const refusals = [["/nowhere.zip", "/nowhere.zip does not exist."], [
        `${sandbox.url}/static-data/other.zip`,
        `${sandbox.url}/static-data/other.zip cannot be had: the server answered 404.`
      ]] as const
      for (const [source, sentence] of refusals) {
        assert.deepStrictEqual(yield* run(["static-data", "import", source], env), {
          status: 1,
          out: "",
          err: `killmaild: static-data import: ${sentence}\n`
        })
      }
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("share a database: one process hears and stores, another serves, a third adds by hand", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url } = yield* migratedDatabase
      const dataDir = yield* temporaryDirectory
      const env = settingsFor(sandbox, url, dataDir, { KILLMAILD_LOG_LEVEL: "info" })
      const worker = yield* start(["serve", "--roles", "feeds,jobs"], env)
      const api = yield* start(["serve", "--roles", "api"], env)

      const [, address] = yield* api.says(/is up: (http:\S+)\/docs/)
      yield* worker.says(/r2z2: listening/)
      const fed = killmailOf("commands", 1)
      sandbox.publishR2z2({ esi: fed.killmail, hash: fed.hash, zkb: fed.zkb })
      const asked = yield* Effect.promise(async () => {
        for (;;) {
          const response = await fetch(`${address}/api/v1/killmails/${fed.killmail.killmail_id}`)
          if (response.status !== 404) return response.json() as Promise<{ readonly hash: string }>
        }
      }).pipe(Effect.timeout("20 seconds"))
      assert.strictEqual(asked.hash, fed.hash)

      const added = killmailOf("commands", 2)
      sandbox.knowToEsi(added.killmail, added.hash)
      const named =
        `https://esi.evetech.net/killmails/${added.killmail.killmail_id}/${added.hash}/?datasource=tranquility`
      const first = yield* run(["add", named], env)
      assert.deepStrictEqual(first, { status: 0, out: `Killmail ${added.killmail.killmail_id} is stored.\n`, err: "" })
      const again = yield* run(["add", String(added.killmail.killmail_id), added.hash, "--json"], env)
      assert.deepInclude(JSON.parse(again.out), { killmail_id: added.killmail.killmail_id, status: "known" })
      const refused = yield* run(["add", "1", "0".repeat(40)], env)
      assert.strictEqual(refused.status, 1)
      assert.match(refused.err, /^killmaild: add: killmail 1 became a dead letter: .*\n$/)

      worker.signal("SIGTERM")
      api.signal("SIGINT")
      assert.deepStrictEqual([(yield* worker.ended).status, (yield* api.ended).status], [0, 0])
      assert.deepStrictEqual(sandbox.violations(), [])
    }))
})

/** A port that answers the first connections as a server that starts up, and leads the others to the real one. */
const slowlyStarting = Effect.fnUntraced(function*(url: string, refusals: number) {
  const real = new URL(url)
  const directory = decodeURIComponent(real.hostname)
  let refused = 0
  const server = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer((client) => {
        client.on("error", () => client.destroy())
        if (refused++ < refusals) return client.once("data", () => client.end(startingUp))
        const socket = directory.startsWith("/")
          ? connect(join(directory, ".s.PGSQL.5432"))
          : connect(Number(real.port || 5432), directory)
        socket.on("error", () => client.destroy()).pipe(client)
        client.pipe(socket)
      })
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      return server
    }),
    (server) => Effect.sync(() => server.close())
  )
  const user = `${real.username || "postgres"}${real.password === "" ? "" : `:${real.password}`}`
  return `postgres://${user}@127.0.0.1:${(server.address() as AddressInfo).port}${real.pathname}`
})

/** ErrorResponse of Postgres' protocol. */
const startingUp = (() => {
  const fields = Buffer.from("SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0")
  const header = Buffer.alloc(5)
  header.write("E")
  header.writeInt32BE(fields.length + 4, 1)
  return Buffer.concat([header, fields])
})()
