/**
 * One client of `/ws` and its subscriptions, apart from the socket: what it is sent, in which order. Each subscription is
 * replayed from where the client left off up to the broadcaster's position, and then hears live; both happen in one
 * instant, so nothing is lost, doubled or reordered at the seam.
 */
import { Effect, Result } from "effect"
import type { SqlError } from "effect/sql"
import { type ClientMessage, readMessage } from "./ClientMessage.ts"
import type { Announcement, LiveKillmails } from "./LiveKillmails.ts"

export const maxSubscriptions = 100

export interface Subscriber {
  /** The first message of the connection; nothing is to be received before it was sent. */
  readonly welcome: Effect.Effect<void, SqlError.SqlError>
  /** Answers one message of the client; ends when a replay that it asked for has caught up. */
  readonly receive: (text: string) => Effect.Effect<void, SqlError.SqlError>
  readonly subscriptionCount: () => number
  readonly close: () => void
}

const messageOf = (ids: ReadonlyArray<string>, { json, sequence, type }: Announcement): string =>
  `{"type":"${type}","subscriptions":${JSON.stringify(ids)},"sequence":${sequence},"data":${json}}`

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
  /** Names the subscription that it is about, where there is one. */
  const sendError = (code: string, message: string, id?: string) => sendJson({ type: "error", code, message, id })
  const stopListening = live.listen((announcement) => {
    const { sequence, type } = announcement
    const ids = [...hearing].filter(([, position]) => type === "revalued" || sequence > position).map(([id]) => id)
    if (ids.length > 0) send(messageOf(ids, announcement))
  })

  /** Sends what was published after `from`, and hears live from the instant at which nothing is missing. */
  const catchUp = Effect.fnUntraced(function*(id: string, turn: symbol, from: number) {
    let position = from
    // No effect may come between the check that ends this and `hearing.set`: killmails are told in between. What the
    // replay brought before it was told to others is not told here again, as `hearing` keeps the position.
    while (position < live.position()) {
      const page = yield* live.replay(position)
      if (page.length === 0) break
      for (const announcement of page) {
        yield* drained
        if (replaying.get(id) !== turn) return
        send(messageOf([id], announcement))
        position = announcement.sequence
      }
    }
    if (replaying.get(id) !== turn) return
    replaying.delete(id)
    hearing.set(id, position)
    sendJson({ type: "caught_up", id })
  })

  const subscribe = Effect.fnUntraced(function*(id: string, after: number | undefined, epoch: string | undefined) {
    const turn = Symbol(id)
    replaying.set(id, turn)
    const start = after ?? live.position()
    const foreign = epoch !== undefined && epoch !== (yield* live.epoch)
    // Another replica may have told this client more than this one has told yet; the ledger knows what exists.
    const unknown = foreign || start > live.position() && start > (yield* live.lastSequence)
    if (replaying.get(id) !== turn) return
    if (unknown) {
      replaying.delete(id)
      const message = `Sequence ${start} is not of this epoch: subscribe without "after" and "epoch" and start anew.`
      return sendError("epoch", message, id)
    }
    sendJson({ type: "subscribed", id, sequence: start })
    yield* catchUp(id, turn, start)
  })

  const answer = (message: ClientMessage) => {
    switch (message.action) {
      case "ping":
        return Effect.sync(() => sendJson({ type: "pong" }))
      case "unsubscribe":
        return Effect.sync(() => {
          hearing.delete(message.id)
          replaying.delete(message.id)
          sendJson({ type: "unsubscribed", id: message.id })
        })
      case "subscribe": {
        const problem = problemWith(message)
        return problem === undefined
          ? subscribe(message.id, message.after, message.epoch)
          : Effect.sync(() => sendError(...problem, message.id))
      }
    }
  }

  const problemWith = (
    { filter = {}, id }: ClientMessage & { readonly action: "subscribe" }
  ): [code: string, message: string] | undefined => {
    const unknownFilter = Object.keys(filter)[0]
    if (unknownFilter !== undefined) return ["filter", `There is no filter ${JSON.stringify(unknownFilter)} yet.`]
    if (hearing.has(id) || replaying.has(id)) {
      return ["duplicate", `There is a subscription ${JSON.stringify(id)} on this connection already.`]
    }
    if (hearing.size + replaying.size >= maxSubscriptions) {
      return ["too_many", `A connection has at most ${maxSubscriptions} subscriptions.`]
    }
    return undefined
  }

  return {
    welcome: Effect.map(live.epoch, (epoch) => sendJson({ type: "welcome", epoch, sequence: live.position() })),
    receive: (text) =>
      Effect.suspend(() =>
        Result.match(readMessage(text), {
          onFailure: ({ code, message }) => Effect.sync(() => sendError(code, message)),
          onSuccess: answer
        })
      ),
    subscriptionCount: () => hearing.size + replaying.size,
    close: () => {
      stopListening()
      hearing.clear()
      replaying.clear()
    }
  }
}
