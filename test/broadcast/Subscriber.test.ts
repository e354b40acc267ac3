import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Audience from "../../src/broadcast/Audience.ts"
import type { Announcement, LiveKillmails } from "../../src/broadcast/LiveKillmails.ts"
import * as Subscriber from "../../src/broadcast/Subscriber.ts"
import type { KillmailDocument, KillmailRow } from "../../src/domain/Document.ts"
import type { Filter } from "../../src/domain/Filter.ts"
import { matches, subjectOf } from "../../src/domain/Matching.ts"
import { randomOf } from "../../src/sandbox/Random.ts"

const document = {} as KillmailDocument
/** Of every three killmails one was an NPC's, which is what subscription `s2` wants. */
const isNpc = (sequence: number) => sequence % 3 === 0
const filterOf = (id: string): Filter => id === "s2" ? { npc: true } : {}
const nowhere = { type: () => undefined, system: () => undefined }
const rowOf = (sequence: number) =>
  ({ is_npc: isNpc(sequence), attackers: [] as KillmailRow["attackers"], killmail_time: "" }) as KillmailRow
const announcementOf = (sequence: number): Announcement => ({
  type: "killmail",
  sequence,
  document,
  json: "{}",
  subject: subjectOf(rowOf(sequence), nowhere)
})

interface Frame {
  readonly type: string
  readonly id?: string
  readonly code?: string
  readonly sequence?: number
  readonly subscriptions?: ReadonlyArray<string>
}

/** A broadcaster whose ledger and position a test moves, and a client of it; all waits take a random number of turns. */
const stage = (seed: number) => {
  const random = randomOf("subscriber", String(seed))
  let ledger = random.whole(0, 12)
  let position = random.whole(0, ledger)
  const audience = Audience.make()
  const frames: Array<Frame> = []
  const hear = (text: string) => void frames.push(JSON.parse(text) as Frame)
  const pause = (most: number) => Effect.suspend(() => Effect.repeat(Effect.yieldNow, { times: random.whole(0, most) }))

  const live: LiveKillmails["Service"] = {
    epoch: Effect.as(pause(3), "mine"),
    lastSequence: Effect.andThen(pause(3), Effect.sync(() => ledger)),
    position: () => position,
    join: audience.join,
    listen: audience.listen,
    replay: (after, filter) =>
      Effect.gen(function*() {
        yield* pause(4)
        const size = Math.max(0, Math.min(random.whole(1, 4), position - after))
        const page = Array.from({ length: size }, (_, k) => announcementOf(after + 1 + k))
        yield* pause(4)
        const fits = matches(filter)
        return { announcements: page.filter(({ subject }) => fits(subject)), position: after + size }
      })
  }
  const tell = Effect.sync(() => {
    if (position === ledger) return
    position++
    audience.tell(announcementOf(position))
  })
  return {
    random,
    live,
    frames,
    pause,
    tell,
    publish: Effect.sync(() => ledger++),
    tellAll: Effect.suspend(() => Effect.repeat(tell, { times: ledger - position })),
    ledger: () => ledger,
    subscriber: Subscriber.make(live, {
      send: hear,
      sendShared: (message) => hear(message.toString()),
      drained: pause(2)
    })
  }
}

/** Subscribes and unsubscribes while killmails are stored and told, in a random order of everything. */
const play = Effect.fnUntraced(function*(seed: number) {
  const { frames, ledger, pause, publish, random, subscriber, tell, tellAll } = stage(seed)
  const receiving: Array<Fiber.Fiber<void, unknown>> = []
  const receive = (message: object) =>
    Effect.map(Effect.forkChild(subscriber.receive(JSON.stringify(message))), (fiber) => void receiving.push(fiber))
  for (let step = 0; step < 60; step++) {
    const draw = random.next()
    const id = `s${random.whole(0, 2)}`
    if (draw < 0.3) yield* publish
    else if (draw < 0.6) yield* tell
    else if (draw < 0.9) {
      const after = random.chance(0.7) ? { after: random.whole(0, ledger() + 1) } : {}
      const epoch = random.chance(0.3) ? { epoch: random.chance(0.8) ? "mine" : "another" } : {}
      yield* receive({ action: "subscribe", id, filter: filterOf(id), ...after, ...epoch })
    } else yield* receive({ action: "unsubscribe", id })
    yield* pause(3)
  }
  // Replays need what was stored to be told as well: then everything comes to rest.
  yield* tellAll
  yield* Effect.forEach(receiving, Fiber.join, { discard: true })
  return { frames, last: ledger() }
})

interface Session {
  readonly id: string
  readonly from: number
  readonly told: Array<number>
  caughtUp: boolean
  ended: boolean
}

/** What each subscription was told between "subscribed" and its end, which for the last ones is the end of the play. */
const sessionsOf = (frames: ReadonlyArray<Frame>) => {
  const open = new Map<string, Session>()
  const all: Array<Session> = []
  for (const { id = "", sequence = 0, subscriptions = [], type } of frames) {
    if (type === "subscribed") {
      const session = { id, from: sequence, told: [], caughtUp: false, ended: false }
      open.set(id, session)
      all.push(session)
    }
    if (type === "caught_up") {
      assert.isTrue(open.has(id), "nobody catches up who did not subscribe")
      open.get(id)!.caughtUp = true
    }
    if (type === "unsubscribed" && open.has(id)) {
      open.get(id)!.ended = true
      open.delete(id)
    }
    for (const subscription of subscriptions) {
      assert.isTrue(open.has(subscription), "nothing is told to who did not subscribe")
      open.get(subscription)!.told.push(sequence)
    }
  }
  return all
}

describe("a subscription", () => {
  it.effect(
    "loses nothing, doubles nothing and keeps the order, however replay, life and the reader interleave",
    () =>
      Effect.gen(function*() {
        let sessions = 0
        for (let seed = 0; seed < 1500; seed++) {
          const { frames, last } = yield* play(seed)
          for (const { caughtUp, ended, from, id, told } of sessionsOf(frames)) {
            sessions++
            const published = Array.from({ length: Math.max(0, last - from) }, (_, k) => from + 1 + k)
            const wanted = filterOf(id).npc ? published.filter(isNpc) : published
            assert.deepStrictEqual(told, ended ? wanted.slice(0, told.length) : wanted, `seed ${seed}`)
            assert.isTrue(ended || caughtUp, `seed ${seed}`)
          }
        }
        assert.isAbove(sessions, 5000)
      }),
    60_000
  )

  it.effect("ends at once when it is dropped in the middle of its replay", () =>
    Effect.gen(function*() {
      const { frames, publish, subscriber, tellAll } = stage(1)
      yield* Effect.repeat(publish, { times: 50 })
      yield* tellAll
      const receiving = yield* Effect.forkChild(subscriber.receive(`{"action":"subscribe","id":"x","after":0}`))
      while (!frames.some(({ type }) => type === "killmail")) yield* Effect.yieldNow
      subscriber.close()
      const told = frames.length
      yield* Fiber.join(receiving)
      yield* publish
      yield* tellAll
      assert.strictEqual(frames.length, told)
      assert.strictEqual(subscriber.subscriptionCount(), 0)
    }))
})
