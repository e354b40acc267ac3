import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { readFrame } from "../../src/feeds/EvekillSocket.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { faultProxy } from "../support/FaultProxy.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

const { hash, killmail } = killmailOf("socket", 1)
const killmail_id = killmail.killmail_id
const time = Date.parse(killmail.killmail_time)

const read = (message: object) => readFrame(JSON.stringify(message))

describe("a message of EVE-KILL's socket", () => {
  it("names a killmail in the words of either program", () => {
    const heard = { killmail_id, hash, publishedAt: time }
    const named = { killmail_id, killmail_hash: hash }
    const killmail_time = new Date(time).toISOString()
    assert.deepStrictEqual(read({ channel: "killmails", data: { event: "killmail", ...named, killmail_time } }), {
      _tag: "Killmail",
      heard
    })
    assert.deepStrictEqual(read({ type: "killmail", data: { ...named, kill_time: killmail_time } }), {
      _tag: "Killmail",
      heard
    })
  })

  it("greets, confirms, pings or refuses, and anything else means nothing", () => {
    assert.deepStrictEqual(read({ type: "welcome" }), { _tag: "Greeting", dialect: "shrike" })
    assert.deepStrictEqual(read({ type: "info" }), { _tag: "Greeting", dialect: "thessia" })
    assert.deepStrictEqual(read({ type: "subscribed", data: { topics: ["all"] } }), { _tag: "Subscribed" })
    assert.deepStrictEqual(read({ type: "ping", timestamp: 5 }), { _tag: "Ping", timestamp: 5 })
    assert.deepStrictEqual(read({ type: "error", message: "no" }), { _tag: "Error", message: "no" })
    assert.deepStrictEqual(read({ channel: "comments", data: {} }), { _tag: "Other" })
  })

  it("that is none, or a killmail that is not named, is kept as its text", () => {
    assert.deepStrictEqual(readFrame("<html>"), { _tag: "Unreadable", text: "<html>" })
    assert.strictEqual(read({ type: "killmail", data: { killmail_id } })._tag, "Unreadable")
  })
})

/** Silence is noticed after 3.75 s; the sandbox pings ten times as often. */
const listening = (sandbox: Sandbox, overrides: Readonly<Record<string, string>> = {}) =>
  startDaemon(sandbox, { KILLMAILD_FEEDS: "evekill_ws", KILLMAILD_SCHEDULE_SPEED: "20", ...overrides })

const publish = (sandbox: Sandbox, k: number) => {
  const { killmail } = killmailOf("socket", k)
  sandbox.knowToEsi(killmail)
  sandbox.publishEveKill({ killmail })
}

const isHeard = (count: number) =>
  eventually((sql) => sql`select from sightings where source = 'evekill_ws'`, (rows) => rows.length >= count)

const connections = (sandbox: Sandbox) =>
  sandbox.requests().filter(({ status, upstream }) => upstream === "evekill-socket" && status === 101).length

/** A socket tells only what happens while it listens. */
const publishUntilHeard = (sandbox: Sandbox, from: number, count: number) =>
  Effect.raceFirst(
    isHeard(count),
    Effect.gen(function*() {
      for (let k = from;; k++) {
        publish(sandbox, k)
        yield* Effect.sleep("100 millis")
      }
    })
  )

describe("a daemon on EVE-KILL's socket", () => {
  for (const [program, path] of [["Shrike", "/ws/killmails"], ["Thessia", "/killmails"]] as const) {
    it.live(`hears killmails in the dialect of ${program}, answers its pings, and has ESI tell the rest`, () =>
      Effect.gen(function*() {
        const sandbox = yield* manualSandbox()
        const { context } = yield* listening(sandbox, {
          KILLMAILD_EVEKILL_WS_URL: `${sandbox.url.replace("http", "ws")}/evekill-socket${path}`
        })
        yield* Effect.gen(function*() {
          yield* publishUntilHeard(sandbox, 0, 10)
          yield* eventually((sql) => sql`select from killmail_ledger`, (rows) => rows.length >= 10)
          assert.strictEqual(connections(sandbox), 1)
          assert.deepStrictEqual(sandbox.violations(), [])
        }).pipe(Effect.provide(context))
      }))
  }

  it.live("subscribes to the topics that are set", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const wanted = killmailOf("socket", 3).killmail
      const { context } = yield* listening(sandbox, {
        KILLMAILD_EVEKILL_WS_TOPICS: `system.${wanted.solar_system_id}`
      })
      yield* Effect.gen(function*() {
        yield* publishUntilHeard(sandbox, 0, 1)
        const sql = yield* SqlClient.SqlClient
        const ids = yield* sql<{ id: number }>`select distinct killmail_id::float8 as id from sightings`
        for (let k = 0; k < 50; k++) {
          const { killmail_id, solar_system_id } = killmailOf("socket", k).killmail
          if (ids.some(({ id }) => id === killmail_id)) assert.strictEqual(solar_system_id, wanted.solar_system_id)
        }
      }).pipe(Effect.provide(context))
    }))

  it.live("notices that a connection is half-open, and connects anew", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const proxy = yield* faultProxy(sandbox.environment["KILLMAILD_EVEKILL_WS_URL"]!)
      const { context } = yield* listening(sandbox, { KILLMAILD_EVEKILL_WS_URL: proxy.url })
      yield* Effect.gen(function*() {
        yield* publishUntilHeard(sandbox, 0, 1)
        proxy.apply({ kind: "half-open" })
        yield* publishUntilHeard(sandbox, 100, 20)
        assert.isAtLeast(connections(sandbox), 2)
      }).pipe(Effect.provide(context))
    }))

  it.live("comes back after refusals, not before it is allowed to", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      sandbox.intercept(({ count, upstream }) =>
        upstream !== "evekill-socket" || count > 2
          ? undefined
          : count === 1
          ? { status: 429, headers: { "retry-after": "1" } }
          : { status: 503 }
      )
      const { context } = yield* listening(sandbox)
      yield* Effect.gen(function*() {
        yield* publishUntilHeard(sandbox, 0, 1)
        const [first, second] = sandbox.requests().filter(({ upstream }) => upstream === "evekill-socket")
        assert.isAtLeast(second!.at - first!.at, 990)
        assert.deepStrictEqual(sandbox.violations(), [])
      }).pipe(Effect.provide(context))
    }))
})
