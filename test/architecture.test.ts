import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { basename, join, posix } from "node:path"

/**
 * Who may import whom, by room: a folder of src, or one of its files. Down to the machines, forward along the walk, never
 * back. Whoever is on top may import all that stands above it here; a room that is not in the table has no business in src.
 */
const rooms: Readonly<Record<string, ReadonlyArray<string>>> = {
  // The ground floor.
  domain: [],
  Settings: [],
  CrashPoint: [],
  BoundedText: [],
  RetryAfter: [],
  SecretFile: [],
  archives: [],
  telemetry: ["Settings"],
  migrations: [],
  // Machines: they know no killmail, but for the store.
  postgres: [],
  jobs: ["Settings", "CrashPoint", "telemetry"],
  store: ["domain", "CrashPoint", "telemetry", "migrations"],
  // What the one's trouble means for the other.
  ExplainSql: ["jobs", "store"],
  esi: ["domain", "Settings", "CrashPoint", "BoundedText", "RetryAfter", "telemetry", "jobs", "store"],
  upstreams: ["domain", "Settings", "BoundedText", "RetryAfter", "store"],
  // What the game is made of: CCP's static data.
  "static-data": ["domain", "Settings", "BoundedText", "RetryAfter", "telemetry", "ExplainSql", "jobs", "store", "esi"],
  // What things cost.
  prices: ["domain", "Settings", "BoundedText", "telemetry", "ExplainSql", "jobs", "store", "esi", "upstreams"],
  // Who is who: characters, corporations and alliances.
  entities: ["ExplainSql", "jobs", "store", "esi"],
  // Who maps the wormholes.
  "map-activity": ["domain", "Settings", "BoundedText", "RetryAfter", "ExplainSql", "jobs", "store"],
  // What everybody killed and lost.
  statistics: ["Settings", "telemetry", "store"],
  // Pilots who sign in, and what EVE's SSO lets us ask for them.
  accounts: ["Settings", "RetryAfter", "SecretFile", "ExplainSql", "jobs", "store"],
  // What ESI tells of these pilots' characters.
  "character-data": ["Settings", "jobs", "store", "esi", "accounts"],
  // What brings to their devices what they are told.
  notifications: ["Settings", "BoundedText", "RetryAfter", "ExplainSql", "jobs", "store"],
  // The walk, from hearsay to whoever listens.
  intake: [
    "domain",
    "Settings",
    "CrashPoint",
    "telemetry",
    "ExplainSql",
    "jobs",
    "store",
    "esi",
    "static-data",
    "prices"
  ],
  // What ESI lists for pilots joins it at its beginning.
  "own-killmails": ["domain", "Settings", "CrashPoint", "ExplainSql", "jobs", "store", "esi", "accounts", "intake"],
  // History joins it in the middle.
  history: [
    "domain",
    "CrashPoint",
    "archives",
    "ExplainSql",
    "jobs",
    "store",
    "upstreams",
    "static-data",
    "prices",
    "intake"
  ],
  feeds: ["domain", "Settings", "CrashPoint", "BoundedText", "RetryAfter", "telemetry", "store", "upstreams", "intake"],
  broadcast: ["domain", "CrashPoint", "telemetry", "store", "static-data"],
  // Those who are told of killmails where they are, not here.
  webhooks: [
    "domain",
    "Settings",
    "RetryAfter",
    "CrashPoint",
    "telemetry",
    "ExplainSql",
    "jobs",
    "store",
    "accounts",
    "static-data"
  ],
  api: [
    "domain",
    "Settings",
    "SecretFile",
    "telemetry",
    "jobs",
    "store",
    "accounts",
    "intake",
    "broadcast",
    "webhooks"
  ],
  // Beside it: the outside world, which must not share its mistakes with us.
  sandbox: ["domain"],
  // The top.
  Housekeeping: ["jobs", "store"],
  Stores: ["jobs", "store"],
  Jobs: [
    "Settings",
    "jobs",
    "store",
    "esi",
    "upstreams",
    "static-data",
    "prices",
    "entities",
    "map-activity",
    "statistics",
    "accounts",
    "character-data",
    "notifications",
    "intake",
    "own-killmails",
    "history",
    "webhooks",
    "Housekeeping"
  ],
  JobsMain: ["Settings", "telemetry", "jobs", "store", "Stores", "Jobs"],
  Daemon: [
    "domain",
    "Settings",
    "telemetry",
    "postgres",
    "jobs",
    "store",
    "static-data",
    "prices",
    "upstreams",
    "accounts",
    "intake",
    "feeds",
    "broadcast",
    "webhooks",
    "api",
    "Stores",
    "Jobs"
  ],
  benchmarks: [
    "domain",
    "Settings",
    "archives",
    "postgres",
    "store",
    "static-data",
    "intake",
    "history",
    "sandbox",
    "Stores"
  ],
  commands: [
    "domain",
    "Settings",
    "telemetry",
    "postgres",
    "jobs",
    "store",
    "esi",
    "upstreams",
    "static-data",
    "prices",
    "statistics",
    "accounts",
    "intake",
    "own-killmails",
    "history",
    "broadcast",
    "webhooks",
    "api",
    "sandbox",
    "Jobs",
    "Daemon",
    "benchmarks"
  ],
  main: ["Settings", "telemetry", "store", "commands"]
}

