/**
 * EVE Ref (data.everef.net), whose datasets share one layout: a file a day, the days' counts in `totals.json`, and a list of
 * each year's files in its `index.json`. Files are edited in place when something is found late.
 */
import { Clock, Context, Effect, Layer, Option, Schema } from "effect"
import type { Day } from "../domain/Market.ts"
import { Settings } from "../Settings.ts"
import { countsByDay, Totals } from "./DayCounts.ts"
import { type File, makePoliteClient, presentOr, readEtag, type UpstreamError } from "./PoliteClient.ts"

/** A kind of files: `{folder}/{year}/{name(day)}`. */
export interface Dataset {
  readonly folder: string
  readonly name: (day: Day) => string
}

/** What a list says of a day's file. */
export interface Listed {
  /** Changes when the file does. */
  readonly mark: string
  /** Records in it, where that is told. */
  readonly count: number | undefined
}

/** Two requests a second: at full speed Cloudflare, in front of it, refuses after about 55 (observed in October 2026). */
const budget = { bucket: "everef", limit: 2, windowMillis: 1000 }
/** Until an answer was read whole: a few megabytes at most. */
const deadlineMillis = 60_000

const Index = Schema.fromJsonString(Schema.Struct({
  files: Schema.Array(Schema.Struct({ name: Schema.String, etag: Schema.optionalKey(Schema.NullOr(Schema.String)) }))
}))

export class EveRefClient extends Context.Service<EveRefClient, {
  /** The days of these years that have a file. */
  readonly listing: (
    dataset: Dataset,
    years: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyMap<Day, Listed>, UpstreamError>
  /** The day's file; `unchanged` when it is the one with this ETag, `absent` when there is none. */
  readonly dayFile: (
    dataset: Dataset,
    day: Day,
    etag: string | null
  ) => Effect.Effect<File | "unchanged" | "absent", UpstreamError>
}>()("killmaild/upstreams/EveRefClient") {
  static readonly layer = Layer.effect(
    EveRefClient,
    Effect.gen(function*() {
      const { everefUrl } = yield* Settings
      const client = yield* makePoliteClient({ name: "EVE Ref", base: everefUrl, budget, deadlineMillis })

      const listing: EveRefClient["Service"]["listing"] = Effect.fn("EveRefClient.listing")(function*(dataset, years) {
        const { folder } = dataset
        const counts = yield* client.json(`/${folder}/totals.json`, Totals)
        const totals = [...countsByDay(Object.entries(Option.getOrElse(counts, () => ({}))))]
        const listed = new Map<Day, Listed>()
        const thisYear = String(new Date(yield* Clock.currentTimeMillis).getUTCFullYear())
        for (const year of years) {
          const counted = totals.filter(([day]) => day.startsWith(year))
          for (const [day, count] of counted) if (count > 0) listed.set(day, { mark: `${count} records`, count })
          // What was archived before EVE Ref began to count is in the list of its year.
          const isWhole = counted.length >= (year === thisYear ? 1 : 365)
          const index = isWhole ? Option.none() : yield* client.json(`/${folder}/${year}/index.json`, Index)
          for (const { etag, name } of Option.isSome(index) ? index.value.files : []) {
            const day = /\d{4}-\d\d-\d\d/.exec(name)?.[0]
            if (day === undefined || name !== dataset.name(day) || listed.has(day)) continue
            listed.set(day, { mark: `etag ${readEtag(etag ?? undefined)}`, count: undefined })
          }
        }
        if (listed.size === 0) yield* presentOr(`EVE Ref has no /${folder}/totals.json.`)(counts)
        return listed
      })

      const dayFile: EveRefClient["Service"]["dayFile"] = ({ folder, name }, day, etag) =>
        client.file(`/${folder}/${day.slice(0, 4)}/${name(day)}`, etag)

      return EveRefClient.of({ listing, dayFile })
    })
  )
}
