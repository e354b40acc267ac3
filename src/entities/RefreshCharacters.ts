/**
 * Begins some seconds after a killmail was published: notes whom the new ones name, asks ESI for names of characters by the
 * thousand, and leaves corporations and alliances to their own jobs. Where they belong, their killmails tell; ESI is asked
 * only where the newest of those is more than a week old.
 */
import { Clock, Effect, Schema } from "effect"
import { EsiEntities, mostIds } from "../esi/EsiEntities.ts"
import { isNotFound } from "../esi/EsiError.ts"
import * as Job from "../jobs/Job.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { handle } from "../jobs/JobRunner.ts"
import { EntityStore } from "../store/EntityStore.ts"
import { deadlineMillis, type Failure, isPause, learn, longestMillis, patienceMillis } from "./Refresh.ts"
import { RefreshAlliances } from "./RefreshAlliances.ts"
import { RefreshCorporations } from "./RefreshCorporations.ts"
import { askTogether } from "./Together.ts"

const name = "refresh_characters"

/** Added by `request_entities` of migration 0007, too. */
export const RefreshCharacters = Job.make({
  name,
  payload: Schema.Struct({}),
  key: () => name,
  tier: "entities",
  deadlineMillis
})

/** Publications whose parties are noted in one statement: some hundred milliseconds. */
const page = 5000
/** To find an unknown one costs some five errors, of which ESI allows all routes together 100 a minute. */
const mostUnknown = 5

export const refreshCharacters = handle(RefreshCharacters, () => learn(name, refresh))

const refresh = Effect.gen(function*() {
  const store = yield* EntityStore
  const queue = yield* JobQueue
  const until = (yield* Clock.currentTimeMillis) + longestMillis
  const { publications, someLeft: toNote } = yield* noteAll(until)
  if ((yield* store.wanted("corporation", 1)).length > 0) yield* queue.add(RefreshCorporations, {})
  if ((yield* store.wanted("alliance", 1)).length > 0) yield* queue.add(RefreshAlliances, {})
  const { someLeft: toAsk, unknown } = yield* askAll(until)
  const delayMillis = unknown < mostUnknown ? 0 : patienceMillis
  if (toNote || toAsk) yield* queue.add(RefreshCharacters, {}, { delayMillis })
  return { publications, unknown }
})

const noteAll = Effect.fnUntraced(function*(until: number) {
  const store = yield* EntityStore
  let publications = 0
  while ((yield* Clock.currentTimeMillis) < until) {
    const noted = yield* store.notePublications(page)
    publications += noted
    if (noted < page) return { publications, someLeft: false }
  }
  return { publications, someLeft: true }
})

const askAll = Effect.fnUntraced(function*(until: number) {
  const store = yield* EntityStore
  let unknown = 0
  while (unknown < mostUnknown && (yield* Clock.currentTimeMillis) < until) {
    const ids = yield* store.wanted("character", mostIds)
    if (ids.length === 0) return { unknown, someLeft: false }
    // What comes after an unknown one is still wanted, and asked about together with the next.
    const found = yield* askAbout(ids)
    if (found !== undefined) {
      unknown += 1
      yield* askAlone(found)
    }
  }
  return { unknown, someLeft: true }
})

/** Returns the first that ESI would not speak of; `undefined` when all were answered. */
const askAbout = Effect.fnUntraced(function*(ids: ReadonlyArray<number>) {
  const store = yield* EntityStore
  const esi = yield* EsiEntities
  const longUnseen = yield* store.longUnseen(ids)
  const unknown = longUnseen.length === 0
    ? undefined
    : yield* askTogether(longUnseen, esi.affiliations, store.keepAffiliations)
  if (unknown !== undefined) return unknown
  return yield* askTogether(ids, esi.names, (names, asked) => {
    const answered = new Set(names.map(({ id }) => id))
    const silent = asked.filter((id) => !answered.has(id))
    return Effect.andThen(store.keepNames(names), store.putOff("character", silent))
  })
})

/**
 * That ESI finds no name is no proof: of characters made within the last hour it knows none, and now and then it errs
 * (github.com/esi/esi-issues, 1086 and 1181). Who was deleted, or never was, is told here.
 */
const askAlone = Effect.fnUntraced(function*(id: number) {
  const store = yield* EntityStore
  const esi = yield* EsiEntities
  yield* esi.character(id).pipe(
    Effect.flatMap((character) =>
      Effect.andThen(
        store.keepAffiliations([{ ...character, character_id: id }]),
        store.keepNames([{ id, name: character.name }])
      )
    ),
    Effect.catchTag("EsiError", (error): Effect.Effect<void, Failure> =>
      isNotFound(error)
        ? store.markDeleted("character", [id])
        : isPause(error)
        ? Effect.fail(error)
        : store.putOff("character", [id]))
  )
})
