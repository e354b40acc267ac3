/**
 * Sends to a webhook's receiver, whose address somebody gave us: its name is resolved once, each address that comes of it has
 * to be public, and the connection goes to these and no other. Redirects are not followed, and no answer is read whole.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { lookup } from "node:dns/promises"
import * as http from "node:http"
import * as https from "node:https"
import { isIP, type LookupFunction } from "node:net"
import { Settings, userAgentFor } from "../Settings.ts"
import { isPublicAddress, placeOf } from "./WebhookUrl.ts"

/** No answer could be had; one sentence, without the address. */
export class WebhookUnreachable extends Schema.TaggedError<WebhookUnreachable>()("WebhookUnreachable", {
  message: Schema.String
}) {}

/** The name leads to where no webhook may lead. */
export class WebhookForbidden extends Schema.TaggedError<WebhookForbidden>()("WebhookForbidden", {
  message: Schema.String
}) {}

export interface WebhookAnswer {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  /** The beginning of it. */
  readonly text: string
}

/** From the name's resolution to what is read of the answer. */
const deadlineMillis = 10_000
/** What is said beyond that is not read. */
const mostBytes = 8192

/** All addresses of a name. */
export const Resolver = Context.Reference<(name: string) => Promise<ReadonlyArray<string>>>(
  "killmaild/webhooks/Resolver",
  { defaultValue: () => async (name) => (await lookup(name, { all: true })).map(({ address }) => address) }
)

export class WebhookClient extends Context.Service<WebhookClient, {
  /** Posts this JSON. */
  readonly post: (
    url: URL,
    headers: Readonly<Record<string, string>>,
    body: string
  ) => Effect.Effect<WebhookAnswer, WebhookUnreachable | WebhookForbidden>
}>()("killmaild/webhooks/WebhookClient") {
  static readonly layer = Layer.effect(
    WebhookClient,
    Effect.gen(function*() {
      const settings = yield* Settings
      const resolve = yield* Resolver

      const addressesOf = Effect.fnUntraced(function*(url: URL) {
        const name = url.hostname.replace(/^\[(.*)\]$/, "$1")
        const addresses = isIP(name) !== 0 ? [name] : yield* Effect.tryPromise({
          try: () => resolve(name),
          catch: () => new WebhookUnreachable({ message: `${name} has no address.` })
        })
        const isAllowed = settings.webhookAllow.includes(placeOf(url))
        const refused = isAllowed ? undefined : addresses.find((address) => !isPublicAddress(address))
        return refused === undefined
          ? addresses
          : yield* new WebhookForbidden({ message: `${name} leads to ${refused}, which is not public.` })
      })

      const post: WebhookClient["Service"]["post"] = (url, headers, body) =>
        Effect.gen(function*() {
          const addresses = yield* addressesOf(url)
          const userAgent = yield* Effect.mapError(
            userAgentFor(settings, url),
            ({ message }) => new WebhookUnreachable({ message })
          )
          const all = { ...headers, "user-agent": userAgent, "content-type": "application/json" }
          return yield* Effect.tryPromise({
            try: (signal) => exchange(url, addresses, all, body, signal),
            catch: (error) => new WebhookUnreachable({ message: `${url.host} cannot be reached: ${wordsOf(error)}.` })
          })
        }).pipe(Effect.timeoutOrElse({
          duration: deadlineMillis,
          orElse: () =>
            Effect.fail(
              new WebhookUnreachable({ message: `${url.host} did not answer within ${deadlineMillis / 1000} s.` })
            )
        }))

      return WebhookClient.of({ post })
    })
  )
}

/** Several addresses are tried one after another: what Node says of each is in `errors`. */
const wordsOf = (error: unknown): string => {
  const { code, errors, message } = error as NodeJS.ErrnoException & { readonly errors?: ReadonlyArray<Error> }
  return errors?.[0]?.message ?? (message === "" ? String(code) : message)
}

/** Resolves every name to these. */
const knowing = (addresses: ReadonlyArray<string>): LookupFunction => (_, { all }, callback) => {
  const found = addresses.map((address) => ({ address, family: isIP(address) }))
  const [first] = found
  if (first === undefined) callback(new Error("it has no address"), "")
  else if (all === true) callback(null, found)
  else callback(null, first.address, first.family)
}

/** Node's own client, as it leaves no trace of an address, which is a secret, and connects to exactly these. */
const exchange = (
  url: URL,
  addresses: ReadonlyArray<string>,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal
): Promise<WebhookAnswer> =>
  new Promise((resolve, reject) => {
    const { request } = url.protocol === "https:" ? https : http
    const asked = request(
      url,
      { method: "POST", headers, lookup: knowing(addresses), agent: false, signal },
      (response) => {
        const chunks: Array<Buffer> = []
        let size = 0
        const end = () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).subarray(0, mostBytes).toString("utf8")
          })
        response.on("data", (chunk: Buffer) => {
          chunks.push(chunk)
          size += chunk.length
          if (size < mostBytes) return
          end()
          response.destroy()
        })
        response.on("end", end)
        response.on("error", reject)
      }
    )
    asked.on("error", reject)
    asked.end(body)
  })
