import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber } from "effect"
import { SqlClient } from "effect/sql"
import { LiveKillmails } from "../../src/broadcast/LiveKillmails.ts"
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { connectSocket, type Frame, sequencesOf } from "../support/SocketClient.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const mail = (k: number): Killmail => killmailOf("socket", k).killmail
const mails = (from: number, to: number) => Array.from({ length: to - from }, (_, k) => mail(from + k))
const idsOf = (killmails: ReadonlyArray<Killmail>) => killmails.map(({ killmail_id }) => killmail_id)
const isKillmail = (sequence: number) => (frame: Frame) => frame.type === "killmail" && frame.sequence === sequence
const isType = (type: string, id?: string) => (frame: Frame) =>
  frame.type === type && (id === undefined || frame.id === id)
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, k) => first + k)
const told = (frames: ReadonlyArray<Frame>) => frames.map(({ sequence, type }) => [type, sequence])

const daemon = Effect.fnUntraced(function*(overrides: Readonly<Record<string, string>> = {}) {
  const sandbox = yield* manualSandbox()
  const { url } = yield* migratedDatabase
  const running = yield* stoppableDaemon(url, sandbox, { KILLMAILD_FEEDS: "", ...overrides })
  const another = stoppableDaemon(url, sandbox, { KILLMAILD_FEEDS: "", ...overrides })
  return { ...running, another }
})

