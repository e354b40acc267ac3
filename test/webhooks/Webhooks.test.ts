import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { createHmac } from "node:crypto"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { pilotOf } from "../../src/sandbox/People.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { EntityStore } from "../../src/store/EntityStore.ts"
import { makeBrowser, signInWith } from "../support/Browser.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

type Running = Effect.Success<ReturnType<typeof stoppableDaemon>>

class World
  extends Context.Service<World, Pick<Running, "url" | "store" | "context"> & { readonly sandbox: Sandbox }>()(
    "killmaild/test/World"
  )
{
  static readonly layer = Layer.effect(
    World,
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { url: databaseUrl } = yield* migratedDatabase
      const { context, store, url } = yield* stoppableDaemon(databaseUrl, sandbox, {
        KILLMAILD_FEEDS: "",
        KILLMAILD_SCHEDULE_SPEED: "100"
      })
      const entities = Context.get(context, EntityStore)
      const named = (mails: ReadonlyArray<Killmail>) =>
        Effect.orDie(Effect.andThen(
          entities.notePublications(1000),
          entities.keepNames(mails.flatMap(pilotsOf).map((id) => ({ id, name: `Pilot ${id}` })))
        ))
      return { sandbox, context, url, store: (mails) => Effect.tap(store(mails), named(mails)) }
    })
  )
}

/** Who is named in messages: without names they wait for ESI. */
const pilotsOf = ({ attackers, victim }: Killmail) =>
  [victim, ...attackers].flatMap(({ character_id }) => character_id ?? [])

let mails = 0
/** Each test has killmails of its own. */
const nextMail = (): Killmail => killmailOf("test", mails++).killmail

type Json = Readonly<Record<string, unknown>>

interface Answer {
  readonly status: number
  readonly json: Json & {
    readonly id: string
    readonly secret: string | null
    readonly data: ReadonlyArray<Json & { readonly sequence: number }>
    readonly detail: string
    readonly answer: string
  }
}

