import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Result, Schema, SchemaAST } from "effect"
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { NotFound } from "../src/api/ApiErrors.ts"
import { AuthApi } from "../src/api/AuthApi.ts"
import { CharacterDataApi } from "../src/api/CharacterDataApi.ts"
import { EntitiesApi } from "../src/api/EntitiesApi.ts"
import { KillmailListsApi } from "../src/api/KillmailListsApi.ts"
import { KillmailsApi } from "../src/api/KillmailsApi.ts"
import { MeApi } from "../src/api/MeApi.ts"
import { NotificationsApi } from "../src/api/NotificationsApi.ts"
import { OwnKillmailsApi } from "../src/api/OwnKillmailsApi.ts"
import { SettingsApi } from "../src/api/SettingsApi.ts"
import { StatisticsApi } from "../src/api/StatisticsApi.ts"
import { SystemApi } from "../src/api/SystemApi.ts"
import { OwnWebhooksApi, WebhooksApi } from "../src/api/WebhooksApi.ts"
import { readMessage } from "../src/broadcast/ClientMessage.ts"
import { filterFields, readFilter } from "../src/domain/Filter.ts"
import { hashOf, Killmail } from "../src/domain/Killmail.ts"
import { readEntry } from "../src/feeds/R2z2.ts"
import { readPackage } from "../src/feeds/Redisq.ts"

const root = join(import.meta.dirname, "..")
const read = (path: string) => readFileSync(join(root, path), "utf8")
const example = (name: string): unknown => JSON.parse(read(`docs/examples/${name}.json`))

/** What an endpoint answers when all is well. */
const answerOf = (endpoint: { readonly success: ReadonlySet<Schema.Top> }) =>
  [...endpoint.success][0] as Schema.Codec<unknown, unknown>

const document = answerOf(KillmailsApi.endpoints["byId"]!)

/** What the server of `/ws` says. */
const ServerMessage = Schema.Union([
  Schema.Struct({ type: Schema.Literal("welcome"), epoch: Schema.String, sequence: Schema.Int }),
  Schema.Struct({ type: Schema.Literal("subscribed"), id: Schema.String, sequence: Schema.Int }),
  Schema.Struct({ type: Schema.Literals(["caught_up", "unsubscribed"]), id: Schema.String }),
  Schema.Struct({ type: Schema.Literal("pong") }),
  Schema.Struct({
    type: Schema.Literals(["killmail", "revalued"]),
    subscriptions: Schema.Array(Schema.String),
    sequence: Schema.Int,
    data: document
  }),
  Schema.Struct({
    type: Schema.Literal("error"),
    code: Schema.String,
    message: Schema.String,
    id: Schema.optionalKey(Schema.String)
  })
])

/** Fails where the value has more, less or other than the schema. */
const fits = (schema: Schema.Codec<unknown, unknown>, value: unknown) =>
  Effect.map(
    Schema.decodeUnknownEffect(schema, { onExcessProperty: "error" })(value),
    (decoded) => assert.deepStrictEqual(decoded, value)
  )

