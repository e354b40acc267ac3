import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { type AddressInfo, createServer } from "node:net"
import { join } from "node:path"
import { TestDatabase } from "../support/TestDatabase.ts"
import { run, temporaryDirectory } from "./CommandLine.ts"

const id = "1"
const hash = "0".repeat(40)

/** Arguments, settings, and the one line on standard error. */
const refusals: ReadonlyArray<readonly [string, Readonly<Record<string, string>>, string]> = [
  ["sandbox --speed 0", {}, "sandbox: --speed got 0, wants a number above 0."],
  ["sandbox --faults 2", {}, "sandbox: --faults got 2, wants a share from 0 to 1."],
  ["sandbox --port 70000", {}, "sandbox: --port got 70000, wants a port from 0 to 65535."],
  [
    "static-data import",
    { DATABASE_URL: "postgres://localhost/nowhere", KILLMAILD_SDE_URL: "developers.eveonline.com" },
    "KILLMAILD_SDE_URL: got \"developers.eveonline.com\", wants a URL that begins with https:// or http://."
  ],
  [
    "prices import --start-date 2026-02-30",
    {},
    "prices import: --start-date got \"2026-02-30\", wants a day such as 2026-01-31."
  ],
  [
    "prices import --start-date 2026-02-02 --end-date 2026-02-01",
    {},
    "prices import: --start-date 2026-02-02 is after --end-date 2026-02-01, wants it before."
  ],
  [
    `add ${id} ${hash}0`,
    {},
    "add: wants a killmail id and its hash of 40 hex digits, or https://esi.evetech.net/killmails/{id}/{hash}/."
  ],
  [
    "queue clear ingest_killmail",
    {},
    "queue clear: works on dead letters only, wants --failed to confirm that they are meant."
  ],
  ["serve --roles feeds,web", {}, "serve: --roles got \"feeds,web\", wants a list of feeds, jobs, api."],
  ["serve", { KILLMAILD_PORT: "http" }, "KILLMAILD_PORT: got \"http\", wants a whole number from 0 to 65535."],
  [
    "queue stats",
    { DATABASE_URL: "mysql://user:secret@host/db" },
    "DATABASE_URL: got a text that does not fit, wants a URL that begins with postgres:// or postgresql://, other " +
    "characters than letters and digits in its password percent-encoded."
  ]
]

/** In which the embedded Postgres would leave traces. */
const inDirectory = Effect.fnUntraced(function*(args: string, env: Readonly<Record<string, string>>) {
  const dataDir = yield* temporaryDirectory
  const ended = yield* run(args.split(" "), { KILLMAILD_DATA_DIR: dataDir, ...env })
  return { ...ended, touched: existsSync(join(dataDir, "postgres")) }
})

describe("what the command line cannot do", () => {
  it.live("is refused in one sentence and with status 1, before Postgres is started", () =>
    Effect.forEach(refusals, ([args, env, sentence]) =>
      Effect.gen(function*() {
        const { err, out, status, touched } = yield* inDirectory(args, env)
        assert.deepStrictEqual({ status, out, err, touched }, {
          status: 1,
          out: "",
          err: `killmaild: ${sentence}\n`,
          touched: false
        })
      }), { concurrency: 2, discard: true }))

  it.live("is told with the help that fits when a command or a flag does not exist", () =>
    Effect.forEach(
      [
        ["frobnicate", "Unknown subcommand \"frobnicate\"", "database-url"],
        ["serve --rolls api", "Unrecognized flag: --rolls", "--roles"],
        ["sandbox --speed fast", "Invalid value for flag --speed: \"fast\"", "--speed number"]
      ] as const,
      ([args, error, help]) =>
        Effect.gen(function*() {
          const { err, out, status } = yield* inDirectory(args, {})
          assert.strictEqual(status, 1)
          assert.include(err, error)
          assert.include(out, help)
        }),
      { concurrency: 2, discard: true }
    ))

  it.live("is a database-url while no embedded Postgres runs", () =>
    Effect.gen(function*() {
      const { err, status } = yield* inDirectory("database-url", {})
      assert.strictEqual(status, 1)
      assert.match(err, /^killmaild: database-url: no Postgres runs on .*\/postgres, .*\n$/)
    }))

  it.live("is a database that is not there, told without the password", () =>
    Effect.gen(function*() {
      const database = new URL((yield* TestDatabase.make).url)
      database.pathname = "/nowhere"
      const { err, status } = yield* run(["migrate"], {
        DATABASE_URL: database.href.replace("postgres@", "postgres:secret@")
      })
      assert.strictEqual(status, 1)
      assert.match(err, /^killmaild: DATABASE_URL: cannot reach \S+ \(database "nowhere" does not exist\), wants .*\n$/)
      assert.notInclude(err, "secret")
    }))

  it.live("is to ask the real world without saying who asks", () =>
    Effect.gen(function*() {
      const { url } = yield* TestDatabase.make
      yield* Effect.forEach([["feeds", "r2z2.zkillboard.com"], ["jobs", "esi.evetech.net"]] as const, ([roles, host]) =>
        Effect.gen(function*() {
          const { err, status } = yield* run(["serve", "--roles", roles], { DATABASE_URL: url })
          assert.strictEqual(status, 1)
          assert.strictEqual(
            err,
            `killmaild: KILLMAILD_CONTACT: is unset, wants an email address or other contact before ${host} is called.\n`
          )
        }), { concurrency: 2, discard: true })
    }))

  it.live("is to listen on a port that another program has", () =>
    Effect.gen(function*() {
      const { url } = yield* TestDatabase.make
      const taken = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const server = createServer().listen(0, "127.0.0.1")
          await once(server, "listening")
          return server
        }),
        (server) => Effect.sync(() => server.close())
      )
      const port = String((taken.address() as AddressInfo).port)
      const { err, status } = yield* run(["serve", "--roles", "api"], {
        DATABASE_URL: url,
        KILLMAILD_PORT: port,
        KILLMAILD_DATA_DIR: yield* temporaryDirectory
      })
      assert.strictEqual(status, 1)
      assert.strictEqual(
        err,
        `killmaild: KILLMAILD_PORT: port ${port} of 127.0.0.1 is taken, wants a free one (0 takes any).\n`
      )
    }))
})
