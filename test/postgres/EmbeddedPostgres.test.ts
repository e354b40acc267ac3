import { PgClient } from "@effect/sql-pg"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted, Schedule } from "effect"
import { SqlClient } from "effect/sql"
import { spawn } from "node:child_process"
import { once } from "node:events"
import {
  access,
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  writeFile
} from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { Client } from "pg"
import * as Account from "../../src/postgres/Account.ts"
import * as Binaries from "../../src/postgres/Binaries.ts"
import * as EmbeddedPostgres from "../../src/postgres/EmbeddedPostgres.ts"
import { run } from "../../src/postgres/Program.ts"

const isRoot = process.getuid?.() === 0
const settings = { fsync: "off", shared_buffers: "16MB" }

/** A new directory, gone at the end of the test. */
const temporary = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "embedded-test-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)
/** One that other users can enter. */
const openTemporary = temporary.pipe(Effect.tap((path) => Effect.promise(() => chmod(path, 0o755))))
const newDirectory = temporary.pipe(Effect.map((path) => join(path, "postgres")))

const start = (directory: string) => EmbeddedPostgres.start({ directory, settings })

const query = (url: string, text: string) =>
  Effect.promise(async () => {
    const client = new Client(url)
    await client.connect()
    return (await client.query(text).finally(() => client.end())).rows
  })

const remember = (url: string) => query(url, "create table kept as select 'kept' as word")
const recall = (url: string) => query(url, "select word from kept")

/** Data that remember `kept`, made once: a copy is quicker than a first start. */
const directoryWithData = Effect.gen(function*() {
  const directory = yield* newDirectory
  yield* run("cp", ["-a", model, directory])
  return directory
})

let model = ""
beforeAll(async () => {
  model = join(await mkdtemp(join(tmpdir(), "embedded-test-")), "postgres")
  await Effect.runPromise(Effect.scoped(Effect.flatMap(start(model), ({ url }) => remember(url))))
})
afterAll(() => rm(dirname(model), { recursive: true }))

/** Another process that runs Postgres on the directory, as the daemon does; ended with the test. */
const startOwner = Effect.fnUntraced(function*(directory: string) {
  const owner = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [join(import.meta.dirname, "owner.ts"), directory], {
        stdio: ["ignore", "pipe", "inherit"],
        detached: true
      })
    ),
    (owner) => Effect.promise(async () => owner.kill("SIGTERM") && await once(owner, "exit"))
  )
  const lines = createInterface(owner.stdout)[Symbol.asyncIterator]()
  const nextLine = Effect.promise(async () => (await lines.next()).value as string | undefined)
  const exited = once(owner, "exit")
  return { pid: owner.pid!, url: (yield* nextLine)!, nextLine, exited: Effect.promise(() => exited) }
})

const nothingRuns = (directory: string) =>
  EmbeddedPostgres.urlOfRunning(directory).pipe(
    Effect.repeat({ schedule: Schedule.spaced("10 millis"), while: Option.isSome })
  )

