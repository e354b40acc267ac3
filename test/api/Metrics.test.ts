import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Option } from "effect"
import { Headers } from "effect/http"
import { SqlClient } from "effect/sql"
import { mayRead } from "../../src/api/MetricsPage.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { version } from "../../src/Settings.ts"
import { RateLimits } from "../../src/store/RateLimits.ts"
import { type Family, parsePrometheus } from "../support/PrometheusText.ts"
import { connectSocket } from "../support/SocketClient.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const scrape = (url: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/metrics`)
    assert.strictEqual(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8")
    return parsePrometheus(await response.text())
  })

const valueOf = (
  families: ReadonlyMap<string, Family>,
  name: string,
  labels: Readonly<Record<string, string>> = {},
  sample = name
) => {
  const found =
    families.get(name)?.samples.filter((candidate) =>
      candidate.name === sample && Object.entries(labels).every(([key, value]) => candidate.labels[key] === value)
    ) ?? []
  assert.isAtLeast(found.length, 1, `${name} ${JSON.stringify(labels)}`)
  return found.reduce((sum, { value }) => sum + value, 0)
}

/** Counted after the killmail is in the ledger: until then the page says less. */
const isCounted = (families: ReadonlyMap<string, Family>) =>
  families.get("killmaild_killmails_processed_total")?.samples.reduce((sum, { value }) => sum + value, 0) === 3

