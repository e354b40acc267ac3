/**
 * EVE Ref's market history (docs.everef.net/datasets/market-history): one file a day with the day's averages of all regions.
 * A file grows for a day after it appeared, and for as long as 450 days when sales are found late.
 */
import { Context, Effect, Layer } from "effect"
import type { Day } from "../domain/Market.ts"
import { type Dataset, EveRefClient } from "../upstreams/EveRefClient.ts"
import type { File, UpstreamError } from "../upstreams/PoliteClient.ts"

const marketHistory: Dataset = { folder: "market-history", name: (day) => `market-history-${day}.csv.bz2` }

export class EveRef extends Context.Service<EveRef, {
  /** The days of these years that have a file, each with a mark that changes when its file does. */
  readonly listing: (years: ReadonlyArray<string>) => Effect.Effect<ReadonlyMap<Day, string>, UpstreamError>
  /** The day's file; `unchanged` when it is the one with this ETag, `absent` when there is none. */
  readonly dayFile: (day: Day, etag: string | null) => Effect.Effect<File | "unchanged" | "absent", UpstreamError>
}>()("killmaild/prices/EveRef") {
  static readonly layer = Layer.effect(
    EveRef,
    Effect.gen(function*() {
      const client = yield* EveRefClient
      return EveRef.of({
        listing: (years) =>
          Effect.map(
            client.listing(marketHistory, years),
            (listed) => new Map([...listed].map(([day, { mark }]) => [day, mark]))
          ),
        dayFile: (day, etag) => client.dayFile(marketHistory, day, etag)
      })
    })
  ).pipe(Layer.provide(EveRefClient.layer))
}