describe("a client of /ws", () => {
  it.live("is welcomed first, then hears all that it subscribes to, once a frame", () =>
    Effect.gen(function*() {
      const { context, store, url } = yield* daemon()
      yield* store(mails(0, 3))
      const { position } = Context.get(context, LiveKillmails)
      while (position() < 3) yield* Effect.sleep("10 millis")
      const client = yield* connectSocket(url)
      for (const id of ["old", "new"]) client.send({ action: "subscribe", id, ...(id === "old" ? { after: 1 } : {}) })
      yield* client.frame(isType("caught_up", "old"))
      yield* client.frame(isType("caught_up", "new"))
      yield* store(mails(3, 5))
      yield* client.frame(isKillmail(5))
      const [welcome, ...rest] = client.frames
      assert.strictEqual(welcome?.type, "welcome")
      assert.match(welcome?.epoch ?? "", /^[0-9a-f-]{36}$/)
      // What things are and cost is learned meanwhile, which may be told, too.
      const news = rest.filter(({ type }) => type !== "revalued")
      const of = (id: string) => news.filter((frame) => frame.id === id || frame.subscriptions?.includes(id))
      assert.deepStrictEqual(told(of("old")), [
        ["subscribed", 1],
        ["killmail", 2],
        ["killmail", 3],
        ["caught_up", undefined],
        ["killmail", 4],
        ["killmail", 5]
      ])
      assert.deepStrictEqual(told(of("new")).slice(0, 2).map(([type]) => type), ["subscribed", "caught_up"])
      const live = rest.filter(({ sequence, type }) => type === "killmail" && sequence! > 3)
      assert.deepStrictEqual(live.map(({ subscriptions }) => subscriptions?.toSorted()), [["new", "old"], [
        "new",
        "old"
      ]])
      assert.deepInclude(live[0]?.data, { ...mail(3), hash: hashOf(mail(3)), sequence: 4 })

      client.send({ action: "unsubscribe", id: "old" })
      client.send({ action: "ping" })
      yield* client.frame(isType("unsubscribed", "old"))
      yield* client.frame(isType("pong"))
      yield* store([mail(5)])
      assert.deepStrictEqual((yield* client.frame(isKillmail(6))).subscriptions, ["new"])
    }))

  it.live("is told of what its filter fits alone, in a replay as it is live", () =>
    Effect.gen(function*() {
      const { context, store, url } = yield* daemon()
      yield* store(mails(0, 40))
      const { position } = Context.get(context, LiveKillmails)
      while (position() < 40) yield* Effect.sleep("10 millis")
      const system = mail(0).solar_system_id
      const client = yield* connectSocket(url)
      const ship = mail(3).victim.ship_type_id
      client.send({ action: "subscribe", id: "system", after: 0, filter: { system } })
      client.send({ action: "subscribe", id: "ship", after: 0, filter: { ship: [ship], role: "victim" } })
      client.send({ action: "subscribe", id: "all", after: 40 })
      for (const id of ["system", "ship", "all"]) yield* client.frame(isType("caught_up", id))
      yield* store(mails(40, 80))
      while (!client.frames.some((frame) => isKillmail(80)(frame))) yield* Effect.sleep("10 millis")
      const heard = (id: string) =>
        client.frames.filter(({ subscriptions }) => subscriptions?.includes(id)).map(({ data }) => data as Killmail)
      const inSystem = mails(0, 80).filter((killmail) => killmail.solar_system_id === system)
      const ofShip = mails(0, 80).filter(({ victim }) => victim.ship_type_id === ship)
      assert.sameMembers(idsOf(heard("system")), idsOf(inSystem))
      assert.sameMembers(idsOf(heard("ship")), idsOf(ofShip))
    }))

  it.live("that comes back again and again misses nothing and sees nothing twice", () =>
    Effect.gen(function*() {
      const { another, store, url } = yield* daemon()
      const second = yield* another
      const total = 600
      const writing = yield* Effect.forkScoped(Effect.gen(function*() {
        for (let k = 0; k < total; k += 5) yield* store(mails(k, k + 5))
      }))
      const steady = yield* connectSocket(second.url)
      steady.send({ action: "subscribe", id: "steady", after: 0 })

      const seen: Array<number> = []
      let connections = 0
      while ((seen.at(-1) ?? 0) < total) {
        const stopAt = (seen.at(-1) ?? 0) + 1 + (connections * 37) % 61
        const heard = yield* Effect.scoped(Effect.gen(function*() {
          const client = yield* connectSocket([url, second.url][connections % 2]!)
          const epoch = (yield* client.frame(isType("welcome"))).epoch
          client.send({ action: "subscribe", id: "restless", after: seen.at(-1) ?? 0, epoch })
          yield* client.frame(isKillmail(Math.min(stopAt, total)))
          return sequencesOf(client.frames)
        }))
        seen.push(...heard)
        connections++
      }
      yield* Fiber.join(writing)
      yield* steady.frame(isKillmail(total))
      assert.deepStrictEqual(seen, upTo(total))
      assert.deepStrictEqual(sequencesOf(steady.frames), upTo(total))
      assert.isAbove(connections, 10)
    }), 40_000)

  it.live("hears all in order, too, when more is published at once than is read at once", () =>
    Effect.gen(function*() {
      const { store, url } = yield* daemon()
      const client = yield* connectSocket(url)
      client.send({ action: "subscribe", id: "all" })
      yield* client.frame(isType("caught_up"))
      yield* store(mails(0, 450))
      yield* store([mail(450)])
      yield* client.frame(isKillmail(451))
      assert.deepStrictEqual(sequencesOf(client.frames), upTo(451))
    }))

  it.live("hears on when the connection that listens is killed", () =>
    Effect.gen(function*() {
      const { context, store, url } = yield* daemon()
      const client = yield* connectSocket(url)
      client.send({ action: "subscribe", id: "all", after: 0 })
      const sql = Context.get(context, SqlClient.SqlClient)
      for (let round = 0; round < 3; round++) {
        // It takes a moment until there is one to kill.
        yield* Effect.gen(function*() {
          for (;;) {
            const found = yield* sql`
              select from pg_stat_activity where datname = current_database() and query ilike 'listen%killmails%'`
            if (found.length > 0) return
            yield* Effect.sleep("20 millis")
          }
        })
        const killed = yield* sql`
          select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and query ilike 'listen%killmails%'`
        assert.isAtLeast(killed.length, 1)
        yield* store(mails(round * 2, round * 2 + 2))
        yield* client.frame(isKillmail(round * 2 + 2))
      }
      assert.deepStrictEqual(sequencesOf(client.frames), upTo(6))
    }))

  it.live(
    "that reads too slowly is cut off with 1013, and has lost nothing when it resumes",
    () =>
      Effect.gen(function*() {
        const { store, url } = yield* daemon()
        const slow = yield* connectSocket(url)
        slow.send({ action: "subscribe", id: "slow" })
        yield* slow.frame(isType("caught_up"))
        slow.socket.pause()
        const attacker = mail(0).attackers[0]!
        const large = (k: number): Killmail => ({ ...mail(k), attackers: Array.from({ length: 6000 }, () => attacker) })
        const total = 30
        const other = yield* connectSocket(url)
        other.send({ action: "subscribe", id: "other" })
        yield* other.frame(isType("caught_up"))
        for (let k = 0; k < total; k++) yield* store([large(k)])
        yield* other.frame(isKillmail(total))
        slow.socket.resume()
        assert.strictEqual(yield* slow.closed, 1013)
        const got = sequencesOf(slow.frames)
        assert.isBelow(got.length, total)
        const again = yield* connectSocket(url)
        again.send({ action: "subscribe", id: "slow", after: got.at(-1) ?? 0 })
        yield* again.frame(isType("caught_up"))
        assert.deepStrictEqual([...got, ...sequencesOf(again.frames)], upTo(total))
      }),
    40_000
  )

  it.live("is told with 1012 that the daemon stops", () =>
    Effect.gen(function*() {
      const { stop, url } = yield* daemon()
      const client = yield* connectSocket(url)
      const started = performance.now()
      yield* stop
      assert.strictEqual(yield* client.closed, 1012)
      assert.isBelow(performance.now() - started, 5000)
    }))
})

