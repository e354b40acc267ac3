import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { LiveKillmails } from "../../src/broadcast/LiveKillmails.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { attribute, headerRecorder, otlpReceiver, type OtlpSpan } from "../support/LocalServer.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const { hash, killmail, zkb } = killmailOf("trace", 3)
const id = killmail.killmail_id

/** Hears of one killmail without its body, until it is announced; then the daemon stops. */
const walk = Effect.fnUntraced(function*(settings: Readonly<Record<string, string>>) {
  const sandbox = yield* manualSandbox()
  sandbox.knowToEsi(killmail, hash)
  const upstreams = yield* headerRecorder(sandbox.url)
  const { url } = yield* migratedDatabase
  const { context, stop } = yield* stoppableDaemon(url, sandbox, {
    KILLMAILD_FEEDS: "r2z2,redisq",
    KILLMAILD_ESI_URL: `${upstreams.url}/esi`,
    KILLMAILD_R2Z2_URL: `${upstreams.url}/r2z2`,
    KILLMAILD_REDISQ_URL: `${upstreams.url}/redisq/listen.php`,
    ...settings
  })
  const announced = yield* Deferred.make<number>()
  Context.get(context, LiveKillmails).listen(({ document }) =>
    Deferred.doneUnsafe(announced, Effect.succeed(document.killmail_id))
  )
  sandbox.publishRedisq({ killID: id, zkb: { ...zkb, hash } })
  assert.strictEqual(yield* Deferred.await(announced), id)
  const [ledger] = yield* Context.get(context, SqlClient.SqlClient)<{ traceparent: string | null }>`
    select traceparent from killmail_ledger where killmail_id = ${BigInt(id)}`
  const started = performance.now()
  yield* stop
  return { traceparent: ledger!.traceparent, headers: upstreams.headers, stopMillis: performance.now() - started }
})

/** Of OTLP's span kinds. */
const serverKind = 2

const isStatement = (span: OtlpSpan) => attribute(span, "db.system.name") !== undefined

describe("a killmail that is heard of without its body", () => {
  it.live("makes one trace, from hearing to announcement, flushed when the daemon stops", () =>
    Effect.gen(function*() {
      const receiver = yield* otlpReceiver
      const { headers, traceparent } = yield* walk({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })
      const spans = receiver.spans()
      const named = (name: string) => {
        const found = spans.filter((span) => span.name === name)
        assert.strictEqual(found.length, 1, `${name} in ${spans.map((span) => span.name).join(", ")}`)
        return found[0]!
      }
      const parentOf = (span: OtlpSpan) => spans.find(({ spanId }) => spanId === span.parentSpanId)

      const hear = named("hear killmail")
      const ingest = named("ingest killmail")
      const esi = named("Esi.killmail")
      const store = named("store killmail")
      const announce = named("announce killmail")
      assert.isUndefined(hear.parentSpanId)
      assert.strictEqual(parentOf(ingest), hear)
      assert.strictEqual(parentOf(esi), ingest)
      assert.strictEqual(parentOf(store), ingest)
      assert.strictEqual(parentOf(announce), store)
      const call = spans.find((span) => attribute(span, "http.request.method") === "GET")!
      assert.strictEqual(parentOf(call), esi)
      for (const span of [ingest, esi, store, announce, hear]) {
        assert.strictEqual(span.traceId, hear.traceId)
        assert.strictEqual(Number(attribute(span, "killmail.id")), id)
      }
      assert.strictEqual(traceparent, `00-${hear.traceId}-${store.spanId}-01`)

      const batch = named("store batch")
      assert.notStrictEqual(batch.traceId, hear.traceId)
      assert.deepStrictEqual(batch.links?.map((link) => link.spanId), [store.spanId])
      assert.deepStrictEqual(store.links?.map((link) => link.spanId), [batch.spanId])
      const append = named("KillmailStore.append")
      assert.strictEqual(append.traceId, batch.traceId)
      assert.isAbove(spans.filter((span) => isStatement(span) && span.traceId === batch.traceId).length, 3)

      // Polls of feeds, leases, the ledger and the queue make no traces.
      assert.deepStrictEqual(new Set(spans.map((span) => span.traceId)), new Set([hear.traceId, batch.traceId]))
      assert.deepInclude(receiver.resources(), { key: "service.name", value: { stringValue: "killmaild" } })
      assert.isAbove(headers.length, 3)
      for (const sent of headers) assert.notProperty(sent, "traceparent")
    }), 90_000)

  it.live("shares its tracer with the interface: one span a request, none for what machines poll", () =>
    Effect.gen(function*() {
      const receiver = yield* otlpReceiver
      const { url: databaseUrl } = yield* migratedDatabase
      const { stop, url } = yield* stoppableDaemon(databaseUrl, yield* manualSandbox(), {
        KILLMAILD_FEEDS: "",
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url
      })
      const parent = "0af7651916cd43dd8448eb211c80319c"
      for (const path of ["/health/live", "/health/ready", "/metrics", "/api/v1/killmails/1"]) {
        const headers = { traceparent: `00-${parent}-b7ad6b7169203331-01` }
        yield* Effect.promise(async () => (await fetch(url + path, { headers })).text())
      }
      yield* stop
      const served = receiver.spans().filter(({ kind }) => kind === serverKind)
      assert.deepStrictEqual(served.map((span) => attribute(span, "url.path")), ["/api/v1/killmails/1"])
      assert.deepStrictEqual([...new Set(receiver.spans().map(({ traceId }) => traceId))], [parent])
    }))

  it.live("makes no trace and stores none where the sampler is always_off", () =>
    Effect.gen(function*() {
      const receiver = yield* otlpReceiver
      for (const sampler of ["always_off", "parentbased_always_off"]) {
        const { traceparent } = yield* walk({
          OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
          OTEL_TRACES_SAMPLER: sampler
        })
        assert.isNull(traceparent)
      }
      assert.deepStrictEqual(receiver.bodies, [])
    }), 90_000)

  it.live("walks all the same, and the daemon stops soon, where nobody takes its traces", () =>
    Effect.gen(function*() {
      const { stopMillis, traceparent } = yield* walk({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9" })
      assert.match(traceparent ?? "", /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/)
      assert.isBelow(stopMillis, 6000)
    }), 90_000)
})
