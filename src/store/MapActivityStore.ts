/** What pilots did on wormhole maps, as differences of the totals that were told last. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { activitySince, type KnownTotals, type MapActivity } from "../domain/MapActivity.ts"
import { pgColumn } from "./PgArray.ts"

/** The day on which EVE opened: of what had been done before the first look, nobody knows when it was. */
const longAgo = "2003-05-06"

export class MapActivityStore extends Context.Service<MapActivityStore, {
  /**
   * Notes what was done on this map since its totals were noted last; `pilots` are the characters of one pilot each. Returns
   * how many pilots did something.
   */
  readonly note: (
    map: string,
    totals: ReadonlyArray<MapActivity>,
    pilots: ReadonlyArray<ReadonlyArray<number>>
  ) => Effect.Effect<number, SqlError.SqlError>
}>()("killmaild/store/MapActivityStore") {
  static readonly layer = Layer.effect(
    MapActivityStore,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const knownTotals = (map: string) =>
        sql<KnownTotals>`
          select character_id::float8 as "characterId", passages, connections, signatures,
            extract(epoch from seen_at)::float8 as "seenAt"
          from map_activity_totals
          where map = ${map}`

      const columns = (rows: ReadonlyArray<MapActivity>) =>
        sql`unnest(
          ${pgColumn(rows, ({ characterId }) => characterId)}::bigint[],
          ${pgColumn(rows, ({ passages }) => passages)}::integer[],
          ${pgColumn(rows, ({ connections }) => connections)}::integer[],
          ${pgColumn(rows, ({ signatures }) => signatures)}::integer[],
          ${pgColumn(rows, ({ corporationId }) => corporationId)}::bigint[],
          ${pgColumn(rows, ({ allianceId }) => allianceId)}::bigint[]
        ) as told(character_id, passages, connections, signatures, corporation_id, alliance_id)`

      const note: MapActivityStore["Service"]["note"] = Effect.fn("MapActivityStore.note")(
        function*(map, totals, pilots) {
          yield* sql`select pg_advisory_xact_lock(hashtext('killmaild:map-activity'))`
          const known = yield* knownTotals(map)
          const done = activitySince(known, totals, pilots)
          yield* sql`
            insert into map_activities (character_id, timestamp, passages, connections, signatures, corporation_id,
              alliance_id)
            select character_id, case when ${known.length === 0} then ${longAgo}::date::timestamptz else now() end,
              passages, connections, signatures, corporation_id, alliance_id
            from ${columns(done)}
            on conflict (character_id, timestamp) do update
            set passages = map_activities.passages + excluded.passages,
              connections = map_activities.connections + excluded.connections,
              signatures = map_activities.signatures + excluded.signatures`
          yield* sql`
            insert into map_activity_totals (map, character_id, passages, connections, signatures, seen_at)
            select ${map}, character_id, passages, connections, signatures, now()
            from ${columns(totals)}
            on conflict (map, character_id) do update
            set passages = excluded.passages, connections = excluded.connections, signatures = excluded.signatures,
              seen_at = excluded.seen_at`
          return done.length
        },
        (transaction) => sql.withTransaction(transaction)
      )

      return MapActivityStore.of({ note })
    })
  )
}
