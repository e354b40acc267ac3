/** Questions about many ids at once, which ESI refuses as a whole when it does not know one of them. */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import { type EsiError, isOfWhatIsAsked } from "../esi/EsiError.ts"

/**
 * Asks about all; where that is refused, about ever smaller parts, until what comes before the first unknown id is answered
 * and that id is found, which takes ⌈log₂ n⌉ further questions. Returns it, unasked alone, and says nothing of those after
 * it; `undefined` when all were answered.
 */
export const askTogether = Effect.fnUntraced(function*<A, R>(
  ids: ReadonlyArray<number>,
  ask: (ids: ReadonlyArray<number>) => Effect.Effect<A, EsiError | SqlError.SqlError, R>,
  keep: (answer: A, ids: ReadonlyArray<number>) => Effect.Effect<void, SqlError.SqlError, R>
) {
  const answers = (part: ReadonlyArray<number>) =>
    ask(part).pipe(
      Effect.flatMap((answer) => Effect.as(keep(answer, part), true)),
      Effect.catchTag("EsiError", (error) => isOfWhatIsAsked(error) ? Effect.succeed(false) : Effect.fail(error))
    )
  if (yield* answers(ids)) return undefined
  let answered = 0
  let refused = ids.length
  while (refused - answered > 1) {
    const middle = (answered + refused) >> 1
    if (yield* answers(ids.slice(answered, middle))) answered = middle
    else refused = middle
  }
  return ids[answered]
})