/** SQL is at home in these rooms, and elsewhere only for a reason. Benchmarks compare what is ours with what is not. */
const sqlRooms = new Set(["store", "jobs", "migrations", "benchmarks"])
const sqlElsewhere: Readonly<Record<string, string>> = {
  "src/api/Health.ts": "`select 1` asks whether there is a database at all, which is no store's question"
}
/** The driver under the queue and for the first words with an embedded server; all else goes through Effect's client. */
const driverRooms = new Set(["jobs", "postgres"])
/** COPY, which that client does not know. */
const driverElsewhere = new Set(["src/store/CopyTransactions.ts", "src/benchmarks/Copy.ts"])

const emptyNames =
  /^(utils?|helpers?|common|shared|misc|lib|types?|interfaces|services?|layers?|errors?|constants|index)$/i

type Files = Readonly<Record<string, string>>

const roomOf = (path: string): string => {
  const [top, next = ""] = path.split("/")
  return top === "migrations" ? top : next.replace(/\.ts$/, "")
}

const withoutComments = (source: string): string =>
  source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/(^|[^:"'`}])\/\/.*$/gm, "$1")

const importsOf = (code: string): ReadonlyArray<string> =>
  [...code.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)"([^"]+)"/g)].map((match) => match[1]!)

const importViolations = (path: string, code: string): ReadonlyArray<string> => {
  const room = roomOf(path)
  const allowed = rooms[room]
  if (allowed === undefined) return [`${path} is in no room of the table`]
  return importsOf(code).flatMap((specifier) => {
    if (!specifier.startsWith(".")) {
      if (room === "domain" && !/^effect(\/|$)/.test(specifier) && specifier !== "node:crypto") {
        return [`${path} is to be pure, but imports ${specifier}`]
      }
      // All of it takes as long to load as the rest of a daemon: it brings clients of Redis, clusters and more.
      if (specifier === "@effect/platform-node") return [`${path} imports all of ${specifier}, not a module of it`]
      return specifier === "pg" && !driverRooms.has(room) && !driverElsewhere.has(path)
        ? [`${path} imports the driver pg`]
        : []
    }
    const target = posix.join(posix.dirname(path), specifier)
    if (target === "package.json") return []
    const other = roomOf(target)
    return other === room || allowed.includes(other)
      ? []
      : [`${path} imports ${target}: ${room} may not import ${other}`]
  })
}

const violationsOf = (path: string, source: string): ReadonlyArray<string> => {
  const code = withoutComments(source)
  const found: Array<string> = [...importViolations(path, code)]
  const check = (wrong: boolean, what: string) => wrong && found.push(`${path} ${what}`)

  check(!source.startsWith("/**"), "does not begin with a docstring")
  check(path.split("/").some((part) => emptyNames.test(part.replace(/\..*$/, ""))), "has a name that says nothing")
  check(/\b(TODO|FIXME|XXX|HACK)\b/.test(source), "leaves work for later")
  check(/@ts-(ignore|nocheck|expect-error)/.test(source), "silences the compiler")
  check(/(:|<|,|\||&|=|\bas)\s*any\b(?!\s*\()/.test(code), "uses any")
  check(
    /\bsql(<[^`]*?>)?`/.test(code) && !sqlRooms.has(roomOf(path)) && sqlElsewhere[path] === undefined,
    "speaks SQL outside the store"
  )
  check(
    roomOf(path) === "domain" &&
      /\bDate\.now\b|new Date\(\)|\bMath\.random\b|\bprocess\.|import \* as .* "node:crypto"/.test(code),
    "is to be pure, but asks for the time, chance or process"
  )
  check(
    roomOf(path) === "domain" && /import \{(?! createHash \})[^}]*\} from "node:crypto"/.test(code),
    "is to be pure, but takes more than createHash from node:crypto"
  )
  const rest = code.replaceAll(/export\s+(type\s+)?(\*(\s+as\s+\w+)?|\{[^}]*\})\s+from\s+"[^"]+"/g, "").trim()
  check(rest === "" && code.trim() !== "", "only exports again what others export")
  return found
}

const violations = (files: Files): ReadonlyArray<string> =>
  Object.entries(files).flatMap(([path, source]) => violationsOf(path, source))

