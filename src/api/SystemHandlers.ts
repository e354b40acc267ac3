/** What answers for feeds, gaps and jobs. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { JobQueue } from "../jobs/JobQueue.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { Gaps } from "../store/Gaps.ts"
import { Api } from "./Api.ts"
import { unavailable } from "./Unavailable.ts"

export const SystemHandlers = HttpApiBuilder.group(
  Api,
  "system",
  Effect.fn(function*(handlers) {
    const feeds = yield* FeedStore
    const gaps = yield* Gaps
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
      gaps: () =>
        Effect.map(unavailable(gaps.list), (rows) => ({
          data: rows.map((row) => ({
            ...row,
            opened_at: row.opened_at.toISOString(),
            closed_at: row.closed_at?.toISOString() ?? null
          })),
          next_cursor: null
        })),
      days: () =>
        Effect.map(unavailable(gaps.days), (rows) => ({
          data: rows.map((row) => ({ ...row, checked_at: row.checked_at.toISOString() })),
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
