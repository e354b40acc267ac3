/**
 * Where webhooks lead: channels of Discord and Slack, and receivers of signed JSON. Each keeps what it was sent, and judges it
 * by what the true one would accept. https://discord.com/developers/docs/resources/webhook,
 * https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, https://github.com/standard-webhooks/standard-webhooks
 */
import type { Judge } from "./Judge.ts"
import { drawOf } from "./Random.ts"
import { type Answer, type Ask, json, secondsHeader, type Upstream } from "./Upstream.ts"

type Kind = "discord" | "slack" | "receiver"

/** Something that was taken. */
export interface Message {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly headers: Ask["headers"]
  readonly body: string
}

export interface Inboxes {
  readonly upstreams: ReadonlyArray<Upstream>
  /** Another one; its path under the sandbox's address. */
  readonly make: (kind: Kind) => string
  readonly received: (path: string) => ReadonlyArray<Message>
  /** What each was sent, by its path. */
  readonly all: () => Readonly<Record<string, ReadonlyArray<Message>>>
  /** Its owner takes it away. */
  readonly remove: (path: string) => void
}

interface Inbox {
  readonly kind: Kind
  readonly messages: Array<Message>
  /** When each message of the present window came. */
  recent: Array<number>
}

/** Messages of one inbox in so many milliseconds. Discord's own numbers vary; these are what its headers mostly say. */
const rates: Readonly<Record<Kind, { readonly limit: number; readonly windowMillis: number }>> = {
  discord: { limit: 5, windowMillis: 2000 },
  slack: { limit: 4, windowMillis: 3000 },
  receiver: { limit: 200, windowMillis: 1000 }
}
const mostMessages = 10_000

export const inboxes = (judge: Judge, seed: string, speed: number): Inboxes => {
  const byPath = new Map<string, Inbox>()

  const make: Inboxes["make"] = (kind) => {
    const [id, token] = [drawOf(seed, kind, byPath.size, "id"), drawOf(seed, kind, byPath.size, "token")]
      .map((draw) => String(Math.floor(draw * 1e15)).padStart(15, "7"))
    const path = {
      discord: `/discord/api/webhooks/${id}/token-${token}`,
      slack: `/slack/services/T${id}/B${id}/token-${token}`,
      receiver: `/receiver/${id}/token-${token}`
    }[kind]
    byPath.set(path, { kind, messages: [], recent: [] })
    return path
  }

  const take = (inbox: Inbox, ask: Ask): Answer => {
    const { limit, windowMillis } = rates[inbox.kind]
    const millis = windowMillis / speed
    inbox.recent = inbox.recent.filter((at) => at > ask.at - millis)
    const resetMillis = (inbox.recent[0] ?? ask.at) + millis - ask.at
    if (inbox.recent.length >= limit) {
      judge.accuse(ask, "budget", `more than ${limit} messages within ${millis} ms`)
      return tooMany[inbox.kind](resetMillis, speed)
    }
    inbox.recent.push(ask.at)
    const wrong = check[inbox.kind](ask)
    if (wrong !== undefined) {
      judge.accuse(ask, "protocol", wrong)
      return refusal[inbox.kind](wrong)
    }
    if (inbox.messages.length < mostMessages) {
      inbox.messages.push({ at: ask.at, headers: ask.headers, body: ask.body })
    }
    return accepted[inbox.kind](ask, limit - inbox.recent.length, resetMillis)
  }

  const upstream = (kind: Kind): Upstream => ({
    name: kind,
    scopeOf: (path) => `/${kind}${path}`,
    takesPost: () => true,
    answer: (ask) => {
      const inbox = byPath.get(`/${kind}${ask.path}`)
      return inbox === undefined ? unknown[kind] : take(inbox, ask)
    }
  })

  return {
    upstreams: [upstream("discord"), upstream("slack"), upstream("receiver")],
    make,
    received: (path) => byPath.get(path)?.messages ?? [],
    all: () => Object.fromEntries([...byPath].map(([path, { messages }]) => [path, messages])),
    remove: (path) => void byPath.delete(path)
  }
}

const text = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  headers: { "content-type": "text/plain", ...headers },
  body
})

const unknown: Readonly<Record<Kind, Answer>> = {
  discord: json(404, { message: "Unknown Webhook", code: 10_015 }),
  slack: text(404, "no_service"),
  receiver: text(410, "gone")
}

const refusal: Readonly<Record<Kind, (wrong: string) => Answer>> = {
  discord: (wrong) =>
    json(400, { message: "Invalid Form Body", code: 50_035, errors: { _errors: [{ message: wrong }] } }),
  slack: () => text(400, "invalid_blocks"),
  receiver: (wrong) => text(400, wrong)
}

const tooMany: Readonly<Record<Kind, (millis: number, speed: number) => Answer>> = {
  discord: (millis) =>
    json(429, { message: "You are being rate limited.", retry_after: millis / 1000, global: false }, {
      "x-ratelimit-scope": "user",
      "retry-after": String(Math.ceil(millis / 1000))
    }),
  slack: (millis, speed) => text(429, "rate_limited", { "retry-after": secondsHeader(millis, speed) }),
  receiver: (millis, speed) => text(429, "", { "retry-after": secondsHeader(millis, speed) })
}