const endpoints: Readonly<Record<string, Schema.Codec<unknown, unknown>>> = {
  killmail: document,
  killmails: answerOf(KillmailListsApi.endpoints["all"]!),
  esi: answerOf(KillmailsApi.endpoints["esi"]!),
  valuation: answerOf(KillmailsApi.endpoints["valuation"]!),
  submitted: answerOf(KillmailsApi.endpoints["submit"]!),
  character: answerOf(EntitiesApi.endpoints["character"]!),
  corporation: answerOf(EntitiesApi.endpoints["corporation"]!),
  alliance: answerOf(EntitiesApi.endpoints["alliance"]!),
  "character-group": answerOf(EntitiesApi.endpoints["setGroup"]!),
  stats: answerOf(StatisticsApi.endpoints["stats"]!),
  top: answerOf(StatisticsApi.endpoints["top"]!),
  feeds: answerOf(SystemApi.endpoints["feeds"]!),
  gaps: answerOf(SystemApi.endpoints["gaps"]!),
  days: answerOf(SystemApi.endpoints["days"]!),
  queue: answerOf(SystemApi.endpoints["queue"]!),
  "session-tokens": answerOf(AuthApi.endpoints["tokens"]!),
  me: answerOf(MeApi.endpoints["me"]!),
  export: answerOf(MeApi.endpoints["export"]!),
  left: answerOf(MeApi.endpoints["leave"]!),
  sessions: answerOf(MeApi.endpoints["sessions"]!),
  industry: answerOf(CharacterDataApi.endpoints["industry"]!),
  changes: answerOf(CharacterDataApi.endpoints["changes"]!),
  "own-characters": answerOf(OwnKillmailsApi.endpoints["characters"]!),
  "own-killmails": answerOf(OwnKillmailsApi.endpoints["killmails"]!),
  settings: answerOf(SettingsApi.endpoints["settings"]!),
  notifications: answerOf(NotificationsApi.endpoints["notifications"]!),
  unread: answerOf(NotificationsApi.endpoints["unread"]!),
  alerts: answerOf(NotificationsApi.endpoints["alerts"]!),
  alert: answerOf(NotificationsApi.endpoints["createAlert"]!),
  webhooks: answerOf(WebhooksApi.endpoints["list"]!),
  webhook: answerOf(WebhooksApi.endpoints["get"]!),
  "webhook-created": answerOf(WebhooksApi.endpoints["create"]!),
  "webhook-test": answerOf(WebhooksApi.endpoints["test"]!),
  "webhook-replay": answerOf(WebhooksApi.endpoints["replay"]!),
  "webhook-deliveries": answerOf(WebhooksApi.endpoints["deliveries"]!)
}

