import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber } from "effect"
import { LiveKillmails } from "../../../src/broadcast/LiveKillmails.ts"
import type { Killmail } from "../../../src/domain/Killmail.ts"
import { graphqlClient, type Heard } from "../../support/GraphqlClient.ts"
import { mailOf } from "../../support/Mails.ts"
import { stoppableDaemon } from "../../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../../support/TestDaemon.ts"

const mail = (k: number): Killmail => mailOf("graphql socket", k)
const mails = (from: number, to: number) => Array.from({ length: to - from }, (_, k) => mail(from + k))
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, k) => first + k)
const sequencesOf = ({ killmails }: Heard) => killmails.map(({ sequence }) => sequence as number)

const all = "subscription ($after: Long, $epoch: String) { killmail(after: $after, epoch: $epoch) { sequence } }"

const daemon = Effect.fnUntraced(function*(overrides: Readonly<Record<string, string>> = {}) {
  const sandbox = yield* manualSandbox()
  const { url } = yield* migratedDatabase
  const running = yield* stoppableDaemon(url, sandbox, { KILLMAILD_FEEDS: "", ...overrides })
  const another = stoppableDaemon(url, sandbox, { KILLMAILD_FEEDS: "", ...overrides })
  const { position } = Context.get(running.context, LiveKillmails)
  const told = (sequence: number) =>
    Effect.gen(function*() {
      while (position() < sequence) yield* Effect.sleep("10 millis")
    })
  return { ...running, another, told }
})

const messagesOf = (errors: unknown) =>
  (errors as ReadonlyArray<{ readonly message: string }>).map(({ message }) => message)

