/**
 * Asks ESI for the types and systems that killmails named and nobody here knew: before the first import, and for what is
 * newer than the last. What ESI told is kept as if it were imported.
 */
import { Effect, Result, Schema } from "effect"
import type { SqlError } from "effect/sql"
import { alone } from "../esi/Alone.ts"
import { type EsiError, isNotFound } from "../esi/EsiError.ts"
import { EsiUniverse } from "../esi/EsiUniverse.ts"
import { explainEsi } from "../esi/ExplainEsi.ts"
import { explainSql } from "../ExplainSql.ts"
import * as Job from "../jobs/Job.ts"
import { handle } from "../jobs/JobRunner.ts"
import { StaticDataStore } from "../store/StaticDataStore.ts"
import { attributesRead } from "./Members.ts"

const name = "learn_static_data"

/** One for all that is wanted: the ids are in the table `static_data_requests`. */
export const LearnStaticData = Job.make({
  name,
  payload: Schema.Struct({}),
  key: () => name,
  tier: "entities",
  deadlineMillis: 600_000
})

/** Ids of each kind that are asked for before the answers are stored. */
const chunk = 20
/** Chunks of one run: even of a slow ESI they are answered long before the job's deadline. */
const turns = 15
/** Requests at a time: most of those that may be under way are left to killmails. */
const concurrency = 4
/** The dogma attribute in which ESI hides the meta group. */
const metaGroupAttribute = 1692

export const learnStaticData = handle(LearnStaticData, () =>
  alone(name, learnAll).pipe(
    Effect.catchTags({
      EsiError: explainEsi,
      SqlError: explainSql
    })
  ))

/** Until nothing is wanted any more, or it is time to let others. Returns how many of each kind were learnt. */
const learnAll = Effect.gen(function*() {
  const store = yield* StaticDataStore
  const learnt = { types: 0, systems: 0 }
  for (let turn = 0; turn < turns; turn++) {
    const { systemIds, typeIds } = yield* store.requested(chunk)
    if (typeIds.length === 0 && systemIds.length === 0) return learnt
    if (typeIds.length > 0) learnt.types += yield* learnTypes(typeIds)
    if (systemIds.length > 0) learnt.systems += yield* learnSystems(systemIds)
  }
  return yield* new Job.JobPostponed({ delayMillis: 0, message: "There is more to ask for." })
})

const learnTypes = Effect.fnUntraced(function*(typeIds: ReadonlyArray<number>) {
  const store = yield* StaticDataStore
  const esi = yield* EsiUniverse
  const types = yield* askFor(typeIds, esi.type)
  const groups = yield* askForNew("groups", types.found.map((type) => type.group_id), esi.group)
  const categories = yield* askForNew("categories", groups.found.map((group) => group.category_id), esi.category)

  const wholeGroups = groups.found.filter(({ category_id }) =>
    categories.known.has(category_id) || categories.found.some((category) => category.category_id === category_id)
  )
  const known = new Set([...groups.known.keys(), ...wholeGroups.map((group) => group.group_id)])
  const whole = types.found.filter((type) => known.has(type.group_id))
  yield* store.learn({
    categories: categories.found.map(({ category_id, name }) => ({ category_id, name })),
    groups: wholeGroups.map(({ category_id, group_id, name }) => ({ group_id, name, category_id })),
    types: whole.map((type) => ({
      type_id: type.type_id,
      name: type.name,
      group_id: type.group_id,
      market_group_id: type.market_group_id ?? null,
      meta_group_id: type.dogma_attributes?.find((each) => each.attribute_id === metaGroupAttribute)?.value ?? null,
      published: type.published
    })),
    type_dogma: whole.flatMap(({ dogma_attributes = [], type_id }) =>
      dogma_attributes
        .filter(({ attribute_id }) => attributesRead.has(attribute_id))
        .map(({ attribute_id, value }) => ({ type_id, attribute_id, value }))
    )
  })
  yield* settle("type", typeIds, whole.map((type) => type.type_id), [types, groups, categories])
  return whole.length
})

const learnSystems = Effect.fnUntraced(function*(systemIds: ReadonlyArray<number>) {
  const store = yield* StaticDataStore
  const esi = yield* EsiUniverse
  const systems = yield* askFor(systemIds, esi.system)
  const constellationIds = systems.found.map((system) => system.constellation_id)
  const constellations = yield* askForNew("constellations", constellationIds, esi.constellation)
  const regions = yield* askForNew("regions", constellations.found.map((each) => each.region_id), esi.region)

  const wholeConstellations = constellations.found.filter(({ region_id }) =>
    regions.known.has(region_id) || regions.found.some((region) => region.region_id === region_id)
  )
  const regionOf = new Map([
    ...constellations.known,
    ...wholeConstellations.map((each) => [each.constellation_id, each.region_id] as const)
  ])
  const whole = systems.found.flatMap((system) => {
    const region_id = regionOf.get(system.constellation_id)
    return region_id === undefined ? [] : [{ ...system, region_id }]
  })
  yield* store.learn({
    regions: regions.found.map(({ name, region_id }) => ({ region_id, name })),
    constellations: wholeConstellations.map(({ constellation_id, name, region_id }) => ({
      constellation_id,
      name,
      region_id
    })),
    solar_systems: whole.map((system) => ({
      solar_system_id: system.system_id,
      name: system.name,
      constellation_id: system.constellation_id,
      region_id: system.region_id,
      security: system.security_status
    }))
  })
  yield* settle("system", systemIds, whole.map((system) => system.system_id), [systems, constellations, regions])
  return whole.length
})

type Failure = EsiError | SqlError.SqlError

interface Asked<A> {
  readonly found: ReadonlyArray<A>
  /** The first failure but for ids that do not exist. */
  readonly failure: Failure | undefined
}

/** Asks for each, whatever becomes of the others: an answer that was given is not asked for again. */
const askFor = <A>(ids: ReadonlyArray<number>, lookup: (id: number) => Effect.Effect<A, Failure>) =>
  Effect.map(
    Effect.forEach(ids, (id) => Effect.result(lookup(id)), { concurrency }),
    (answers): Asked<A> => ({
      found: answers.filter(Result.isSuccess).map(({ success }) => success),
      failure: answers.filter(Result.isFailure).map(({ failure }) => failure).find((failure) => !isNotFound(failure))
    })
  )

/** As `askFor`, each once, for those that are not in the table; `known` are the others, with what they belong to. */
const askForNew = Effect.fnUntraced(function*<A>(
  table: Parameters<StaticDataStore["Service"]["known"]>[0],
  ids: ReadonlyArray<number>,
  lookup: (id: number) => Effect.Effect<A, Failure>
) {
  const unique = [...new Set(ids)]
  const known = yield* (yield* StaticDataStore).known(table, unique)
  const fresh = unique.filter((id) => !known.has(id))
  const asked = yield* askFor(fresh, lookup)
  return { ...asked, known }
})

/** Fails with what went wrong. Where nothing did, what is not known by now does not exist. */
const settle = Effect.fnUntraced(function*(
  kind: "type" | "system",
  ids: ReadonlyArray<number>,
  learnt: ReadonlyArray<number>,
  asked: ReadonlyArray<Asked<unknown>>
) {
  const failure = asked.map(({ failure }) => failure).find((failure) => failure !== undefined)
  if (failure !== undefined) return yield* Effect.fail(failure)
  const store = yield* StaticDataStore
  for (const id of ids) if (!learnt.includes(id)) yield* store.refuse(kind, id)
})
