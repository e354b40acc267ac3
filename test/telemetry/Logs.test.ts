import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { randomBytes } from "node:crypto"
import { vi } from "vitest"
import { killmailOf } from "../../src/sandbox/World.ts"
import { Settings } from "../../src/Settings.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import { otlpReceiver } from "../support/LocalServer.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

/** What is written to standard error while this scope lasts. */
const standardError = Effect.map(
  Effect.acquireRelease(
    Effect.sync(() => {
      const lines: Array<string> = []
      const spy = vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
        lines.push(String(chunk))
        return true
      })
      return { lines, spy }
    }),
    ({ spy }) => Effect.sync(() => spy.mockRestore())
  ),
  ({ lines }) => lines
)

/** Runs the effect with its log lines written in this format; returns them. */
const logged = (format: string, effect: Effect.Effect<void>) =>
  Effect.scoped(Effect.gen(function*() {
    const lines = yield* standardError
    yield* effect.pipe(
      Effect.provide(Telemetry.layer.pipe(
        Layer.provide(Settings.layerFrom({ KILLMAILD_LOG_FORMAT: format, KILLMAILD_LOG_LEVEL: "info" }))
      )),
      Effect.orDie
    )
    return lines
  }))

const parse = (line: string | undefined): Record<string, unknown> => JSON.parse(line ?? "")

describe("a log line", () => {
  const failure = new Error("the outer", { cause: new Error("the inner") })

  it.live("is one JSON object, with the fields beside it and no place for them to spoil it", () =>
    Effect.gen(function*() {
      const [line, ...others] = yield* logged(
        "json",
        Effect.logWarning("budget spent", { bucket: "esi", left: 1n, level: "none" }).pipe(
          Effect.annotateLogs({ killmail_id: 7, message: "mine" }),
          Effect.tap(() => Effect.logDebug("too fine"))
        )
      )
      assert.deepStrictEqual(others, [])
      assert.strictEqual(line!.indexOf("\n"), line!.length - 1)
      const { timestamp, ...rest } = parse(line)
      assert.match(String(timestamp), /^\d{4}-.*Z$/)
      assert.deepStrictEqual(rest, {
        level: "warn",
        message: "budget spent",
        bucket: "esi",
        left: "1",
        killmail_id: 7
      })
    }))

  it.live("holds an error with its cause, in JSON in one line", () =>
    Effect.gen(function*() {
      const [line] = yield* logged("json", Effect.logError("it failed", failure))
      assert.strictEqual(line!.indexOf("\n"), line!.length - 1)
      const { cause, message } = parse(line)
      assert.strictEqual(message, "it failed the outer")
      assert.match(String(cause), /the outer[^]*the inner/)
    }))

  it.live("for people begins each event at the margin and indents what belongs to it", () =>
    Effect.gen(function*() {
      const lines = yield* logged(
        "pretty",
        Effect.logError("it failed", failure).pipe(Effect.annotateLogs({ killmail_id: 7 }))
      )
      const [first, ...rest] = lines.join("").trimEnd().split("\n")
      assert.match(first ?? "", /^\d\d:\d\d:\d\d\.\d{3} ERROR it failed the outer killmail_id=7$/)
      assert.isAbove(rest.length, 1)
      for (const line of rest) assert.match(line, /^ {2}/)
    }))

  it.live("is written even where its fields cannot be", () =>
    Effect.gen(function*() {
      const circle: Record<string, unknown> = {}
      circle["self"] = circle
      const lines = yield* logged("json", Effect.logInfo("round", circle))
      assert.strictEqual(lines.length, 1)
    }))
})

describe("a daemon's log", () => {
  for (const format of ["json", "pretty"]) {
    it.live(`names killmail and trace in the walk, and no secret (${format})`, () =>
      Effect.gen(function*() {
        const lines = yield* standardError
        const { hash, killmail, zkb } = killmailOf("logs", 5)
        const sandbox = yield* manualSandbox()
        sandbox.knowToEsi(killmail, hash)
        const receiver = yield* otlpReceiver
        const token = `canary-${randomBytes(8).toString("hex")}`
        const database = new URL((yield* migratedDatabase).url)
        // The run's own server asks for none, and takes any.
        if (database.password === "") database.password = `canary-${randomBytes(8).toString("hex")}`
        const url = database.href
        const { context, stop, url: daemon } = yield* stoppableDaemon(url, sandbox, {
          KILLMAILD_FEEDS: "redisq",
          KILLMAILD_ADMIN_TOKEN: token,
          KILLMAILD_LOG_FORMAT: format,
          KILLMAILD_LOG_LEVEL: "debug",
          OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url
        })
        const seen: Array<string> = []
        const ask = (path: string, bearer: string) =>
          Effect.promise(async () => {
            const answer = await fetch(daemon + path, { headers: { authorization: `Bearer ${bearer}` } })
            seen.push(await answer.text())
            return answer.status
          })
        assert.strictEqual(yield* ask("/api/v1/queue", token), 200)
        assert.strictEqual(yield* ask("/api/v1/queue", `${token}x`), 401)
        sandbox.publishRedisq({ killID: killmail.killmail_id, zkb: { ...zkb, hash } })
        yield* eventually(
          (sql) => sql<{ traceparent: string | null }>`select traceparent from killmail_ledger`,
          (rows) => rows.length === 1
        ).pipe(Effect.provideService(SqlClient.SqlClient, Context.get(context, SqlClient.SqlClient)))
        yield* ask("/metrics", token)
        yield* stop

        const line = lines.find((text) => text.includes(`killmail ${killmail.killmail_id} stored`)) ?? ""
        const hear = receiver.spans().find(({ name }) => name === "hear killmail")!
        if (format === "json") {
          const { killmail_id, span_id, trace_id } = parse(line)
          assert.deepStrictEqual([killmail_id, trace_id], [killmail.killmail_id, hear.traceId])
          assert.match(String(span_id), /^[0-9a-f]{16}$/)
          for (const text of lines) assert.strictEqual(typeof parse(text)["message"], "string")
        } else {
          assert.include(line, ` killmail_id=${killmail.killmail_id} trace_id=${hear.traceId} span_id=`)
        }
        const everything = [...lines, ...receiver.bodies, ...seen].join("\n")
        for (const secret of [token, database.password, url]) {
          if (secret.length > 8) assert.notInclude(everything, secret)
        }
      }))
  }
})
