/** One client of `/ws`, apart from the socket: what it may say, and what it is answered. */
import { Effect, Result } from "effect"
import type { SqlError } from "effect/sql"
import { type Filter, readFilter } from "../domain/Filter.ts"
import { type ClientMessage, readMessage } from "./ClientMessage.ts"
import type { Announcement, LiveKillmails } from "./LiveKillmails.ts"
import * as Subscriptions from "./Subscriptions.ts"

export const maxSubscriptions = 100

export interface Subscriber {
  /** The first message of the connection; nothing is to be received before it was sent. */
  readonly welcome: Effect.Effect<void, SqlError.SqlError>
  /** Answers one message of the client; ends when a replay that it asked for has caught up. */
  readonly receive: (text: string) => Effect.Effect<void, SqlError.SqlError>
  readonly subscriptionCount: () => number
  readonly close: () => void
}

/** The way to the client. */
export interface Wire {
  readonly send: (message: string) => void
  /** One message in UTF-8, the same for all who are told the same; it must not be changed. */
  readonly sendShared: (message: Buffer) => void
  /** Ends when there is room again, so that a replay goes as fast as its reader. */
  readonly drained: Effect.Effect<void>
}

/** By the subscriptions that they name. Most clients have one, and many call it the same. */
const encoded = new WeakMap<Announcement, Map<string, Buffer>>()

const messageOf = (ids: ReadonlyArray<string>, announcement: Announcement): Buffer => {
  const subscriptions = JSON.stringify(ids)
  let messages = encoded.get(announcement)
  if (messages === undefined) encoded.set(announcement, messages = new Map())
  let message = messages.get(subscriptions)
  if (message === undefined) {
    const { json, sequence, type } = announcement
    message = Buffer.from(
      `{"type":"${type}","subscriptions":${subscriptions},"sequence":${sequence},"data":${json}}`
    )
    messages.set(subscriptions, message)
  }
  return message
}

export const make = (live: LiveKillmails["Service"], { drained, send, sendShared }: Wire): Subscriber => {
  const sendJson = (message: object) => send(JSON.stringify(message))
  /** Names the subscription that it is about, where there is one. */
  const sendError = (code: string, message: string, id?: string) => sendJson({ type: "error", code, message, id })

  const subscriptions = Subscriptions.make(live, {
    begun: (id, sequence) => sendJson({ type: "subscribed", id, sequence }),
    told: (ids, announcement) => sendShared(messageOf(ids, announcement)),
    caughtUp: (id) => sendJson({ type: "caught_up", id }),
    foreign: (id, sequence) =>
      sendError(
        "epoch",
        `Sequence ${sequence} is not of this epoch: subscribe without "after" and "epoch" and start anew.`,
        id
      ),
    drained
  })

  const answer = (message: ClientMessage) => {
    switch (message.action) {
      case "ping":
        return Effect.sync(() => sendJson({ type: "pong" }))
      case "unsubscribe":
        return Effect.sync(() => {
          subscriptions.end(message.id)
          sendJson({ type: "unsubscribed", id: message.id })
        })
      case "subscribe": {
        const { after, epoch, id } = message
        return Result.match(filterOf(message), {
          onFailure: (problem) => Effect.sync(() => sendError(...problem, id)),
          onSuccess: (filter) => subscriptions.begin(id, { filter, after, epoch })
        })
      }
    }
  }

  /** What is wanted, or why it cannot be had. */
  const filterOf = (
    { filter, id }: ClientMessage & { readonly action: "subscribe" }
  ): Result.Result<Filter, [code: string, message: string]> => {
    if (subscriptions.has(id)) {
      return Result.fail(["duplicate", `There is a subscription ${JSON.stringify(id)} on this connection already.`])
    }
    if (subscriptions.count() >= maxSubscriptions) {
      return Result.fail(["too_many", `A connection has at most ${maxSubscriptions} subscriptions.`])
    }
    return Result.mapError(readFilter(filter ?? {}), (problem) => ["filter", problem])
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
    subscriptionCount: subscriptions.count,
    close: subscriptions.close
  }
}