const root = join(import.meta.dirname, "..")
const ours: Files = Object.fromEntries(
  globSync(["src/**/*.ts", "migrations/*.ts"], { cwd: root }).map((
    path
  ) => [path, readFileSync(join(root, path), "utf8")])
)

describe("the architecture", () => {
  it("is kept by every file", () => {
    assert.isAbove(Object.keys(ours).length, 50)
    assert.deepStrictEqual(violations(ours), [])
  })

  it("has no circle of rooms, and every room of it exists", () => {
    const order = Object.keys(rooms)
    for (const [room, imported] of Object.entries(rooms)) {
      for (const other of imported) assert.isBelow(order.indexOf(other), order.indexOf(room), `${room} → ${other}`)
    }
    assert.sameMembers([...new Set(Object.keys(ours).map(roomOf))], order)
  })

  it("defines the interface without what answers it", () => {
    const contract = /^(\.\.\/(domain\/|Settings\.ts)|\.\/(\w*Api|ApiErrors|\w*Shapes)\.ts)/
    for (
      const [path, source] of Object.entries(ours).filter(([path]) =>
        /^src\/api\/(\w*Api|ApiErrors|\w*Shapes)\.ts/.test(path)
      )
    ) {
      const imported = importsOf(source).filter((specifier) => specifier.startsWith("."))
      assert.deepStrictEqual(imported.filter((specifier) => !contract.test(specifier)), [], path)
    }
  })

  it("makes no exception that nobody needs", () => {
    assert.deepStrictEqual(Object.keys(sqlElsewhere).filter((path) => !/\bsql`/.test(ours[path] ?? "")), [])
  })

  it("numbers migrations without a hole, and Database.ts runs each", () => {
    const names = Object.keys(ours).filter((path) => roomOf(path) === "migrations").map((path) => basename(path, ".ts"))
    names.toSorted().forEach((name, index) => {
      assert.match(name, new RegExp(`^${String(index + 1).padStart(4, "0")}_[a-z]+(_[a-z]+)+$`))
      assert.include(ours["src/store/Database.ts"], `"${name}": `)
    })
  })
})

describe("the test of the architecture", () => {
  const planted: ReadonlyArray<readonly [path: string, line: string, violation: string]> = [
    ["src/domain/Points.ts", "import { Esi } from \"../esi/Esi.ts\"", "domain may not import esi"],
    ["src/domain/Points.ts", "import { readFileSync } from \"node:fs\"", "imports node:fs"],
    ["src/domain/Points.ts", "import { randomUUID } from \"node:crypto\"", "more than createHash"],
    ["src/domain/Points.ts", "export const today = () => Date.now()", "asks for the time"],
    ["src/jobs/Job.ts", "import type { Receipt } from \"../store/KillmailStore.ts\"", "jobs may not import store"],
    [
      "src/intake/Pricing.ts",
      "export { source } from \"../feeds/R2z2.ts\"\nconst a = 1",
      "intake may not import feeds"
    ],
    ["src/store/Rows.ts", "const later = import(\"../api/Api.ts\")", "store may not import api"],
    ["src/sandbox/World.ts", "import { version } from \"../Settings.ts\"", "sandbox may not import Settings"],
    ["src/api/Server.ts", "import { NodeHttpServer } from \"@effect/platform-node\"", "imports all of"],
    ["src/api/Handlers.ts", "import { Pool } from \"pg\"", "imports the driver pg"],
    ["src/feeds/Feed.ts", "const rows = sql<{ id: number }>`select 1`", "speaks SQL outside the store"],
    ["src/market/Prices.ts", "export const a = 1", "is in no room of the table"],
    ["src/store/utils.ts", "export const a = 1", "has a name that says nothing"],
    ["src/store/helpers/Rows.ts", "export const a = 1", "has a name that says nothing"],
    ["src/store/Rows.ts", "const a = JSON.parse(text) as any", "uses any"],
    ["src/store/Rows.ts", "// TODO: later", "leaves work for later"],
    ["src/store/All.ts", "export * from \"./A.ts\"\nexport { b } from \"./B.ts\"", "only exports again"]
  ]

  it("finds what is planted", () => {
    for (const [path, line, violation] of planted) {
      const found = violations({ [path]: `/** A file. */\n${line}\n` })
      assert.isTrue(found.some((text) => text.includes(violation)), `${line}: ${found.join("; ")}`)
    }
    assert.include(violations({ "src/store/Rows.ts": "const a = 1\n" })[0], "does not begin with a docstring")
  })

  it("finds nothing in what only looks like it", () => {
    const innocent = `/** As any reader sees, sql\`…\` in a comment is none. */
import { createHash } from "node:crypto"
import { Schema } from "effect"
import type { Killmail } from "./Killmail.ts"
const text = "takes any, or = any(ids)"
const url = "https://example.org//x"
`
    assert.deepStrictEqual(violations({ "src/domain/Points.ts": innocent }), [])
  })
})
