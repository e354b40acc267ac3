/** Asks ESI what alliances are called. */
import { Effect, Schema } from "effect"
import { EsiEntities } from "../esi/EsiEntities.ts"
import * as Job from "../jobs/Job.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { handle } from "../jobs/JobRunner.ts"
import { EntityStore } from "../store/EntityStore.ts"
import { refreshOneByOne } from "./OneByOne.ts"
import { deadlineMillis, learn } from "./Refresh.ts"

const name = "refresh_alliances"

export const RefreshAlliances = Job.make({
  name,
  payload: Schema.Struct({}),
  key: () => name,
  tier: "entities",
  deadlineMillis
})

export const refreshAlliances = handle(RefreshAlliances, () => learn(name, refresh))

const refresh = Effect.gen(function*() {
  const esi = yield* EsiEntities
  const store = yield* EntityStore
  const { done, someLeft } = yield* refreshOneByOne(
    "alliance",
    esi.alliance,
    (rows) => store.keepAlliances(rows.map((row) => ({ ...row, isClosed: row.executor_corporation_id === undefined })))
  )
  if (someLeft) yield* (yield* JobQueue).add(RefreshAlliances, {})
  return done
})
