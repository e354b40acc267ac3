/** Asks ESI what corporations are called, and which alliance they are in. */
import { Effect, Schema } from "effect"
import { EsiEntities } from "../esi/EsiEntities.ts"
import * as Job from "../jobs/Job.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { handle } from "../jobs/JobRunner.ts"
import { EntityStore } from "../store/EntityStore.ts"
import { refreshOneByOne } from "./OneByOne.ts"
import { deadlineMillis, learn } from "./Refresh.ts"

const name = "refresh_corporations"

export const RefreshCorporations = Job.make({
  name,
  payload: Schema.Struct({}),
  key: () => name,
  tier: "entities",
  deadlineMillis
})

export const refreshCorporations = handle(RefreshCorporations, () => learn(name, refresh))

const refresh = Effect.gen(function*() {
  const esi = yield* EsiEntities
  const store = yield* EntityStore
  const { done, someLeft } = yield* refreshOneByOne(
    "corporation",
    esi.corporation,
    (rows) => store.keepCorporations(rows.map((row) => ({ ...row, isClosed: row.state === "closed" })))
  )
  if (someLeft) yield* (yield* JobQueue).add(RefreshCorporations, {})
  return done
})
