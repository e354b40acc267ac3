import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { WebSocket } from "ws"
import { type Sandbox, type SandboxOptions, start } from "../../src/sandbox/Sandbox.ts"
import { contact, rulesOf, someMail } from "./Visitor.ts"

const manual: SandboxOptions = { port: 0, speed: 100, seed: "tests", faults: 0, world: "manual" }

interface Message {
  readonly type?: string
  readonly channel?: string
  readonly message?: string
  readonly topics?: ReadonlyArray<string>
  readonly data?: { readonly killmail_id: number; readonly topics?: ReadonlyArray<string> }
}

const connect = (sandbox: Sandbox, path: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const socket = new WebSocket(`${sandbox.url.replace("http", "ws")}/evekill-socket${path}`, {
        headers: { "user-agent": contact }
      })
      const messages: Array<Message> = []
      let wake: (() => void) | undefined
      socket.on("message", (data) => {
        messages.push(JSON.parse(String(data)))
        wake?.()
      })
      const closed = new Promise<number>((resolve) => socket.on("close", resolve))
      const next = async (fits: (message: Message) => boolean): Promise<Message> => {
        for (;;) {
          const found = messages.find(fits)
          if (found !== undefined) return found
          await new Promise<void>((resolve) => (wake = resolve))
        }
      }
      const send = (message: object | string) =>
        socket.send(typeof message === "string" ? message : JSON.stringify(message))
      await new Promise((resolve) => socket.once("open", resolve))
      return { next, send, closed, messages, end: () => socket.terminate() }
    }),
    ({ end }) => Effect.sync(end)
  )

const ofType = (wanted: string) => ({ type }: Message) => type === wanted

describe("EVE-KILL's socket", () => {
  it.live("tells subscribers of its topics, in Shrike's words", () =>
    Effect.gen(function*() {
      const sandbox = yield* start(manual)
      const { messages, next, send } = yield* connect(sandbox, "/ws/killmails")
      yield* Effect.promise(async () => {
        await next(ofType("welcome"))
        send({ action: "subscribe", topics: ["nothing"] })
        assert.strictEqual((await next(ofType("error"))).message, "Unknown topic: nothing")
        const [first, second] = [someMail(0).killmail, someMail(1).killmail]
        send({ action: "subscribe", topics: [`system.${second.solar_system_id}`] })
        assert.deepStrictEqual((await next(ofType("subscribed"))).topics, [`system.${second.solar_system_id}`])
        sandbox.publishEveKill({ killmail: first })
        sandbox.publishEveKill({ killmail: second })
        const told = await next(({ channel }) => channel === "killmails")
        assert.strictEqual(told.data!.killmail_id, second.killmail_id)
        assert.strictEqual(messages.filter(({ channel }) => channel === "killmails").length, 1)
        send({ action: "ping" })
        await next(ofType("pong"))
      })
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("takes topics as plain text, and drops whoever does not answer its ping, in Thessia's words", () =>
    Effect.gen(function*() {
      const sandbox = yield* start(manual)
      const { closed, next, send } = yield* connect(sandbox, "/killmails")
      yield* Effect.promise(async () => {
        await next(ofType("info"))
        send("all, solo")
        assert.deepStrictEqual((await next(ofType("subscribed"))).data!.topics, ["all", "solo"])
        const { killmail } = someMail(0)
        sandbox.publishEveKill({ killmail })
        assert.strictEqual((await next(ofType("killmail"))).data!.killmail_id, killmail.killmail_id)
        await next(ofType("ping"))
        await closed
      })
      assert.deepStrictEqual(rulesOf(sandbox), ["protocol"])
    }))

  it.live("closes with 1008 on whoever asks for too much", () =>
    Effect.gen(function*() {
      const sandbox = yield* start(manual)
      const { closed, send } = yield* connect(sandbox, "/ws/killmails")
      send({ action: "subscribe", topics: Array.from({ length: 129 }, (_, index) => `system.${index}`) })
      assert.strictEqual(yield* Effect.promise(() => closed), 1008)
      assert.deepStrictEqual(rulesOf(sandbox), ["protocol"])
    }))
})
