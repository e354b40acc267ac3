/**
 * One client of `/ws` and its subscriptions, apart from the socket: what it is sent, in which order. Each subscription is
 * replayed from where the client left off up to the broadcaster's position, and then hears live; both happen in one
 * instant, so nothing is lost, doubled or reordered at the seam.
 */
import { Effect, Option, Schema } from "effect"
import type { SqlError } from "effect/sql"
import type { Announcement, LiveKillmails } from "./LiveKillmails.ts"

/** What a client may send; the wire format of README's "Listen". */
const ClientMessage = Schema.Union([
  Schema.Struct({
    action: Schema.Literal("subscribe"),
    id: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(100)),
    // Filters are refused by name until they exist, rather than ignored.
    filter: Schema.optionalKey(Schema.Record(Schema.String, Schema.Unknown)),
    after: Schema.optionalKey(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))),
    epoch: Schema.optionalKey(Schema.String)
  }),
  Schema.Struct({ action: Schema.Literal("unsubscribe"), id: Schema.String }),
  Schema.Struct({ action: Schema.Literal("ping") })
])
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(ClientMessage))

export const maxSubscriptions = 100

export interface Subscriber {
  /** The first message of the connection. */
  readonly welcome: Effect.Effect<void, SqlError.SqlError>
  /** Answers one message of the client; ends when a replay that it asked for has caught up. */
  readonly receive: (text: string) => Effect.Effect<void, SqlError.SqlError>
  readonly subscriptionCount: () => number
  readonly close: () => void
}

const killmailMessage = (ids: ReadonlyArray<string>, { json, sequence }: Announcement): string =>
  `{"type":"killmail","subscriptions":${JSON.stringify(ids)},"sequence":${sequence},"data":${json}}`

/**
 * `send` takes one message; `drained` ends when the socket has room again, so that a replay goes as fast as its reader.
 */
export const make = (
  live: LiveKillmails["Service"],
  send: (message: string) => void,
  drained: Effect.Effect<void>
): Subscriber => {
  /** Those that hear live, each with the sequence it has, and those still replaying; unsubscribing ends either. */
  const hearing = new Map<string, number>()
  const replaying = new Map<string, symbol>()

  const sendJson = (message: object) => send(JSON.stringify(message))
  const sendError = (code: string, message: string) => sendJson({ type: "error", code, message })
  const stopListening = live.listen((announcement) => {
    const ids = [...hearing].filter(([, position]) => announcement.sequence > position).map(([id]) => id)
    if (ids.length > 0) send(killmailMessage(ids, announcement))
  })

  const subscribe = Effect.fnUntraced(function*(id: string, after: number | undefined, epoch: string | undefined) {
    const turn = Symbol(id)
    replaying.set(id, turn)
    let position = after ?? live.position()
    const foreign = epoch !== undefined && epoch !== (yield* live.epoch)
    // Another replica may have told this client more than this one has told yet; the ledger knows what exists.
    if (foreign || position > live.position() && position > (yield* live.lastSequence)) {
      replaying.delete(id)
      return sendError("epoch", `Sequence ${position} is not of this epoch: subscribe without "after" and start anew.`)
    }
    sendJson({ type: "subscribed", id, sequence: position })
    while (position < live.position()) {
      const page = yield* live.replay(position)
      for (const announcement of page) {
        if (replaying.get(id) !== turn) return
        // What came in while the page was read is told live to nobody yet: this subscription takes it from the replay.
        if (announcement.sequence > live.position()) break
        send(killmailMessage([id], announcement))
        position = announcement.sequence
      }
      if (page.length === 0) break
      yield* drained
    }
    if (replaying.get(id) !== turn) return
    replaying.delete(id)
    hearing.set(id, position)
    sendJson({ type: "caught_up", id })
  })

  const receive = Effect.fnUntraced(function*(text: string) {
    const decoded = decode(text)
    if (Option.isNone(decoded)) {
      return sendError(
        "bad_message",
        "Wants {\"action\":\"subscribe\",\"id\":\"…\"}, \"unsubscribe\" or \"ping\", as JSON."
      )
    }
    const message = decoded.value
    switch (message.action) {
      case "ping":
        return sendJson({ type: "pong" })
      case "unsubscribe":
        hearing.delete(message.id)
        replaying.delete(message.id)
        return sendJson({ type: "unsubscribed", id: message.id })
      case "subscribe": {
        const unknownFilter = Object.keys(message.filter ?? {})[0]
        if (unknownFilter !== undefined) return sendError("filter", `There is no filter "${unknownFilter}" yet.`)
        if (hearing.has(message.id) || replaying.has(message.id)) {
          return sendError("duplicate", `There is a subscription "${message.id}" on this connection already.`)
        }
        if (hearing.size + replaying.size >= maxSubscriptions) {
          return sendError("too_many", `A connection has at most ${maxSubscriptions} subscriptions.`)
        }
        return yield* subscribe(message.id, message.after, message.epoch)
      }
    }
  })

  return {
    welcome: Effect.map(live.epoch, (epoch) => sendJson({ type: "welcome", epoch, sequence: live.position() })),
    receive,
    subscriptionCount: () => hearing.size + replaying.size,
    close: () => {
      stopListening()
      hearing.clear()
      replaying.clear()
    }
  }
}
