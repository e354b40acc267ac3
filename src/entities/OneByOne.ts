/** Corporations and alliances: their tickers come only with what ESI tells of one at a time. */
import { Clock, Effect, Result } from "effect"
import type { SqlError } from "effect/sql"
import { isNotFound } from "../esi/EsiError.ts"
import { type EntityKind, EntityStore } from "../store/EntityStore.ts"
import { type Failure, isPause, longestMillis } from "./Refresh.ts"

/** So many are asked for before their answers are kept. */
const chunk = 20
/** Requests at a time: most of those that may be under way are left to killmails. */
const concurrency = 4

/** Until nobody is wanted, or it took long enough: then `someLeft`. */
export const refreshOneByOne = Effect.fnUntraced(function*<A>(
  kind: EntityKind,
  lookup: (id: number) => Effect.Effect<A, Failure>,
  keep: (rows: ReadonlyArray<A & { readonly id: number }>) => Effect.Effect<void, SqlError.SqlError>
) {
  const store = yield* EntityStore
  const done = { refreshed: 0, deleted: 0, put_off: 0 }
  const until = (yield* Clock.currentTimeMillis) + longestMillis
  while ((yield* Clock.currentTimeMillis) < until) {
    const ids = yield* store.wanted(kind, chunk)
    if (ids.length === 0) return { done, someLeft: false }
    const answers = yield* Effect.forEach(
      ids,
      (id) => Effect.map(Effect.result(lookup(id)), (result) => ({ id, result })),
      { concurrency }
    )
    const found = answers.flatMap(({ id, result }) => Result.isSuccess(result) ? [{ ...result.success, id }] : [])
    const failures = answers.flatMap(({ id, result }) =>
      Result.isFailure(result) ? [{ id, error: result.failure }] : []
    )
    const gone = failures.filter(({ error }) => isNotFound(error))
    const failed = failures.filter(({ error }) => !isNotFound(error))
    // Where ESI answers about others, it fails on these alone, and they must not hold up the rest.
    const alone = found.length + gone.length === 0 ? [] : failed.filter(({ error }) => !isPause(error))
    yield* keep(found)
    yield* store.markDeleted(kind, idsOf(gone))
    yield* store.putOff(kind, idsOf(alone))
    done.refreshed += found.length
    done.deleted += gone.length
    done.put_off += alone.length
    const failure = failed.find((each) => !alone.includes(each))
    if (failure !== undefined) return yield* Effect.fail(failure.error)
  }
  return { done, someLeft: true }
})

const idsOf = (rows: ReadonlyArray<{ readonly id: number }>): ReadonlyArray<number> => rows.map(({ id }) => id)
