import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { connectEvents, type StreamEvent } from "../support/EventClient.ts"
import { mailOf } from "../support/Mails.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const mails = (from: number, to: number): ReadonlyArray<Killmail> =>
  Array.from({ length: to - from }, (_, k) => mailOf("events", from + k))
const hasId = (id: number) => ({ event, id: own }: StreamEvent) => event === "killmail" && own === String(id)
const isWelcome = ({ event }: StreamEvent) => event === "welcome"
const idsOf = (events: ReadonlyArray<StreamEvent>) =>
  events.filter(({ event }) => event === "killmail").map(({ id }) => Number(id))
const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, k) => first + k)

const daemon = Effect.gen(function*() {
  const sandbox = yield* manualSandbox()
  const { url } = yield* migratedDatabase
  const running = yield* stoppableDaemon(url, sandbox, { KILLMAILD_FEEDS: "" })
  return { store: running.store, stream: `${running.url}/api/v1/stream` }
})

describe("/api/v1/stream", () => {
  it.live("tells what was published after a sequence, then what is published, each once and in order", () =>
    Effect.gen(function*() {
      const { store, stream } = yield* daemon
      yield* store(mails(0, 450))
      const client = yield* connectEvents(`${stream}?after=0`)
      yield* client.event(hasId(450))
      yield* store(mails(450, 460))
      yield* client.event(hasId(460))
      assert.deepStrictEqual(idsOf(client.events), upTo(460))
      assert.strictEqual(client.events[0]?.event, "welcome")
      assert.include(mails(0, 460).map(({ killmail_id }) => killmail_id), client.events[1]!.data.killmail_id)
    }))

  it.live("goes on after the last event's id with the same filter, and misses nothing", () =>
    Effect.gen(function*() {
      const { store, stream } = yield* daemon
      const { solar_system_id: system } = mailOf("events", 0)
      const wanted = mails(0, 120).filter(({ solar_system_id }) => solar_system_id === system)
      const seen: Array<number> = []
      let last: string | undefined
      for (let part = 0; part < 4; part++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const headers = last === undefined ? {} : { "last-event-id": last }
          const client = yield* connectEvents(`${stream}?system=${system}`, headers as Record<string, string>)
          yield* client.event(isWelcome)
          const all = yield* connectEvents(stream)
          yield* all.event(isWelcome)
          yield* store(mails(part * 30, part * 30 + 15))
          // Both hear of an announcement in the same instant.
          yield* all.event(hasId(part * 30 + 15))
          const heard = client.events.filter(({ event }) => event === "killmail")
          seen.push(...heard.map(({ data }) => data.killmail_id))
          last = client.events.at(-1)!.id
        }))
        // Nobody listens.
        yield* store(mails(part * 30 + 15, part * 30 + 30))
      }
      const rest = yield* connectEvents(`${stream}?system=${system}&after=${last}`)
      yield* rest.event(isWelcome)
      while (seen.length + idsOf(rest.events).length < wanted.length) yield* rest.event(({ id }) => id !== last)
      seen.push(...rest.events.filter(({ event }) => event === "killmail").map(({ data }) => data.killmail_id))
      assert.sameMembers(seen, wanted.map(({ killmail_id }) => killmail_id))
    }))

  it.live("refuses a sequence of another epoch, and what is no filter, in one sentence", () =>
    Effect.gen(function*() {
      const { stream } = yield* daemon
      const refused = (query: string) =>
        Effect.promise(async () => {
          const response = await fetch(`${stream}?${query}`)
          return [response.status, (await response.json() as { readonly detail: string }).detail] as const
        })
      const [ahead, why] = yield* refused("after=7")
      assert.deepStrictEqual([ahead, why.slice(0, 35)], [409, "Sequence 7 is not of this epoch: co"])
      assert.strictEqual((yield* refused("after=0&epoch=another"))[0], 409)
      assert.deepStrictEqual(yield* refused("ship=587,x"), [
        400,
        "ship: got [587,\"x\"], wants ids of ship types, 1 to 1000 of them."
      ])
      assert.match((yield* refused("colour=red"))[1], /^There is no filter "colour"/)
      assert.strictEqual((yield* refused("after=-1"))[0], 400)
    }))
})
