/**
 * RedisQ: a long poll that hands each queueID every killmail once, in any order. zKillboard's own closed on 2026-05-31;
 * this reads compatible servers and replays. The server keeps the place, so there is no cursor of ours.
 */
import { Effect, Option, Schema } from "effect"
import { createHash } from "node:crypto"
import { Id, KillmailHash } from "../domain/Killmail.ts"
import type { Heard } from "../intake/Hearing.ts"
import { Settings } from "../Settings.ts"
import { RateLimits } from "../store/RateLimits.ts"
import { countFeedRequest } from "../telemetry/Metrics.ts"
import { type Actor, type Source, timeOf } from "./Feed.ts"
import { ask, type Budget, FeedUnavailable } from "./Upstream.ts"

const name = "redisq"

/** Seconds that the server may hold a request open: the most it allows. */
const timeToWait = 10
/** Milliseconds for one long poll, its redirect included. */
const deadlineMillis = timeToWait * 1000 + 15_000
/** Two requests a second and address; a redirect is one more request of the same poll, so one poll a second. */
const budget: Budget = { bucket: name, limit: 1, windowMillis: 1000 }
/** Milliseconds without a request after 429, which another client with our queueID can cause. */
const refusedMillis = 10_000

const Zkb = Schema.Struct({ hash: KillmailHash })
const Full = Schema.Struct({
  killID: Id,
  killmail: Schema.optionalKey(Schema.Unknown),
  zkb: Schema.Unknown.pipe(Schema.refine((zkb): zkb is typeof Zkb.Type => Schema.is(Zkb)(zkb)))
})
/** The form of some clones, with or without the wrapping. */
const Flat = Schema.Struct({ killID: Id, hash: KillmailHash })
/** Until 2025-11 with the body, since then without; `null` when nothing came within the wait. */
const Wrapped = Schema.Struct({ package: Schema.NullOr(Schema.Union([Full, Flat])) })
const decode = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Union([Wrapped, Flat])))

/** What one answer says: a killmail, nothing within the wait, or nothing that can be read. */
export const readPackage = (text: string): Option.Option<Heard | null> =>
  Option.map(decode(text), (answer): Heard | null => {
    const named = "package" in answer ? answer.package : answer
    if (named === null) return null
    if ("hash" in named) return { killmail_id: named.killID, hash: named.hash }
    const { killID, killmail, zkb } = named
    return {
      killmail_id: killID,
      hash: zkb.hash,
      zkb,
      ...(killmail === undefined ? {} : { body: killmail }),
      publishedAt: timeOf(killmail)
    }
  })

const listen = Effect.fnUntraced(function*(actor: Actor) {
  const settings = yield* Settings
  const limits = yield* RateLimits
  const url = new URL(Option.getOrThrow(settings.redisqUrl))
  url.searchParams.set("queueID", settings.redisqId)
  url.searchParams.set("ttw", String(timeToWait))
  for (;;) {
    const answer = yield* ask(budget, url, deadlineMillis)
    if (answer.status === 429 || answer.status === 403) {
      yield* countFeedRequest(name, "refused")
      const millis = answer.retryAfter ?? refusedMillis
      yield* limits.pause({ bucket: name, millis, reason: `RedisQ answered ${answer.status}` })
      continue
    }
    if (answer.status !== 200) {
      yield* countFeedRequest(name, "error")
      return yield* new FeedUnavailable({ message: `RedisQ answered ${answer.status}.` })
    }
    const heard = readPackage(answer.text)
    if (Option.isNone(heard) && !/^\s*\{/.test(answer.text)) {
      yield* countFeedRequest(name, "error")
      return yield* new FeedUnavailable({ message: "RedisQ answered something that is no JSON." })
    }
    if (Option.isNone(heard)) {
      yield* countFeedRequest(name, "error")
      const digest = createHash("sha1").update(answer.text).digest("hex").slice(0, 16)
      const text = answer.text.slice(0, 65_536)
      const entry = { key: `${name}:${digest}`, text }
      yield* actor.skip({ reason: "undecodable", error: "a package cannot be read", entry })
    } else if (heard.value === null) {
      yield* countFeedRequest(name, "empty")
      yield* actor.healthy
    } else {
      yield* countFeedRequest(name, "ok")
      yield* actor.hear([heard.value])
    }
  }
})

export const source: Source<Effect.Services<ReturnType<typeof listen>>> = { name, listen }