describe("a subscription of GraphQL", () => {
  it.live("hears killmails after those that it has, then live, each with what it asked for", () =>
    Effect.gen(function*() {
      const { store, told, url } = yield* daemon()
      yield* store(mails(0, 3))
      yield* told(3)
      const client = yield* graphqlClient(url)
      const old = client.subscribe(
        "subscription { killmail(after: 1) { killmailId sequence victim { shipTypeId items { itemTypeId } } } }"
      )
      const fresh = client.subscribe(all, { after: 3 })
      const acknowledged = yield* client.acknowledged
      assert.match((acknowledged as { readonly epoch: string }).epoch, /^[0-9a-f-]{36}$/)
      assert.strictEqual((acknowledged as { readonly sequence: number }).sequence, 3)
      yield* old.count(2)
      yield* store(mails(3, 5))
      yield* old.count(4)
      assert.deepStrictEqual(sequencesOf(old), upTo(5, 2))
      assert.deepStrictEqual(old.killmails[2], {
        killmailId: mail(3).killmail_id,
        sequence: 4,
        victim: {
          shipTypeId: mail(3).victim.ship_type_id,
          items: mail(3).victim.items!.map(({ item_type_id }) => ({ itemTypeId: item_type_id }))
        }
      })
      yield* fresh.count(2)
      assert.deepStrictEqual(sequencesOf(fresh), [4, 5])

      old.complete()
      yield* old.ended
      yield* store([mail(5)])
      yield* fresh.count(3)
      assert.strictEqual(old.killmails.length, 4)
    }))

  it.live("is told of what its filter fits alone, in a replay as it is live", () =>
    Effect.gen(function*() {
      const { store, told, url } = yield* daemon()
      yield* store(mails(0, 40))
      yield* told(40)
      const system = mail(0).solar_system_id
      const client = yield* graphqlClient(url)
      const query = "subscription ($filter: KillmailFilter) { killmail(filter: $filter, after: 0) { killmailId } }"
      const inSystem = client.subscribe(query, { filter: { system } })
      const all = client.subscribe(query)
      yield* all.count(40)
      yield* store(mails(40, 80))
      yield* all.count(80)
      const wanted = mails(0, 80).filter(({ solar_system_id }) => solar_system_id === system)
      yield* inSystem.count(wanted.length)
      assert.deepStrictEqual(
        inSystem.killmails.map(({ killmailId }) => killmailId),
        wanted.map((one) => one.killmail_id)
      )
    }))

  it.live("that comes back again and again misses nothing and hears nothing twice", () =>
    Effect.gen(function*() {
      const { another, store, url } = yield* daemon()
      const second = yield* another
      const total = 150
      const writing = yield* Effect.forkScoped(Effect.gen(function*() {
        for (let k = 0; k < total; k += 5) yield* store(mails(k, k + 5))
      }))
      const seen: Array<number> = []
      let connections = 0
      while ((seen.at(-1) ?? 0) < total) {
        const has = seen.at(-1) ?? 0
        seen.push(
          ...yield* Effect.scoped(Effect.gen(function*() {
            const client = yield* graphqlClient([url, second.url][connections % 2]!)
            const heard = client.subscribe(all, { after: has })
            yield* heard.count(Math.min(total - has, 1 + (connections * 37) % 61))
            return sequencesOf(heard)
          }))
        )
        connections++
      }
      yield* Fiber.join(writing)
      assert.deepStrictEqual(seen, upTo(total))
      assert.isAbove(connections, 3)
    }), 60_000)

  it.live(
    "that does not read is cut off with 1013, and has lost nothing when it resumes",
    () =>
      Effect.gen(function*() {
        const { store, told, url } = yield* daemon()
        const attacker = mail(0).attackers[0]!
        const large = (k: number): Killmail => ({ ...mail(k), attackers: Array.from({ length: 4000 }, () => attacker) })
        const whole = `subscription ($after: Long) { killmail(after: $after) {
        sequence attackers { damageDone securityStatus finalBlow weaponTypeId shipTypeId characterId corporationId }
      } }`
        const client = yield* graphqlClient(url)
        const slow = client.subscribe(whole)
        yield* client.acknowledged
        // Heard once, so that it has begun.
        yield* store([large(0)])
        yield* slow.count(1)
        client.socket().pause()
        // What fits into the sockets' buffers, and more than may wait behind it.
        const total = 1100
        yield* store(mails(1, 18).map((_, k) => large(k + 1)))
        for (let k = 18; k < total; k += 40) yield* store(mails(k, Math.min(k + 40, total)))
        yield* told(total)
        client.socket().resume()
        assert.strictEqual(yield* slow.ended, 1013)
        const got = sequencesOf(slow)
        assert.isBelow(got.length, total)
        const again = (yield* graphqlClient(url)).subscribe(whole, { after: got.at(-1) ?? 0 })
        yield* again.count(total - got.length)
        assert.deepStrictEqual([...got, ...sequencesOf(again)], upTo(total))
      }),
    60_000
  )

  it.live("is told with 1012 that the daemon stops", () =>
    Effect.gen(function*() {
      const { stop, url } = yield* daemon()
      const client = yield* graphqlClient(url)
      const heard = client.subscribe(all)
      yield* client.acknowledged
      const started = performance.now()
      yield* stop
      assert.strictEqual(yield* heard.ended, 1012)
      assert.isBelow(performance.now() - started, 5000)
    }))

  it.live("that cannot be is told why in one sentence, and the connection stays", () =>
    Effect.gen(function*() {
      const { store, told, url } = yield* daemon()
      yield* store([mail(0)])
      yield* told(1)
      const client = yield* graphqlClient(url)
      const steady = client.subscribe(all, { after: 0 })
      yield* steady.count(1)
      for (
        const [query, message] of [
          ["subscription {", /^Syntax Error/],
          ["subscription { killmial { hash } }", /^Cannot query field "killmial"/],
          ["subscription { killmail(after: 7) { hash } }", /^Sequence 7 is not of this epoch: subscribe without/],
          ["subscription { killmail(after: 0, epoch: \"other\") { hash } }", /^Sequence 0 is not of this epoch/],
          ["subscription { killmail(filter: { region: [] }) { hash } }", /^region: got \[\], wants/],
          ["subscription { killmail { hash } revalued { hash } }", /single|only one/i],
          ["{ killmail(id: 1) { hash } }", /^Wants a subscription here/]
        ] as const
      ) {
        const [told] = messagesOf(yield* client.subscribe(query).ended)
        assert.match(told ?? "", message)
      }
      yield* store([mail(1)])
      yield* steady.count(2)
    }))
})

describe("a browser", () => {
  it.live("may subscribe from the daemon's own origin, and from no other that is not allowed", () =>
    Effect.gen(function*() {
      const { url } = yield* daemon({ KILLMAILD_ALLOWED_ORIGINS: "https://tools.example" })
      for (const origin of [url, "https://tools.example"]) {
        const client = yield* graphqlClient(url, { origin })
        client.subscribe(all)
        yield* client.acknowledged
      }
      const refused = (yield* graphqlClient(url, { origin: "https://evil.example" })).subscribe(all)
      assert.match(String(JSON.stringify(yield* refused.ended, ["message"])), /403/)
    }))
})
