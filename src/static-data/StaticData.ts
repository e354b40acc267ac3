/**
 * What the walk asks of the static data, kept in memory: what was asked before is answered without a query, and what was
 * not, with one for all of it.
 */
import { Context, Effect, Layer, Queue } from "effect"
import type { SqlError } from "effect/sql"
import type { StaticFacts, SystemFacts, TypeFacts } from "../domain/StaticData.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { promptly } from "../store/Deadline.ts"
import { type Celestial, StaticDataStore, type StaticIds } from "../store/StaticDataStore.ts"
import { LearnStaticData } from "./LearnStaticData.ts"

/** How soon a new build, or what was learned, is noticed. */
const lookInterval = "2 seconds"
/** Milliseconds in which wishes gather before ESI is asked, or an import under way ends. */
const learnDelayMillis = 5000
/** Above this all is read anew: some tens of megabytes. New Eden has some 50,000 types, of which 10,000 are ever seen. */
const mostTypes = 25_000
/** Systems whose celestials are kept, the one used last the longest: some 2 kB each. */
const mostPlaces = 2_000
/** Ids that the game itself gives out are smaller: all above are characters, corporations, alliances and structures. */
const largestId = 70_000_000

/** Metres from the centre of the system. */
interface Position {
  readonly x: number
  readonly y: number
  readonly z: number
}

export interface Found {
  /**
   * Of all that is known, and of all that it is built of. The same object is given as long as nothing changes, and learns
   * more with every call: what is worked out from it may be kept beside it.
   */
  readonly facts: StaticFacts
  /** What is not known. */
  readonly missing: StaticIds
}

export class StaticData extends Context.Service<StaticData, {
  /** Without a query, and in the same turn, when all of it was asked for before. */
  readonly factsFor: (ids: StaticIds) => Effect.Effect<Found, SqlError.SqlError>
  /** The celestial, gate or station next to a position; null while the system's are not known. */
  readonly nearest: (systemId: number, position: Position) => Effect.Effect<number | null, SqlError.SqlError>
  /** Names of types, factions, NPC corporations and places, by id; ids of anything else may be among them. */
  readonly names: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlyMap<number, string>, SqlError.SqlError>
  /** Has ESI asked for what is missing, soon and at low priority. What was asked for before is not asked for again. */
  readonly learn: (missing: StaticIds) => Effect.Effect<void, SqlError.SqlError>
}>()("killmaild/static-data/StaticData") {
  static readonly layer = Layer.effect(
    StaticData,
    Effect.gen(function*() {
      const store = yield* StaticDataStore
      const queue = yield* JobQueue
      let version = yield* store.version
      let memory = emptyMemory()

      const look = Effect.tap(promptly(store.version), (now) =>
        Effect.sync(() => {
          if (now !== version) memory = emptyMemory()
          version = now
        }))
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(lookInterval), Effect.ignore(look))))

      /** Whoever began with one memory ends with it: what was read before a change must not get into the next. */
      const factsFor: StaticData["Service"]["factsFor"] = (ids) =>
        Effect.suspend(() => {
          if (memory.types.size > mostTypes) memory = emptyMemory()
          const { facts, systems, types } = memory
          const newTypes = unknownTo(types, ids.typeIds)
          const newSystems = unknownTo(systems, ids.systemIds)
          const found = (): Found => ({
            facts,
            missing: { typeIds: missingIn(types, ids.typeIds), systemIds: missingIn(systems, ids.systemIds) }
          })
          return newTypes.length === 0 && newSystems.length === 0
            ? Effect.succeed(found())
            : Effect.map(Effect.all([load(types, newTypes), loadSystems(systems, newSystems)]), found)
        })

      const load = (types: Memory["types"], ids: ReadonlyArray<number>) =>
        ids.length === 0 ? Effect.void : Effect.map(store.types(ids), (facts) => {
          for (const id of ids) types.set(id, undefined)
          for (const type of facts) types.set(type.typeId, type)
        })

      const loadSystems = (systems: Memory["systems"], ids: ReadonlyArray<number>) =>
        ids.length === 0 ? Effect.void : Effect.map(store.systems(ids), (facts) => {
          for (const id of ids) systems.set(id, undefined)
          for (const system of facts) systems.set(system.systemId, system)
        })

      const nearest: StaticData["Service"]["nearest"] = (systemId, position) =>
        Effect.suspend(() => {
          const { places } = memory
          const kept = places.get(systemId)
          if (kept !== undefined) {
            places.delete(systemId)
            places.set(systemId, kept)
            return Effect.succeed(nearestOf(kept, position))
          }
          return Effect.map(store.celestials(systemId), (celestials) => {
            if (places.size >= mostPlaces) places.delete(places.keys().next().value!)
            places.set(systemId, celestials)
            return nearestOf(celestials, position)
          })
        })

      const names: StaticData["Service"]["names"] = (ids) =>
        Effect.suspend(() => {
          const known = memory.names
          if (known.size > mostTypes) known.clear()
          const wanted = ids.filter((id) => id < largestId)
          const found = () =>
            new Map(wanted.flatMap((id) => {
              const name = known.get(id)
              return name === undefined ? [] : [[id, name] as const]
            }))
          const fresh = unknownTo(known, wanted)
          return fresh.length === 0 ? Effect.succeed(found()) : Effect.map(store.names(fresh), (read) => {
            for (const id of fresh) known.set(id, read.get(id))
            return found()
          })
        })

      const wake = yield* Queue.sliding<void>(1)
      yield* Queue.take(wake).pipe(
        Effect.andThen(queue.add(LearnStaticData, {}, { delayMillis: learnDelayMillis })),
        Effect.catch(() => Queue.offer(wake, undefined)),
        Effect.andThen(Effect.sleep(2 * learnDelayMillis)),
        Effect.forever,
        Effect.forkScoped
      )

      const learn: StaticData["Service"]["learn"] = (missing) =>
        Effect.suspend(() => {
          const { requested } = memory
          const typeIds = missing.typeIds.filter((id) => !requested.has(id))
          const systemIds = missing.systemIds.filter((id) => !requested.has(id))
          if (typeIds.length === 0 && systemIds.length === 0) return Effect.void
          return Effect.map(store.request({ typeIds, systemIds }), () => {
            for (const id of [...typeIds, ...systemIds]) requested.add(id)
            Queue.offerUnsafe(wake, undefined)
          })
        })

      return StaticData.of({ factsFor, nearest, names, learn })
    })
  )
}

