import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describeSettings, isLoopback, keysIn, Settings, upstreamOf, userAgentFor } from "../src/Settings.ts"

type Environment = Readonly<Record<string, string | undefined>>

const read = (env: Environment) => Settings.pipe(Effect.provide(Settings.layerFrom(env)))
const refusal = (env: Environment) => Effect.flip(read(env))

/** Settings of which not every text will do, with one that will not. */
const malformed: Environment = {
  KILLMAILD_WEBHOOK_ALLOW: "http://chat.internal",
  KILLMAILD_ALLOWED_ORIGINS: "https://tools.example, mapper.example.org",
  KILLMAILD_APP_REDIRECTS: "javascript:alert(1)",
  KILLMAILD_PUBLIC_URL: "kills.example.org",
  KILLMAILD_TRUSTED_PROXIES: "10.0.0.0/8,10.0.0.1/8",
  KILLMAILD_RATE_LIMIT: "-1",
  DATABASE_URL: "localhost/killmaild",
  KILLMAILD_DATA_DIR: "",
  KILLMAILD_HOST: " ",
  KILLMAILD_PORT: "65536",
  KILLMAILD_CONTACT: "me@example.org\r\nX-Admin: 1",
  KILLMAILD_FEEDS: "r2z2,zkillboard",
  KILLMAILD_R2Z2_RATE: "fast",
  KILLMAILD_R2Z2_POLL: "6 parsecs",
  KILLMAILD_SCHEDULE_SPEED: "0",
  KILLMAILD_CONCURRENCY: "1.5",
  KILLMAILD_ESI_URL: "esi.evetech.net",
  KILLMAILD_ESI_COMPATIBILITY_DATE: "today",
  KILLMAILD_R2Z2_URL: "",
  KILLMAILD_REDISQ_URL: "ws://localhost",
  KILLMAILD_REDISQ_ID: "",
  KILLMAILD_ZKILLBOARD_URL: "zkillboard.com",
  KILLMAILD_EVEKILL_URL: "eve-kill.com",
  KILLMAILD_EVEKILL_WS_URL: "https://eve-kill.com/ws",
  KILLMAILD_EVEKILL_WS_DIALECT: "klingon",
  KILLMAILD_EVEKILL_WS_TOPICS: " , ",
  KILLMAILD_EVEREF_URL: "data.everef.net",
  KILLMAILD_SDE_URL: "developers.eveonline.com",
  KILLMAILD_WANDERER_URL: "wanderer.ltd",
  KILLMAILD_SSO_URL: "login.eveonline.com",
  KILLMAILD_SSO_CALLBACK_URL: "/callback",
  KILLMAILD_FCM_URL: "fcm.googleapis.com",
  KILLMAILD_FCM_ACCOUNT: `{"project_id":"mine"}`,
  KILLMAILD_ENCRYPTION_KEYS: "1:c2hvcnQ=",
  KILLMAILD_LOG_FORMAT: "xml",
  KILLMAILD_ACCESS_LOG: "some",
  KILLMAILD_LOG_LEVEL: "loud",
  OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318",
  OTEL_TRACES_SAMPLER: "sometimes",
  OTEL_TRACES_SAMPLER_ARG: "10%"
}
/** Of these any text will do. */
const anything = [
  "KILLMAILD_ADMIN_TOKEN",
  "KILLMAILD_WANDERER_SLUG",
  "KILLMAILD_WANDERER_KEY",
  "KILLMAILD_SSO_CLIENT_ID",
  "KILLMAILD_SSO_CLIENT_SECRET",
  "OTEL_SERVICE_NAME"
]