const ask = Effect.fnUntraced(function*(method: string, path: string, body?: unknown) {
  const { url } = yield* World
  return yield* Effect.promise(async (): Promise<Answer> => {
    const response = await fetch(`${url}/api/v1/webhooks${path}`, {
      method,
      headers: {
        authorization: "Bearer operator",
        ...(body === undefined ? {} : { "content-type": "application/json" })
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    return { status: response.status, json: JSON.parse(text || "null") }
  })
})

const make = Effect.fnUntraced(function*(
  kind: "discord" | "slack" | "receiver",
  filter: unknown = {},
  more: Readonly<Record<string, unknown>> = {}
) {
  const { sandbox } = yield* World
  const address = sandbox.inboxes.make(kind)
  const format = kind === "receiver" ? "json" : kind
  const { json, status } = yield* ask("POST", "", { name: "a channel", format, url: address, filter, ...more })
  assert.strictEqual(status, 201, JSON.stringify(json))
  return { address, id: json.id, secret: json.secret, shown: json }
})

const victimOf = ({ victim }: Killmail) => ({ corporation: [victim.corporation_id], role: "victim" })

const onDatabase = <A>(
  question: (sql: SqlClient.SqlClient) => Effect.Effect<A, unknown>,
  isThere: (answer: A) => boolean
) => Effect.flatMap(World, ({ context }) => Effect.provide(eventually(question, isThere), context))

const statuses = (id: string, isThere: (rows: ReadonlyArray<{ readonly status: string }>) => boolean) =>
  onDatabase(
    (sql) =>
      sql<{ status: string; error: string | null; attempts: number }>`
        select status, error, attempts from webhook_deliveries where webhook_id = ${id}::uuid order by sequence`,
    isThere
  )

const delivered = (id: string, count: number) =>
  statuses(id, (rows) => rows.filter(({ status }) => status === "delivered").length >= count)

layer(World.layer, { excludeTestServices: true, timeout: 90_000 })("a webhook", (it) => {
  it.effect("tells Discord of what fits its filter and is new, in an embed", () =>
    Effect.gen(function*() {
      const { sandbox, store } = yield* World
      const [before, mine, other] = [nextMail(), nextMail(), nextMail()]
      yield* store([before])
      const { address, id, shown } = yield* make("discord", victimOf(mine))
      assert.deepInclude(shown, { url: `${sandbox.url}/…`, is_enabled: true, secret: null, waiting: 0 })
      yield* store([other, mine])
      yield* delivered(id, 1)
      const [message, ...rest] = sandbox.inboxes.received(address)
      assert.lengthOf(rest, 0)
      const { embeds: [embed] } = JSON.parse(message!.body)
      assert.strictEqual(embed.url, `https://zkillboard.com/kill/${mine.killmail_id}/`)
      assert.strictEqual(embed.color, 0xe74c3c)
      assert.strictEqual(embed.timestamp, mine.killmail_time)
      assert.include(embed.thumbnail.url, `/types/${mine.victim.ship_type_id}/render`)
      assert.match(embed.title, / lost a .+ in /)
      assert.match(embed.description, /Final blow by /)
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.effect("tells Slack in blocks", () =>
    Effect.gen(function*() {
      const { sandbox, store } = yield* World
      const mail = nextMail()
      const { address, id } = yield* make("slack", victimOf(mail))
      yield* store([mail])
      yield* delivered(id, 1)
      const [message] = sandbox.inboxes.received(address)
      assert.include(message!.body, `<https://zkillboard.com/kill/${mail.killmail_id}/|`)
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.effect("signs JSON, which is what the API shows, and says the same again under the same id", () =>
    Effect.gen(function*() {
      const { sandbox, store } = yield* World
      const mail = nextMail()
      const { address, id, secret } = yield* make("receiver", victimOf(mail))
      yield* store([mail])
      yield* delivered(id, 1)
      const { json: { data } } = yield* ask("GET", `/${id}/deliveries`)
      const delivery = data[0]!
      assert.deepInclude(delivery, {
        status: "delivered",
        attempts: 1,
        http_status: 204,
        killmail_id: mail.killmail_id
      })
      const again = yield* ask("POST", `/${id}/replay`, { after: delivery.sequence - 1, up_to: delivery.sequence })
      assert.deepInclude(again.json, { deliveries: 1, next_after: null })
      yield* onDatabase(
        () => Effect.sync(() => sandbox.inboxes.received(address).length),
        (count) => count === 2
      )
      const key = Buffer.from(secret!.replace("whsec_", ""), "base64")
      const messages = sandbox.inboxes.received(address)
      for (const { body, headers } of messages) {
        assert.strictEqual(JSON.parse(body).killmail_id, mail.killmail_id)
        const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`
        const signature = createHmac("sha256", key).update(signed).digest("base64")
        assert.strictEqual(headers["webhook-signature"], `v1,${signature}`)
      }
      assert.strictEqual(messages[0]!.headers["webhook-id"], messages[1]!.headers["webhook-id"])
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.effect("answers a test with what the other side said", () =>
    Effect.gen(function*() {
      const { sandbox, store } = yield* World
      yield* store([nextMail()])
      const { address, id } = yield* make("discord", { character: [1] })
      const { json } = yield* ask("POST", `/${id}/test`)
      assert.deepInclude(json, { delivered: true, status: 200 })
      assert.lengthOf(sandbox.inboxes.received(address), 1)
      sandbox.inboxes.remove(address)
      const gone = yield* ask("POST", `/${id}/test`)
      assert.deepInclude(gone.json, { delivered: false, status: 404 })
      assert.include(gone.json.answer, "Unknown Webhook")
    }))

  it.effect("answers a test with why nothing is sent, while its receiver is spared", () =>
    Effect.gen(function*() {
      const { sandbox, store } = yield* World
      yield* store([nextMail()])
      const { address, id } = yield* make("receiver", { character: [1] })
      sandbox.intercept(({ path }) => address.endsWith(path) ? { reset: true } : undefined)
      const { json: cut } = yield* ask("POST", `/${id}/test`)
      assert.match(cut.answer, /^127\.0\.0\.1:\d+ cannot be reached: .+\.$/)
      const { json: spared } = yield* ask("POST", `/${id}/test`)
      assert.strictEqual(spared.delivered, false)
      assert.match(spared.answer, /^Nothing is sent there for another \d+ s: 127\.0\.0\.1:\d+ cannot be reached: .+\.$/)
    }))

  it.effect("waits as long as it is told to, which costs no try, and tries again what failed", () =>
    Effect.gen(function*() {
      const { sandbox, store } = yield* World
      const mail = nextMail()
      const { address, id } = yield* make("receiver", victimOf(mail))
      const refusals = [
        { status: 429, headers: { "retry-after": "1" }, body: "{\"retry_after\":0.4}" },
        { status: 503, body: "<html>" }
      ]
      sandbox.intercept(({ path, upstream }) =>
        upstream === "receiver" && address.endsWith(path) ? refusals.shift() : undefined
      )
      yield* store([mail])
      yield* statuses(id, ([row]) => row?.status === "waiting" && refusals.length === 0)
      yield* onDatabase(
        (sql) => sql`update graphile_worker._private_jobs set run_at = now() where key like 'webhook:%' returning 1`,
        () => sandbox.inboxes.received(address).length === 1
      )
      const [row] = yield* delivered(id, 1)
      assert.deepInclude(row, { attempts: 2, error: null })
    }))

  it.effect("is disabled when its receiver is gone, and tells its owner why", () =>
    Effect.gen(function*() {
      const { sandbox, store } = yield* World
      const mail = nextMail()
      const { address, id } = yield* make("discord", victimOf(mail))
      sandbox.inboxes.remove(address)
      yield* store([mail])
      yield* statuses(id, ([row]) => row?.status === "failed")
      const { json } = yield* ask("GET", `/${id}`)
      assert.deepInclude(json, { is_enabled: false, disabled_because: "it answered 404" })
      assert.strictEqual((yield* ask("POST", `/${id}/replay`, { after: 0, up_to: 9 })).status, 409)
      const { json: is_enabled } = yield* ask("PATCH", `/${id}`, { is_enabled: true, name: "again" })
      assert.deepInclude(is_enabled, { is_enabled: true, disabled_because: null, name: "again" })
    }))

  it.effect("becomes a dead letter's delivery when what it is told is refused", () =>
    Effect.gen(function*() {
      const { sandbox, store } = yield* World
      const mail = nextMail()
      const { address, id } = yield* make("receiver", victimOf(mail))
      sandbox.intercept(({ path, upstream }) =>
        upstream === "receiver" && address.endsWith(path)
          ? { status: 302, headers: { location: sandbox.url } }
          : undefined
      )
      yield* store([mail])
      yield* statuses(id, ([row]) => row?.status === "failed")
      const [letter] = yield* onDatabase(
        (sql) =>
          sql<{ reason: string; payload: unknown }>`
            select reason, payload from dead_letters where task = 'deliver_webhook' and key like ${`webhook:${id}:%`}`,
        (rows) => rows.length === 1
      )
      assert.strictEqual(letter!.reason, "webhook_refused")
      assert.sameMembers(Object.keys(letter!.payload as object), ["webhook_id", "sequence"])
    }))

  it.effect("is refused in one sentence when it leads where none may, or its filter is none", () =>
    Effect.gen(function*() {
      const cases: ReadonlyArray<readonly [Readonly<Record<string, unknown>>, RegExp]> = [
        [{ url: "http://example.com/x" }, /^url: got http:\/\/, wants https/],
        [{ url: "https://169.254.169.254/latest" }, /^url: got the address 169\.254\.169\.254/],
        [{ url: "https://localhost/x" }, /^url: got localhost/],
        [{ url: "gopher://example.com" }, /^url: is no address of the web/],
        [{ enabled: false }, /^enabled: there is no such field\.$/],
        [{ name: "" }, /^name: expected 1 to 100 characters\.$/],
        [{ filter: { regoin: [1] } }, /^There is no filter "regoin"/]
      ]
      for (const [wrong, sentence] of cases) {
        const answer = yield* ask("POST", "", { name: "x", format: "json", url: "https://example.com/x", ...wrong })
        assert.strictEqual(answer.status, 400)
        assert.match(answer.json.detail, sentence)
      }
      const { id } = yield* make("slack")
      assert.strictEqual((yield* ask("PATCH", `/${id}`, { url: "https://[::1]/" })).status, 400)
      assert.strictEqual((yield* ask("DELETE", `/${id}`)).status, 204)
      assert.strictEqual((yield* ask("GET", `/${id}`)).status, 404)
    }))

  it.effect("is its owner's alone", () =>
    Effect.gen(function*() {
      const { sandbox, url } = yield* World
      const [owner, stranger] = [makeBrowser(), makeBrowser()]
      yield* signInWith(owner, url, pilotOf("test", 700).character)
      yield* signInWith(stranger, url, pilotOf("test", 701).character)
      const mine = `${url}/api/v1/me/webhooks`
      const wanted = { name: "mine", format: "discord", url: sandbox.inboxes.make("discord") }
      const made = yield* owner.send("POST", mine, wanted)
      assert.strictEqual(made.status, 201, made.text)
      assert.notInclude(made.text, "token-")
      const { id } = made.json
      for (
        const [method, path, body] of [
          ["GET", ""],
          ["PATCH", "", { name: "stolen" }],
          ["DELETE", ""],
          ["POST", "/test"],
          ["POST", "/replay", { after: 0, up_to: 1 }],
          ["GET", "/deliveries"]
        ] as const
      ) {
        const answer = yield* stranger.send(method, `${mine}/${id}${path}`, body)
        assert.strictEqual(answer.status, 404, `${method} ${path}`)
        assert.strictEqual((yield* ask(method, `/${id}${path}`, body)).status, 404)
        assert.strictEqual((yield* makeBrowser().send(method, `${mine}/${id}${path}`, body)).status, 401)
      }
      for (let more = 1; more < 20; more++) yield* owner.send("POST", mine, wanted)
      assert.strictEqual((yield* owner.send("POST", mine, wanted)).status, 409)
      assert.strictEqual((yield* owner.send("DELETE", `${url}/api/v1/me`)).status, 200)
      yield* onDatabase(
        (sql) => sql`select from webhooks where user_id is not null`,
        (rows) => rows.length === 0
      )
    }))
})