/** What was read at one version. `undefined`: it was looked for, and is not known. */
interface Memory {
  readonly facts: StaticFacts
  readonly types: Map<number, TypeFacts | undefined>
  readonly systems: Map<number, SystemFacts | undefined>
  readonly places: Map<number, ReadonlyArray<Celestial>>
  readonly names: Map<number, string | undefined>
  readonly requested: Set<number>
}

const emptyMemory = (): Memory => {
  const types: Memory["types"] = new Map()
  const systems: Memory["systems"] = new Map()
  return {
    facts: { type: (id) => types.get(id), system: (id) => systems.get(id) },
    types,
    systems,
    places: new Map(),
    names: new Map(),
    requested: new Set()
  }
}

/** Each once, and none that the tables could not hold. */
const unknownTo = (known: ReadonlyMap<number, unknown>, ids: ReadonlyArray<number>): ReadonlyArray<number> => [
  ...new Set(ids.filter((id) => !known.has(id) && id >= 0 && id < 2 ** 31))
]

const missingIn = (known: ReadonlyMap<number, unknown>, ids: ReadonlyArray<number>): ReadonlyArray<number> => [
  ...new Set(ids.filter((id) => known.get(id) === undefined && known.has(id)))
]

const nearestOf = (celestials: ReadonlyArray<Celestial>, { x, y, z }: Position): number | null => {
  let nearest: number | null = null
  let least = Number.POSITIVE_INFINITY
  for (const celestial of celestials) {
    const distance = (celestial.x - x) ** 2 + (celestial.y - y) ** 2 + (celestial.z - z) ** 2
    if (distance < least) {
      nearest = celestial.id
      least = distance
    }
  }
  return nearest
}