describe("settings", () => {
  it.effect("have defaults that can be used", () =>
    Effect.gen(function*() {
      const settings = yield* read({})
      assert.deepInclude(settings, { port: 8080, feeds: ["r2z2", "evekill"], r2z2Rate: 4, r2z2Poll: 6000, contact: "" })
      assert.strictEqual(settings.esiUrl.href, "https://esi.evetech.net/")
      const defaults = Object.fromEntries(describeSettings.map(({ fallback, name }) => [name, fallback]))
      assert.deepStrictEqual({ ...(yield* read(defaults)), environment: {} }, settings)
    }))

  it.effect("that are malformed are refused in one line that names them, what they got and what they want", () =>
    Effect.gen(function*() {
      assert.sameMembers([...Object.keys(malformed), ...anything], describeSettings.map(({ name }) => name))
      for (const { name, secret, wants } of describeSettings) {
        if (anything.includes(name)) continue
        const { message } = yield* refusal({ [name]: malformed[name] })
        const got = secret ? "a text that does not fit" : JSON.stringify(malformed[name])
        assert.strictEqual(message, `${name}: got ${got}, wants ${wants}.`)
        assert.notInclude(message, "\n")
      }
    }))

  it.effect("that are secret come from a file, too, and are not shown by accident", () =>
    Effect.gen(function*() {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-settings-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true }))
      )
      const file = join(directory, "token")
      writeFileSync(file, "hunter2\n")
      for (
        const env of [{ KILLMAILD_ADMIN_TOKEN_FILE: file }, {
          KILLMAILD_ADMIN_TOKEN_FILE: file,
          KILLMAILD_ADMIN_TOKEN: ""
        }]
      ) {
        const { adminToken } = yield* read(env)
        assert.strictEqual(Redacted.value(Option.getOrThrow(adminToken)), "hunter2")
        assert.notInclude(JSON.stringify(adminToken) + String(adminToken), "hunter2")
      }
      const { message } = yield* refusal({ DATABASE_URL_FILE: join(directory, "absent") })
      assert.match(message, /^DATABASE_URL_FILE: cannot read .*absent, wants a file that holds DATABASE_URL\.$/)
      const { message: unlike } = yield* refusal({ DATABASE_URL: "postgres://me:100%secret@host/db" })
      assert.notInclude(unlike, "secret")
    }))

  it.effect("name no feed when the list is empty, and redisq and evekill_ws only with their address", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* read({ KILLMAILD_FEEDS: "" })).feeds, [])
      assert.match(
        (yield* refusal({ KILLMAILD_FEEDS: "evekill_ws" })).message,
        /^KILLMAILD_EVEKILL_WS_URL: is unset, wants /
      )
      const env = { KILLMAILD_FEEDS: " redisq , r2z2 " }
      assert.match((yield* refusal(env)).message, /^KILLMAILD_REDISQ_URL: is unset, wants /)
      const settings = yield* read({ ...env, KILLMAILD_REDISQ_URL: "http://localhost:1/listen.php" })
      assert.deepStrictEqual(settings.feeds, ["redisq", "r2z2"])
    }))

  it.effect("name a map by its slug and its key, or none", () =>
    Effect.gen(function*() {
      const slug = { KILLMAILD_WANDERER_SLUG: "home" }
      const key = { KILLMAILD_WANDERER_KEY: "secret" }
      assert.strictEqual((yield* refusal(slug)).name, "KILLMAILD_WANDERER_KEY")
      const { message } = yield* refusal(key)
      assert.strictEqual(
        message,
        "KILLMAILD_WANDERER_SLUG: is unset, wants that of the map, because KILLMAILD_WANDERER_KEY is set."
      )
      assert.strictEqual((yield* read({ ...slug, ...key })).wandererSlug, "home")
    }))

  it.effect("hold keys of 32 bytes, each id once", () =>
    Effect.gen(function*() {
      const key = Buffer.alloc(32, 7).toString("base64")
      const { encryptionKeys } = yield* read({ KILLMAILD_ENCRYPTION_KEYS: `new:${key}, old:${key}` })
      assert.notInclude(JSON.stringify(encryptionKeys), key)
      assert.deepStrictEqual(keysIn(`new:${key}`), [{ id: "new", key: Buffer.alloc(32, 7) }])
      yield* refusal({ KILLMAILD_ENCRYPTION_KEYS: `same:${key},same:${key}` })
    }))

  it.effect("refuse a public address with a path: nothing would be found below it", () =>
    Effect.gen(function*() {
      const { message } = yield* refusal({ KILLMAILD_PUBLIC_URL: "https://example.org/kills" })
      assert.match(
        message,
        /^KILLMAILD_PUBLIC_URL: got https:\/\/example\.org\/kills, wants an address without a path /
      )
      yield* read({ KILLMAILD_PUBLIC_URL: "https://example.org" })
    }))

  it.effect("let nobody sign in where secrets would go through the air", () =>
    Effect.gen(function*() {
      const signIn = { KILLMAILD_SSO_CLIENT_ID: "any" }
      const { message } = yield* refusal({ ...signIn, KILLMAILD_PUBLIC_URL: "http://kb.example.org" })
      assert.match(message, /^KILLMAILD_PUBLIC_URL: got http:\/\/kb\.example\.org\/, wants https:\/\/, /)
      yield* refusal({ ...signIn, KILLMAILD_SSO_CALLBACK_URL: "http://kb.example.org/back" })
      yield* refusal({
        ...signIn,
        KILLMAILD_SSO_CALLBACK_URL: "https://kb.example.org/back",
        KILLMAILD_PUBLIC_URL: "http://kb.example.org"
      })
      yield* read({ ...signIn, KILLMAILD_PUBLIC_URL: "https://kb.example.org" })
      yield* read({ ...signIn, KILLMAILD_PUBLIC_URL: "http://127.0.0.1:8080" })
    }))

  it.effect("hold the real R2Z2 to 15 requests a second and 6 s between polls, and no other host", () =>
    Effect.gen(function*() {
      assert.match((yield* refusal({ KILLMAILD_R2Z2_RATE: "15.5" })).message, /^KILLMAILD_R2Z2_RATE: got 15.5, wants /)
      assert.match((yield* refusal({ KILLMAILD_R2Z2_POLL: "5999ms" })).message, /^KILLMAILD_R2Z2_POLL: got 5999 ms, /)
      const fast = { KILLMAILD_R2Z2_RATE: "400", KILLMAILD_R2Z2_POLL: "0.06" }
      for (const host of ["R2Z2.zkillboard.com", "r2z2.zkillboard.com.", "zkillboard.com"]) {
        yield* refusal({ ...fast, KILLMAILD_R2Z2_URL: `https://${host}` })
      }
      yield* read({ KILLMAILD_R2Z2_RATE: "15" })
      const { r2z2Poll, r2z2Rate } = yield* read({ ...fast, KILLMAILD_R2Z2_URL: "http://127.0.0.1:1/r2z2" })
      assert.deepStrictEqual([r2z2Rate, r2z2Poll], [400, 60])
    }))

  it.effect("let nobody but this machine be asked without a contact", () =>
    Effect.gen(function*() {
      const settings = yield* read({})
      const { message } = yield* Effect.flip(userAgentFor(settings, upstreamOf(settings, "r2z2")))
      assert.match(message, /^KILLMAILD_CONTACT: is unset, wants .* before r2z2\.zkillboard\.com is called\.$/)
      for (const host of ["localhost", "127.0.0.1:80", "127.9.9.9", "[::1]:1"]) {
        assert.isTrue(isLoopback(new URL(`http://${host}`)), host)
      }
      for (const host of ["127.0.0.1.example.org", "localhost.example.org", "10.0.0.1", "[::2]"]) {
        assert.isFalse(isLoopback(new URL(`http://${host}`)), host)
      }
      const known = yield* read({ KILLMAILD_CONTACT: "me@example.org" })
      assert.match(yield* userAgentFor(known, known.esiUrl), /^killmaild\/[\d.]+ \(me@example\.org\)$/)
    }))

  it("stand in README's table, all and as they are", () => {
    const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8")
    const rows = describeSettings.map(({ fallback, meaning, name, secret }) =>
      `| \`${name}\`${secret ? " *" : ""} | ${fallback === "" ? "" : `\`${fallback}\``} | ${meaning} |`
    )
    const table = readme.split("\n").filter((line) => /^\| `(KILLMAILD|OTEL|DATABASE)_/.test(line))
    assert.deepStrictEqual(table, rows)
  })
})