const accepted: Readonly<Record<Kind, (ask: Ask, left: number, resetMillis: number) => Answer>> = {
  discord: ({ at, query }, left, resetMillis) => {
    const headers = {
      "x-ratelimit-limit": String(rates.discord.limit),
      "x-ratelimit-remaining": String(left),
      "x-ratelimit-reset": String((at + resetMillis) / 1000),
      "x-ratelimit-reset-after": String(resetMillis / 1000),
      "x-ratelimit-bucket": "webhook"
    }
    return query.get("wait") === "true" ? json(200, { id: String(at), type: 0 }, headers) : { status: 204, headers }
  },
  slack: () => text(200, "ok"),
  receiver: () => ({ status: 204 })
}

type Json = Readonly<Record<string, unknown>>

const objectIn = (body: string): Json | undefined => {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Json : undefined
  } catch {
    return undefined
  }
}

const listIn = (value: unknown): ReadonlyArray<Json> => Array.isArray(value) ? value : []
const lengthOf = (value: unknown): number => typeof value === "string" ? value.trim().length : 0
const isWeb = (value: unknown): boolean =>
  value === undefined || typeof value === "string" && /^https?:$/.test(URL.parse(value)?.protocol ?? "")

/** What is wrong with a message, if anything is. */
const check: Readonly<Record<Kind, (ask: Ask) => string | undefined>> = {
  discord: ({ body }) => {
    const message = objectIn(body)
    if (message === undefined) return "the body is no JSON object"
    const embeds = listIn(message["embeds"])
    if (lengthOf(message["content"]) === 0 && embeds.length === 0) return "an empty message cannot be sent"
    if (lengthOf(message["content"]) > 2000) return "content: more than 2000 characters"
    if (embeds.length > 10) return "embeds: more than 10"
    if (listIn((message["allowed_mentions"] as Json | undefined)?.["parse"] ?? [{}]).length > 0) {
      return "allowed_mentions: a pilot's name could call everyone"
    }
    return embeds.map(wrongInEmbed).find((wrong) => wrong !== undefined) ??
      (sum(embeds.map(sizeOf)) > 6000 ? "embeds: more than 6000 characters" : undefined)
  },
  slack: ({ body }) => {
    const message = objectIn(body)
    if (message === undefined) return "invalid_payload"
    if (lengthOf(message["text"]) === 0) return "no_text"
    const blocks = listIn(message["blocks"])
    if (blocks.length > 50) return "more than 50 blocks"
    const texts = blocks.flatMap(({ elements, text }) => [text, ...listIn(elements)]).filter((part) =>
      part !== undefined
    )
    return texts.some((part) => lengthOf((part as Json)["text"]) > 3000)
      ? "a text of more than 3000 characters"
      : undefined
  },
  receiver: ({ at, body, headers }) => {
    const seconds = Number(headers["webhook-timestamp"])
    if (!/^[\w-]{1,100}$/.test(String(headers["webhook-id"]))) return "webhook-id: is missing"
    if (!(Math.abs(at / 1000 - seconds) < 300)) return "webhook-timestamp: is not of now"
    if (!/^v1,[A-Za-z0-9+/]{43}=$/.test(String(headers["webhook-signature"]))) return "webhook-signature: is missing"
    return objectIn(body) === undefined ? "the body is no JSON object" : undefined
  }
}

const sum = (sizes: ReadonlyArray<number>): number => sizes.reduce((all, size) => all + size, 0)

const sizeOf = ({ author, description, fields, footer, title }: Json): number =>
  sum([
    lengthOf(title),
    lengthOf(description),
    lengthOf((author as Json | undefined)?.["name"]),
    lengthOf((footer as Json | undefined)?.["text"]),
    ...listIn(fields).flatMap(({ name, value }) => [lengthOf(name), lengthOf(value)])
  ])

const wrongInEmbed = (embed: Json): string | undefined => {
  const fields = listIn(embed["fields"])
  const author = embed["author"] as Json | undefined
  const footer = embed["footer"] as Json | undefined
  if (lengthOf(embed["title"]) > 256) return "title: more than 256 characters"
  if (lengthOf(embed["description"]) > 4096) return "description: more than 4096 characters"
  if (lengthOf(author?.["name"]) > 256) return "author.name: more than 256 characters"
  if (lengthOf(footer?.["text"]) > 2048) return "footer.text: more than 2048 characters"
  if (fields.length > 25) return "fields: more than 25"
  if (fields.some(({ name, value }) => lengthOf(name) === 0 || lengthOf(value) === 0)) return "fields: one is empty"
  if (fields.some(({ name, value }) => lengthOf(name) > 256 || lengthOf(value) > 1024)) return "fields: one is too long"
  const { color, timestamp, url } = embed
  const images = [(embed["thumbnail"] as Json | undefined)?.["url"], author?.["icon_url"]]
  if (![url, ...images].every(isWeb)) return "a URL is none"
  if (color !== undefined && !(Number.isInteger(color) && Number(color) >= 0 && Number(color) <= 0xffffff)) {
    return "color: is none"
  }
  return timestamp === undefined || !Number.isNaN(Date.parse(String(timestamp))) ? undefined : "timestamp: is none"
}
