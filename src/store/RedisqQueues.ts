/** The places of those who listen as RedisQ's clients do: one a queueID, kept for three hours after it last listened. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

/** Anybody may name a queue: there are so many at a time. */
const mostQueues = 10_000

export class RedisqQueues extends Context.Service<RedisqQueues, {
  /** The last sequence that the queue was handed. A new one begins now. None: there are too many queues. */
  readonly listen: (queueId: string) => Effect.Effect<Option.Option<number>, SqlError.SqlError>
  /** Moves the queue on; false when another listener has moved it meanwhile. */
  readonly advance: (queueId: string, from: number, to: number) => Effect.Effect<boolean, SqlError.SqlError>
}>()("killmaild/store/RedisqQueues") {
  static readonly layer = Layer.effect(
    RedisqQueues,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const listen = Effect.fn("RedisqQueues.listen")(function*(queueId: string) {
        const [known] = yield* sql<{ sequence: number }>`
          update redisq_queues
          set heard_at = clock_timestamp()
          where queue_id = ${queueId}
            and heard_at > clock_timestamp() - interval '3 hours'
          returning sequence::float8 as sequence`
        if (known !== undefined) return Option.some(known.sequence)
        yield* sql`delete from redisq_queues where heard_at <= clock_timestamp() - interval '3 hours'`
        const [begun] = yield* sql<{ sequence: number }>`
          insert into redisq_queues (queue_id, sequence)
          select ${queueId}, coalesce(max(sequence), 0)
          from killmail_ledger
          having (select count(*) from redisq_queues) < ${mostQueues}
          on conflict (queue_id) do update set heard_at = excluded.heard_at
          returning sequence::float8 as sequence`
        return Option.map(Option.fromNullishOr(begun), ({ sequence }) => sequence)
      })

      const advance = (queueId: string, from: number, to: number) =>
        Effect.map(
          sql`
            update redisq_queues
            set sequence = ${BigInt(to)}
            where queue_id = ${queueId} and sequence = ${BigInt(from)}
            returning queue_id`,
          (rows) => rows.length > 0
        )

      return RedisqQueues.of({ listen, advance })
    })
  )
}
