/** A client of GraphQL's subscriptions: `graphql-ws`, as its users have it, and waiting for what has not been told yet. */
import { Effect, type Scope } from "effect"
import { type Client, createClient } from "graphql-ws"
import { type ClientOptions, WebSocket } from "ws"
import { makeWaiting } from "./Waiting.ts"

export interface Heard {
  /** The data of each message. */
  readonly killmails: ReadonlyArray<Record<string, unknown>>
  /** Ends when so many are there; fails once the subscription has ended without. */
  readonly count: (wanted: number) => Effect.Effect<void, Error>
  /** How it ended: the errors that it was told, the code of the connection's end, or undefined. */
  readonly ended: Effect.Effect<unknown>
  readonly complete: () => void
}

export interface GraphqlClient {
  readonly client: Client
  /** The payload of the acknowledgement. */
  readonly acknowledged: Effect.Effect<unknown>
  readonly subscribe: (query: string, variables?: Record<string, unknown>) => Heard
  readonly socket: () => WebSocket
}

/** Connects at its first subscription; the connection ends with its scope. */
export const graphqlClient = (
  url: string,
  options: ClientOptions = {}
): Effect.Effect<GraphqlClient, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const acknowledgement = Promise.withResolvers<unknown>()
      const opened: Array<WebSocket> = []
      const client = createClient({
        url: `${url.replace("http", "ws")}/graphql`,
        retryAttempts: 0,
        webSocketImpl: class extends WebSocket {
          constructor(address: string, protocols: string) {
            super(address, protocols, options)
            opened.push(this)
          }
        },
        on: { connected: (_, payload) => acknowledgement.resolve(payload) }
      })
      return {
        client,
        acknowledged: Effect.promise(() => acknowledgement.promise),
        subscribe: (query: string, variables: Record<string, unknown> = {}) => hear(client, query, variables),
        socket: () => opened[0]!
      }
    }),
    ({ client }) => Effect.promise(async () => client.terminate())
  )

const hear = (client: Client, query: string, variables: Record<string, unknown>): Heard => {
  const killmails: Array<Record<string, unknown>> = []
  const { wake, when } = makeWaiting()
  let end: { readonly with: unknown } | undefined
  const finish = (how: unknown) => {
    end ??= { with: how }
    wake()
  }
  const complete = client.subscribe<Record<string, unknown>>({ query, variables }, {
    next: ({ data, errors }) => {
      if (errors !== undefined) finish(errors)
      if (data) killmails.push(Object.values(data)[0] as Record<string, unknown>)
      wake()
    },
    error: (error) => finish(typeof error === "object" && error !== null && "code" in error ? error.code : error),
    complete: () => finish(undefined)
  })
  return {
    killmails,
    complete,
    count: (wanted) =>
      when(() =>
        killmails.length >= wanted
          ? Effect.void
          : end !== undefined
          ? Effect.fail(new Error(`ended with ${JSON.stringify(end.with)} after ${killmails.length}`))
          : undefined
      ),
    ended: when(() => end === undefined ? undefined : Effect.succeed(end.with))
  }
}