describe("the embedded Postgres", () => {
  it.live("keeps its data from run to run, and leaves neither process nor socket", () =>
    Effect.gen(function*() {
      const directory = yield* newDirectory
      const first = yield* Effect.scoped(start(directory).pipe(Effect.tap(({ url }) => remember(url))))
      assert.isTrue(Option.isNone(yield* EmbeddedPostgres.urlOfRunning(directory)))
      const sockets = decodeURIComponent(new URL(first.url).hostname)
      assert.strictEqual(yield* Effect.promise(() => access(sockets).then(() => "there", () => "gone")), "gone")
      const second = yield* start(directory)
      assert.deepStrictEqual(yield* recall(second.url), [{ word: "kept" }])
      assert.strictEqual(second.url, first.url)
    }))

  it.live("is version 18, sorts by code point in UTF-8, lives in UTC, and lets nobody else at its socket", () =>
    Effect.gen(function*() {
      const { url } = yield* start(yield* directoryWithData)
      const [row] = yield* query(
        url,
        `select current_setting('server_version_num')::int / 10000 as version, current_setting('timezone') as zone,
           getdatabaseencoding() as encoding, 'Z' < 'a' as "byCodePoint", upper('é') as upper`
      )
      assert.deepStrictEqual(row, { version: 18, zone: "UTC", encoding: "UTF8", byCodePoint: true, upper: "É" })
      const sockets = yield* Effect.promise(() => stat(decodeURIComponent(new URL(url).hostname)))
      assert.strictEqual(sockets.mode & 0o777, 0o700)
    }))

  it.live("gives one URL that node-pg and sql-pg accept, however deep the directory is", () =>
    Effect.gen(function*() {
      const directory = join(yield* temporary, "deep/".repeat(30), "postgres with a space")
      const { url } = yield* start(directory)
      const bySqlPg = yield* Effect.flatMap(SqlClient.SqlClient, (sql) => sql`select current_database() as name`).pipe(
        Effect.provide(PgClient.layer({ url: Redacted.make(url) }))
      )
      assert.deepStrictEqual(bySqlPg, [{ name: "killmaild" }])
      assert.deepStrictEqual(yield* query(url, "select current_database() as name"), [{ name: "killmaild" }])
      assert.deepStrictEqual(yield* EmbeddedPostgres.urlOfRunning(directory), Option.some(url))
    }))

  it.live("refuses a second daemon on its directory with one sentence, and goes on", () =>
    Effect.gen(function*() {
      const directory = yield* directoryWithData
      const owner = yield* startOwner(directory)
      const refused = yield* Effect.flip(start(directory))
      assert.match(
        refused.message,
        /^Another killmaild runs PostgreSQL on .*: stop it first, or .*database-url prints\.$/
      )
      assert.deepStrictEqual(yield* query(owner.url, "select 1 as one"), [{ one: 1 }])
      assert.deepStrictEqual(yield* EmbeddedPostgres.urlOfRunning(directory), Option.some(owner.url))
    }))

  it.live("stops when its daemon is killed, and the next one finds the data", () =>
    Effect.gen(function*() {
      const directory = yield* directoryWithData
      const owner = yield* startOwner(directory)
      yield* query(owner.url, "update kept set word = 'changed'")
      process.kill(owner.pid, "SIGKILL")
      yield* owner.exited
      yield* nothingRuns(directory)
      const { url } = yield* start(directory)
      assert.deepStrictEqual(yield* recall(url), [{ word: "changed" }])
    }))

  it.live("does not hear Ctrl-C: the daemon still has it while it shuts down", () =>
    Effect.gen(function*() {
      const directory = yield* directoryWithData
      const owner = yield* startOwner(directory)
      process.kill(-owner.pid, "SIGINT")
      assert.strictEqual(yield* owner.nextLine, "answered at the end")
      yield* owner.exited
      assert.isTrue(Option.isNone(yield* EmbeddedPostgres.urlOfRunning(directory)))
    }))

  it.live("is started again under the same URL when it is killed itself", () =>
    Effect.gen(function*() {
      const { url, pid } = yield* start(yield* directoryWithData)
      process.kill(pid, "SIGKILL")
      const answer = yield* Effect.tryPromise(async () => {
        const client = new Client(url)
        client.on("error", () => {})
        await client.connect()
        return (await client.query("select word from kept").finally(() => client.end())).rows
      }).pipe(Effect.retry(Schedule.spaced("20 millis")))
      assert.deepStrictEqual(answer, [{ word: "kept" }])
    }))

  it.live("takes over from a server that nobody owns any more", () =>
    Effect.gen(function*() {
      const directory = yield* directoryWithData
      const account = yield* Account.choose(yield* Binaries.find, undefined)
      const sockets = yield* temporary
      const postgres = Binaries.postgresOf(account.binaries)
      const [program, ...args] = account.wrap([postgres, "-D", directory, "-h", "", "-k", sockets])
      const orphan = spawn(program, args, { stdio: "ignore", detached: true })
      const ended = once(orphan, "exit")
      yield* EmbeddedPostgres.urlOfRunning(directory).pipe(
        Effect.repeat({ schedule: Schedule.spaced("10 millis"), while: Option.isNone })
      )
      const { url, pid } = yield* start(directory)
      yield* Effect.promise(() => ended)
      assert.notStrictEqual(pid, orphan.pid)
      assert.deepStrictEqual(yield* recall(url), [{ word: "kept" }])
    }))

  it.live("is not stopped by the postmaster.pid of a crash whose process id is another program's by now", () =>
    Effect.gen(function*() {
      const directory = yield* directoryWithData
      const stale = [process.pid, directory, 1, 5432, "/tmp/elsewhere", "", "  1  1", "ready   "].join("\n")
      yield* Effect.promise(() => writeFile(join(directory, "postmaster.pid"), `${stale}\n`))
      assert.isTrue(Option.isNone(yield* EmbeddedPostgres.urlOfRunning(directory)))
      const { url } = yield* start(directory)
      assert.deepStrictEqual(yield* recall(url), [{ word: "kept" }])
    }))

  it.live("begins anew over a first start that was killed in the middle", () =>
    Effect.gen(function*() {
      const directory = yield* newDirectory
      yield* Effect.promise(async () => {
        await mkdir(`${directory}.new-killed/base`, { recursive: true })
        await writeFile(`${directory}.new-killed/PG_VERSION`, "18\n")
      })
      const { url } = yield* start(directory)
      assert.deepStrictEqual(yield* query(url, "select 1 as one"), [{ one: 1 }])
      const left = yield* Effect.promise(() => readdir(dirname(directory)))
      assert.sameMembers(left, ["postgres", "postgres.lock", "postgres.log"])
    }))

  it.live("refuses data of another major version, and a directory that holds something else", () =>
    Effect.gen(function*() {
      const directory = yield* newDirectory
      const refusal = start(directory).pipe(Effect.scoped, Effect.flip, Effect.map(({ message }) => message))
      yield* Effect.promise(() => mkdir(directory))
      yield* Effect.promise(() => writeFile(join(directory, "PG_VERSION"), "17\n"))
      assert.match(
        yield* refusal,
        /was made by PostgreSQL 17 and this killmaild brings 18/
      )
      yield* Effect.promise(() => rm(join(directory, "PG_VERSION")))
      yield* Effect.promise(() => writeFile(join(directory, "letter.txt"), "Dear"))
      assert.match(yield* refusal, /is not empty and holds no PostgreSQL data/)
    }))

  it.live("says with the server's own words why it did not start", () =>
    Effect.gen(function*() {
      const directory = yield* directoryWithData
      const failed = yield* Effect.flip(EmbeddedPostgres.start({ directory, settings: { shared_buffers: "much" } }))
      assert.match(failed.message, /did not start on .*invalid value for parameter "shared_buffers": "much"/)
    }))

  it.live("runs as another user where root may make no user namespace, with the data where that user can reach them", (test) =>
    Effect.gen(function*() {
      if (!isRoot) return test.skip("only root has to become another user")
      const home = join(yield* openTemporary, "home")
      // The directory is in one that mkdtemp closed to others, as /root is.
      const directory = yield* newDirectory
      const options = { directory, settings, withoutNamespaceIn: home }
      yield* Effect.scoped(Effect.gen(function*() {
        const { url, pid } = yield* EmbeddedPostgres.start(options)
        const server = yield* Effect.promise(() => stat(`/proc/${pid}`))
        assert.notStrictEqual(server.uid, 0)
        yield* remember(url)
      }))
      assert.strictEqual(dirname(yield* Effect.promise(() => realpath(directory))), home)
      const { url } = yield* EmbeddedPostgres.start(options)
      assert.deepStrictEqual(yield* recall(url), [{ word: "kept" }])
      assert.deepStrictEqual(yield* EmbeddedPostgres.urlOfRunning(directory), Option.some(url))
    }))

  it.live("runs on the same data with and without a user namespace", (test) =>
    Effect.gen(function*() {
      if (!isRoot) return test.skip("only root has to become another user")
      const parent = yield* openTemporary
      const options = { directory: join(parent, "postgres"), settings }
      yield* run("cp", ["-a", model, options.directory])
      yield* Effect.scoped(
        EmbeddedPostgres.start({ ...options, withoutNamespaceIn: join(parent, "home") }).pipe(
          Effect.flatMap(({ url }) => recall(url))
        )
      )
      const { url } = yield* EmbeddedPostgres.start(options)
      assert.deepStrictEqual(yield* recall(url), [{ word: "kept" }])
    }))
})