describe("the examples", () => {
  it.effect("are what the endpoints answer, one each", () =>
    Effect.gen(function*() {
      const names = readdirSync(join(root, "docs/examples")).map((file) => file.replace(".json", ""))
      assert.sameMembers(names, [...Object.keys(endpoints), "problem", "websocket", "r2z2", "redisq"])
      const groups = [
        KillmailsApi,
        EntitiesApi,
        StatisticsApi,
        SystemApi,
        AuthApi,
        MeApi,
        OwnKillmailsApi,
        CharacterDataApi,
        SettingsApi,
        NotificationsApi,
        OwnWebhooksApi,
        WebhooksApi
      ]
      const all = groups.flatMap(({ endpoints }) => Object.values(endpoints).map(answerOf))
      // Lists of killmails are of one shape, whosever they are. What answers nothing needs no example.
      const answering = all.filter(({ ast }) => ast._tag !== "Void")
      const shapes = new Set(answering.map((schema) => SchemaAST.resolveIdentifier(schema.ast) ?? schema))
      assert.strictEqual(shapes.size + 1, Object.keys(endpoints).length)
      for (const [name, schema] of Object.entries(endpoints)) yield* fits(schema, example(name))
      assert.instanceOf(yield* Schema.decodeUnknownEffect(NotFound)(example("problem")), NotFound)
    }))

  it("are files of R2Z2 and packages of RedisQ, as their clients read them", () => {
    const { sequence_id } = example("r2z2") as { readonly sequence_id: number }
    assert.strictEqual(readEntry(sequence_id, JSON.stringify(example("r2z2")))._tag, "Killmail")
    const heard = Option.getOrThrow(readPackage(JSON.stringify(example("redisq"))))
    assert.deepStrictEqual(heard?.body, example("esi"))
  })

  it.effect("hold a killmail that fits its hash", () =>
    Effect.gen(function*() {
      const killmail = yield* Schema.decodeUnknownEffect(Killmail)(example("killmail"))
      assert.strictEqual(hashOf(killmail), (example("killmail") as { readonly hash: string }).hash)
      assert.deepStrictEqual(example("esi"), killmail)
    }))

  it.effect("are a conversation of the WebSocket, and docs/websocket.md quotes nothing else", () =>
    Effect.gen(function*() {
      const lines = example("websocket") as ReadonlyArray<{ readonly client?: unknown; readonly server?: unknown }>
      const spoken = new Set<string>()
      for (const { client, server } of lines) {
        spoken.add(JSON.stringify(client ?? server))
        if (server !== undefined) {
          yield* fits(ServerMessage, server)
          continue
        }
        const answer = lines[lines.findIndex((line) => line.client === client) + 1]!.server as {
          readonly code?: string
        }
        const misunderstood = Result.match(readMessage(JSON.stringify(client)), {
          onFailure: ({ code }) => code,
          onSuccess: () => undefined
        })
        assert.isTrue(misunderstood === undefined || misunderstood === answer.code, JSON.stringify(client))
      }
      const quoted = [...read("docs/websocket.md").matchAll(/^[<>] (\{.*)$/gm)].map((match) => match[1]!)
      assert.isAbove(quoted.length, 10)
      assert.deepStrictEqual(
        quoted.filter((line) => !spoken.has(line) && line !== "{\"action\":\"subscribe\",\"id\":\"all\"}"),
        []
      )
    }))
})

const sources = globSync("src/**/*.ts", { cwd: root }).map(read).join("\n")
const found = (text: string, pattern: RegExp) => [...new Set([...text.matchAll(pattern)].map((match) => match[1]!))]

describe("docs/operations.md", () => {
  const page = read("docs/operations.md")

  it("lists every metric, and none that is not", () => {
    const made = found(sources, /Metric\.\w+\(\s*"(killmaild_\w+)"/g)
    assert.sameMembers(found(page, /^\| `(killmaild_\w+)`/gm), made)
    assert.deepStrictEqual(found(page, /`(killmaild_\w+)/g).filter((name) => !made.includes(name)), [])
  })

  it("explains every reason of a gap and of a dead letter, and none that is not", () => {
    // Prices have reasons of their own there.
    const outsideRules = globSync("src/**/*.ts", { cwd: root, exclude: ["src/domain/**"] }).map(read).join("\n")
    const reasons = found(outsideRules, /(?:reason: |poison\()"([a-z]+(?:_[a-z]+)*)"/g)
    const explained = found(
      page.slice(page.indexOf("| reason |"), page.indexOf("An outage, an empty budget")),
      /^\| `(\w+)`/gm
    )
    // "defect" is what is left, and SQL writes the others.
    assert.sameMembers(explained, [...new Set([...reasons, "defect", "given_up", "crashes", "downtime", "short"])])
  })
})

describe("docs/filter.md", () => {
  const page = read("docs/filter.md")

  it("lists every field of the filter, and what it wants", () => {
    const rows = [...page.matchAll(/^\| `(\w+)` \| (.*) \|$/gm)].map(([, field, wants]) => [field, wants])
    assert.deepStrictEqual(rows, Object.entries(filterFields))
  })

  it("shows filters that are read", () => {
    const shown = found(page, /```json\n([^`]+)```/g)
    assert.isAbove(shown.length, 1)
    for (const json of shown) assert.isTrue(Result.isSuccess(readFilter(JSON.parse(json))), json)
  })
})

describe("the pages", () => {
  const pages = ["README.md", "CONTRIBUTING.md", ...globSync("docs/*.md", { cwd: root })]

  it("link to what exists", () => {
    for (const page of pages) {
      for (const target of found(read(page), /\]\(((?!https?:)[^)#]+)(?:#[^)]*)?\)/g)) {
        assert.isTrue(existsSync(join(root, dirname(page), target)), `${page} links to ${target}`)
      }
    }
  })

  it("name files that exist", () => {
    for (const page of pages) {
      for (
        const file of found(
          read(page),
          /`((?:src|test|migrations|docs|\.ci|feeds|jobs|intake|store|esi|broadcast)\/[\w./]*\.\w+)`/g
        )
      ) {
        if (file.includes("NNNN")) continue
        assert.isTrue([file, `src/${file}`].some((path) => existsSync(join(root, path))), `${page} names ${file}`)
      }
    }
  })

  it("name npm scripts and commands that exist", () => {
    const { scripts }: { readonly scripts: Readonly<Record<string, string>> } = JSON.parse(read("package.json"))
    const commands = found(sources, /Command\.make\(\s*"([a-z-]+)"/g)
    for (const page of pages) {
      const text = read(page)
      for (const script of found(text, /npm run (?:--silent )?([\w-]+)/g)) assert.property(scripts, script, page)
      for (const command of found(text, /npm run (?:--silent )?killmaild -- ([a-z][a-z-]*)/g)) {
        assert.include(commands, command, page)
      }
    }
  })
})
