/** Gathers what an operation asks for by id: one statement a kind and level, however many killmails ask. */
import DataLoader from "dataloader"
import type { Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { StatisticsKind } from "../../domain/Statistics.ts"
import type { CharacterGroup } from "../../store/CharacterGroups.ts"
import type { AllianceRow, CharacterRow, CorporationRow, EntityReader } from "../../store/EntityReader.ts"
import type { Names } from "../../store/Names.ts"
import type { EntityStatistics, StatisticsReader } from "../../store/StatisticsReader.ts"

type Loader<Value> = DataLoader<number, Value | null>

/** Null is what is not known here. */
export interface Loaders {
  readonly name: Loader<string>
  readonly character: Loader<CharacterRow>
  readonly group: Loader<CharacterGroup>
  readonly corporation: Loader<CorporationRow>
  readonly alliance: Loader<AllianceRow>
  readonly statistics: (kind: StatisticsKind) => Loader<EntityStatistics>
}

export interface LoaderStores {
  readonly entities: EntityReader["Service"]
  readonly names: Names["Service"]
  readonly statistics: StatisticsReader["Service"]
}

/** How an effect runs on behalf of the operation. */
export type Read = <A>(effect: Effect.Effect<A, SqlError.SqlError>) => Promise<A>

/** With `cache`, what is asked twice is read once: for one operation. Without, they only gather, and serve for ever. */
export const loadersOf = (
  { entities, names, statistics }: LoaderStores,
  read: Read,
  { cache }: { readonly cache: boolean }
): Loaders => {
  const byId = <Value>(
    find: (ids: ReadonlyArray<number>) => Effect.Effect<ReadonlyMap<number, Value>, SqlError.SqlError>
  ): Loader<Value> =>
    new DataLoader(async (ids) => {
      const found = await read(find(ids))
      return ids.map((id) => found.get(id) ?? null)
    }, { cache })
  const ofKinds = new Map<StatisticsKind, Loader<EntityStatistics>>()
  return {
    name: byId(names.namesOf),
    character: byId(entities.characters),
    group: byId(entities.groups),
    corporation: byId(entities.corporations),
    alliance: byId(entities.alliances),
    statistics: (kind) => {
      const known = ofKinds.get(kind) ?? byId((ids) => statistics.ofAll(kind, ids))
      ofKinds.set(kind, known)
      return known
    }
  }
}
