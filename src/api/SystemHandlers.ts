/** What answers for feeds and jobs. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { JobQueue } from "../jobs/JobQueue.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { Api } from "./Api.ts"
import { unavailable } from "./Unavailable.ts"

export const SystemHandlers = HttpApiBuilder.group(
  Api,
  "system",
  Effect.fn(function*(handlers) {
    const feeds = yield* FeedStore
    const queue = yield* JobQueue
    return handlers.handleAll({
      feeds: () =>
        Effect.map(unavailable(feeds.status), (rows) => ({
          data: rows.map((row) => ({
            ...row,
            moved_at: row.moved_at.toISOString(),
            heard_at: row.heard_at?.toISOString() ?? null
          })),
          next_cursor: null
        })),
      queue: () =>
        Effect.map(unavailable(queue.stats()), (rows) => ({
          data: rows.map((row) => ({ ...row, oldest_waiting: row.oldest_waiting?.toISOString() ?? null })),
          next_cursor: null
        }))
    })
  })
)
