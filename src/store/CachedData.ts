/** Response texts kept until they expire, for all replicas. What has expired is invisible; `clean_up` removes it. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

export class CachedData extends Context.Service<CachedData, {
  readonly get: (key: string) => Effect.Effect<Option.Option<string>, SqlError.SqlError>
  /** Replaces what the key held. Kept as UTF-8: any text comes back as it was, but a lone surrogate as U+FFFD. */
  readonly put: (
    entry: { readonly key: string; readonly text: string; readonly millis: number }
  ) => Effect.Effect<void, SqlError.SqlError>
  readonly expire: (key: string) => Effect.Effect<void, SqlError.SqlError>
}>()("killmaild/store/CachedData") {
  static readonly layer = Layer.effect(
    CachedData,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const encoder = new TextEncoder()
      // A byte order mark belongs to the text.
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

      const get: CachedData["Service"]["get"] = (key) =>
        sql<{ data: Uint8Array }>`
          select data from cached_data where cache_key = ${key} and expires_at > clock_timestamp()
        `.pipe(Effect.map(([row]) => Option.map(Option.fromNullishOr(row), ({ data }) => decoder.decode(data))))

      const put: CachedData["Service"]["put"] = ({ key, text, millis }) =>
        sql`
          insert into cached_data (cache_key, data, expires_at)
          values (${key}, ${encoder.encode(text)}, clock_timestamp() + ${millis}::float8 * interval '1 ms')
          on conflict (cache_key) do update
          set data = excluded.data, expires_at = excluded.expires_at
        `.pipe(Effect.asVoid)

      const expire: CachedData["Service"]["expire"] = (key) =>
        sql`delete from cached_data where cache_key = ${key}`.pipe(Effect.asVoid)

      return CachedData.of({ get, put, expire })
    })
  )
}