describe("a misunderstanding on /ws", () => {
  it.live("is answered with an error that names it, and the connection stays", () =>
    Effect.gen(function*() {
      const { store, url } = yield* daemon()
      yield* store([mail(0)])
      const client = yield* connectSocket(url)
      client.send({ action: "subscribe", id: "taken" })
      yield* client.frame(isType("caught_up", "taken"))
      const wrong: ReadonlyArray<readonly [message: object | string, code: string]> = [
        ["{", "bad_message"],
        ["null", "bad_message"],
        [[], "bad_message"],
        [{ action: 7 }, "bad_message"],
        [{ action: "subscribe" }, "bad_message"],
        [{ action: "subscribe", id: "" }, "bad_message"],
        [{ action: "subscribe", id: "x", after: -1 }, "bad_message"],
        [{ action: "subscribe", id: "x", after: "1" }, "bad_message"],
        [{ action: "shout" }, "unknown_action"],
        [{ action: "subscribe", id: "x", filter: { colour: [587] } }, "filter"],
        [{ action: "subscribe", id: "taken" }, "duplicate"],
        [{ action: "subscribe", id: "y", after: 2 }, "epoch"],
        [{ action: "subscribe", id: "z", after: 0, epoch: "another" }, "epoch"]
      ]
      for (const [message] of wrong) client.send(message)
      client.socket.send(Buffer.from([1, 2, 3]))
      client.send({ action: "subscribe", id: "x", after: 1 })
      yield* client.frame(isType("caught_up", "x"))
      for (const id of ["y", "z"]) yield* client.frame(isType("error", id))
      const errors = client.frames.filter(isType("error"))
      assert.sameMembers(errors.map(({ code }) => code), [...wrong.map(([, code]) => code), "bad_message"])
      for (const error of errors) assert.match(error.message ?? "", /^[A-Z].*\.$/)
      assert.match(errors.find(({ code }) => code === "filter")?.message ?? "", /"colour"/)
    }))

  it.live("of size ends the connection with 1009, too many subscriptions do not", () =>
    Effect.gen(function*() {
      const { url } = yield* daemon()
      const client = yield* connectSocket(url)
      for (let k = 0; k <= 100; k++) client.send({ action: "subscribe", id: `s${k}` })
      const error = yield* client.frame(isType("error"))
      assert.deepStrictEqual([error.code, error.id], ["too_many", "s100"])
      client.send("x".repeat(70_000))
      assert.strictEqual(yield* client.closed, 1009)
    }))
})

describe("a browser", () => {
  it.live("may open /ws from the daemon's own origin or a listed one, and from no other", () =>
    Effect.gen(function*() {
      const { url } = yield* daemon({ KILLMAILD_ALLOWED_ORIGINS: "https://tools.example" })
      for (const origin of [url, "https://tools.example"]) {
        yield* (yield* connectSocket(url, { origin })).frame(isType("welcome"))
      }
      for (
        const origin of [
          "https://evil.example",
          "null",
          "http://tools.example",
          "https://tools.example.evil.net",
          `${url}1`
        ]
      ) {
        const error = yield* Effect.flip(connectSocket(url, { origin }))
        assert.match(error.message, /403/)
      }
    }))
})