describe("the binaries", () => {
  it.live("are copied to where another user can run them", (test) =>
    Effect.gen(function*() {
      if (!isRoot) return test.skip("only root has to become another user")
      const closed = yield* temporary
      const home = join(yield* openTemporary, "home")
      const found = yield* Binaries.find
      yield* run("cp", ["-a", found.root, closed])
      const account = yield* Account.choose({ ...found, root: join(closed, "native") }, home)
      assert.isTrue((yield* Effect.promise(() => lstat(account.binaries.root))).isDirectory())
      assert.strictEqual(account.binaries.root, join(home, `postgresql-${found.version}`))
    }))

  it.live("get their links back where npm ran no install script", () =>
    Effect.gen(function*() {
      const root = yield* temporary
      yield* Effect.promise(async () => {
        await mkdir(join(root, "native/lib"), { recursive: true })
        await writeFile(join(root, "native/lib/libpq.so.5.18"), "the library")
        const links = [{ source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" }]
        await writeFile(join(root, "native/pg-symlinks.json"), JSON.stringify(links))
      })
      yield* Binaries.restoreLinks(root)
      yield* Binaries.restoreLinks(root)
      const linked = yield* Effect.promise(() => readFile(join(root, "native/lib/libpq.so.5"), "utf8"))
      assert.strictEqual(linked, "the library")
    }))
})
