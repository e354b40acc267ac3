/**
 * EVE-KILL's API: a feed that can be read from any place of the last year on, with bodies, and for each day the ids and hashes
 * of its killmails. Protocol of 2026: the paths are the same on its older host.
 */
import { Context, Effect, Layer, Option, Schema } from "effect"
import type { Day } from "../domain/Market.ts"
import { Settings } from "../Settings.ts"
import { Count, countsByDay } from "./DayCounts.ts"
import { bodiesOfDay } from "./EveKillDay.ts"
import { FeedPage, type Poll } from "./EveKillFeed.ts"
import { makePoliteClient, presentOr, type UpstreamError } from "./PoliteClient.ts"

/** 600 requests a minute are allowed; half of that, as other programs may share our address. */
const budget = { bucket: "evekill", limit: 5, windowMillis: 1000 }
/** A thousand killmails are some megabytes. */
const deadlineMillis = 30_000

const Totals = Schema.fromJsonString(Schema.Struct({
  data: Schema.Array(Schema.Struct({ date: Schema.String, count: Count }))
}))
const Hashes = Schema.fromJsonString(Schema.Struct({ data: Schema.Record(Schema.String, Schema.String) }))

export class EveKill extends Context.Service<EveKill, {
  /** What came after this number; nothing but `latest` after 0, all there is after 1. `limit` is at most 1,000. */
  readonly poll: Poll
  /** How many killmails each day has. */
  readonly totals: Effect.Effect<ReadonlyMap<Day, number>, UpstreamError>
  /** The hashes of a day's killmails, by id; empty for a day that it does not know. */
  readonly hashes: (day: Day) => Effect.Effect<Readonly<Record<string, string>>, UpstreamError>
  /** Bodies of a day's killmails, as far as the feed has them: `{"137259365": {…}, …}` as JSON. */
  readonly bodies: (day: Day) => Effect.Effect<Option.Option<Buffer>, UpstreamError>
}>()("killmaild/upstreams/EveKill") {
  static readonly layer = Layer.effect(
    EveKill,
    Effect.gen(function*() {
      const { evekillUrl } = yield* Settings
      const client = yield* makePoliteClient({ name: "EVE-KILL", base: evekillUrl, budget, deadlineMillis })

      const poll: Poll = Effect.fnUntraced(function*(after, limit) {
        const page = yield* client.json(`/feed/poll?after=${after}&limit=${limit}`, FeedPage)
        return yield* presentOr("EVE-KILL has no /feed/poll.")(page)
      })

      const totals = client.json("/history", Totals).pipe(
        Effect.flatMap(presentOr("EVE-KILL has no /history.")),
        Effect.map(({ data }) => countsByDay(data.map(({ count, date }) => [date, count])))
      )

      const hashes: EveKill["Service"]["hashes"] = (day) =>
        Effect.map(client.json(`/history/${day}`, Hashes), (answer) => Option.isSome(answer) ? answer.value.data : {})

      const bodies: EveKill["Service"]["bodies"] = (day) => Effect.map(bodiesOfDay(poll, day), Option.fromUndefinedOr)

      return EveKill.of({ poll, totals, hashes, bodies })
    })
  )
}