describe("/metrics", () => {
  it.live("tells of killmails, feeds, ESI, jobs, errors and subscribers, so that any scraper can read it", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url: databaseUrl } = yield* migratedDatabase
      const { context, url } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "r2z2,redisq" })
      const client = yield* connectSocket(url)
      client.send({ action: "subscribe", id: "all" })
      yield* client.frame(({ type }) => type === "caught_up")

      const [brought, fetched, refused] = [1, 2, 3].map((k) => killmailOf("metrics", k)) as [
        ReturnType<typeof killmailOf>,
        ReturnType<typeof killmailOf>,
        ReturnType<typeof killmailOf>
      ]
      sandbox.knowToEsi(fetched.killmail, fetched.hash)
      const sequence = sandbox.publishR2z2({ esi: brought.killmail, hash: brought.hash, zkb: brought.zkb })
      for (const { hash, killmail, zkb } of [fetched, refused]) {
        sandbox.publishRedisq({ killID: killmail.killmail_id, zkb: { ...zkb, hash } })
      }
      yield* eventually(
        (sql) => sql`select from killmail_ledger union all select from dead_letters`,
        (rows) => rows.length === 3
      ).pipe(Effect.provideService(SqlClient.SqlClient, Context.get(context, SqlClient.SqlClient)))
      yield* client.frame((frame) => frame.type === "killmail" && frame.sequence === 2)
      const pause = { bucket: "a \"quoted\\one\"", millis: 60_000, reason: "test" }
      yield* Context.get(context, RateLimits).pause(pause)

      let families = yield* scrape(url)
      while (!isCounted(families)) families = yield* scrape(url)

      const processed = (source: string, outcome: string) =>
        valueOf(families, "killmaild_killmails_processed_total", { source, outcome })
      assert.deepStrictEqual(
        [processed("r2z2", "stored"), processed("redisq", "stored"), processed("redisq", "failed")],
        [1, 1, 1]
      )
      assert.isAbove(valueOf(families, "killmaild_killmail_lag_seconds"), 0)
      const times = [brought, fetched].map(({ killmail }) => Date.parse(killmail.killmail_time) / 1000)
      assert.include(times, valueOf(families, "killmaild_last_killmail_timestamp_seconds"))
      assert.strictEqual(valueOf(families, "killmaild_feed_cursor", { feed: "r2z2" }), sequence + 1)
      for (const [feed, result] of [["r2z2", "ok"], ["r2z2", "not_found"], ["redisq", "ok"]] as const) {
        assert.isAbove(valueOf(families, "killmaild_feed_requests_total", { feed, result }), 0)
      }
      assert.isAtLeast(valueOf(families, "killmaild_feed_backoff_seconds", { feed: "r2z2" }), 0)
      const route = "/killmails/{killmail_id}/{killmail_hash}"
      assert.strictEqual(valueOf(families, "killmaild_esi_requests_total", { route, status: "200" }), 1)
      const latency = "killmaild_esi_request_seconds"
      assert.isAtLeast(valueOf(families, latency, { route }, `${latency}_count`), 2)
      assert.isAbove(valueOf(families, "killmaild_esi_tokens_remaining", { group: "killmail" }), 0)
      assert.strictEqual(valueOf(families, "killmaild_esi_cache_total", { result: "miss" }), 2)
      const processing = "killmaild_processing_seconds"
      assert.strictEqual(valueOf(families, processing, {}, `${processing}_count`), 2)
      assert.strictEqual(valueOf(families, "killmaild_queue_jobs", { task: "ingest_killmail", state: "failed" }), 1)
      assert.isAtMost(valueOf(families, "killmaild_queue_jobs", { task: "clean_up", state: "active" }), 1)
      const task = { task: "ingest_killmail" }
      assert.strictEqual(valueOf(families, "killmaild_jobs_total", { ...task, outcome: "completed" }), 2)
      assert.strictEqual(valueOf(families, "killmaild_jobs_total", { ...task, outcome: "failed" }), 1)
      assert.isAbove(valueOf(families, "killmaild_upstream_pause_seconds", { bucket: pause.bucket }), 50)
      assert.strictEqual(valueOf(families, "killmaild_announcements_total"), 2)
      assert.strictEqual(valueOf(families, "killmaild_broadcast_messages_total", { protocol: "websocket" }), 5)
      assert.strictEqual(valueOf(families, "killmaild_subscribers", { protocol: "websocket" }), 1)
      assert.isAtLeast(valueOf(families, "killmaild_statistics_backlog", { what: "publications" }), 0)
      assert.strictEqual(valueOf(families, "killmaild_database_up"), 1)
      assert.strictEqual(valueOf(families, "killmaild_build_info", { version }), 1)
      assert.isAtLeast(valueOf(families, "killmaild_process_event_loop_delay_seconds"), 0)
      assert.isAbove(valueOf(families, "killmaild_process_resident_memory_bytes"), 1e7)
      assert.isAbove(valueOf(families, "killmaild_process_cpu_seconds_total"), 0)

      sandbox.publishR2z2({ raw: "<html>" })
      // Only a neighbour that can be read shows that it is the file, and not R2Z2, that is bad.
      const neighbour = killmailOf("metrics", 99)
      sandbox.publishR2z2({ esi: neighbour.killmail, hash: neighbour.hash })
      while ((families.get("killmaild_errors_total")?.samples.length ?? 0) === 0) families = yield* scrape(url)
      assert.strictEqual(valueOf(families, "killmaild_errors_total", { where: "r2z2", kind: "undecodable" }), 1)
      // Of the requests before this one.
      assert.isAtLeast(valueOf(families, "killmaild_http_requests_total", { method: "GET", status: "200" }), 1)
      const answered = "killmaild_http_request_seconds"
      assert.isAtLeast(valueOf(families, answered, {}, `${answered}_count`), 1)
    }))

  it("is for this machine and the operator", () => {
    const token = { matches: (candidate: string) => candidate === "secret" }
    const may = (address: string | undefined, headers: Readonly<Record<string, string>> = {}) =>
      mayRead(Option.fromNullishOr(address), Headers.fromInput(headers), token)
    for (const near of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]) assert.isTrue(may(near), near)
    for (const far of ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "1127.0.0.1", undefined]) {
      assert.isFalse(may(far), far)
      assert.isTrue(may(far, { authorization: "Bearer secret" }), far)
      assert.isFalse(may(far, { authorization: "Bearer secre" }), far)
    }
    assert.isFalse(may("127.0.0.1", { "x-forwarded-for": "203.0.113.9" }), "behind a proxy on this machine")
  })
})
