/** Static data and prices for tests of the rules: made up, or read from ../shared/corpus. */
import { existsSync, readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"
import type { Killmail } from "../../src/domain/Killmail.ts"
import type { CustomPrice, DailyAverage, Day, MarketFacts } from "../../src/domain/Market.ts"
import type { StaticFacts, SystemFacts, TypeFacts } from "../../src/domain/StaticData.ts"
import { type WellKnownPrice, wellKnownPrices } from "../../src/domain/WellKnownPrices.ts"

/** A ship that is like no other, but for what is said. */
export const typeOf = (typeId: number, fields: Partial<TypeFacts> = {}): TypeFacts => ({
  typeId,
  name: `Type ${typeId}`,
  groupId: 25,
  categoryId: 6,
  marketGroupIds: [],
  metaGroupId: null,
  dogma: new Map(),
  manufacturing: null,
  ...fields
})

export const factsOf = (
  types: ReadonlyArray<TypeFacts>,
  systems: ReadonlyArray<SystemFacts> = []
): StaticFacts => {
  const byType = new Map(types.map((type) => [type.typeId, type]))
  const bySystem = new Map(systems.map((system) => [system.systemId, system]))
  return { type: (typeId) => byType.get(typeId), system: (systemId) => bySystem.get(systemId) }
}

/** The days before `day`, and `day` itself, newest first: what one unit cost on each. */
export const averagesUpTo = (day: Day, newestFirst: ReadonlyArray<number>): ReadonlyArray<DailyAverage> =>
  newestFirst.map((average, daysAgo) => ({
    day: new Date(Date.parse(day) - daysAgo * 86_400_000).toISOString().slice(0, 10),
    average,
    source: "everef"
  }))

/** Each type had the same price on every day, in ISK. */
export const marketOf = (
  prices: Readonly<Record<number, number>>,
  custom: ReadonlyArray<WellKnownPrice> = []
): MarketFacts => ({
  averages: (typeId, day) => prices[typeId] === undefined ? [] : averagesUpTo(day, [prices[typeId]]),
  custom: customPricesOf(custom)
})

export const customPricesOf = (rows: ReadonlyArray<WellKnownPrice>) => {
  const byType = Map.groupBy(rows, ({ type_id }) => type_id)
  return (typeId: number, day: Day): CustomPrice | undefined =>
    byType.get(typeId)?.find(({ valid_from, valid_until }) =>
      (valid_from === null || valid_from <= day) && (valid_until === null || day <= valid_until)
    )
}

export const wellKnown = customPricesOf(wellKnownPrices)

const corpus = "../shared/corpus"

/** Whether recorded data is here; tests that want it skip where it is not. */
export const hasCorpus = existsSync(corpus)
if (!hasCorpus) console.log(`${corpus} is not here: the tests on recorded killmails are skipped.`)

const textOf = (path: string): string => {
  const bytes = readFileSync(`${corpus}/${path}`)
  return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString()
}

export const jsonOf = <A>(path: string): A => JSON.parse(textOf(path)) as A

export const linesOf = <A>(path: string): ReadonlyArray<A> =>
  textOf(path).trimEnd().split("\n").map((line) => JSON.parse(line) as A)

/** What zKillboard said of a killmail when somebody recorded it. */
export interface RecordedZkb {
  readonly npc: boolean
  readonly solo: boolean
  readonly awox: boolean
  readonly points: number
  readonly totalValue: number
  readonly fittedValue: number
  readonly droppedValue?: number
  readonly destroyedValue?: number
  readonly labels?: ReadonlyArray<string>
}

export interface RecordedMail {
  readonly killmail: Killmail
  readonly zkb: RecordedZkb
  readonly source: string
}

/** The tables of corpus/sde. They have neither blueprints nor the tree of market groups. */
export const corpusFacts = (): StaticFacts => {
  const dogma = new Map(
    tableOf("sde/type-dogma.csv.gz").map((row) => [
      row["type_id"],
      [
        [633, row["meta_level"]],
        [1211, row["heat_damage"]],
        [1547, row["rig_size"]]
      ] as const
    ])
  )
  return factsOf(
    tableOf("sde/types.csv.gz").map((row) =>
      typeOf(Number(row["typeID"]), {
        name: row["name"]!,
        groupId: Number(row["groupID"]),
        categoryId: Number(row["categoryID"]),
        marketGroupIds: row["marketGroupID"] === "" ? [] : [Number(row["marketGroupID"])],
        metaGroupId: row["metaGroupID"] === "" ? null : Number(row["metaGroupID"]),
        dogma: new Map(
          (dogma.get(row["typeID"]) ?? []).flatMap(([id, value]) => value ? [[id, Number(value)] as const] : [])
        )
      })
    ),
    tableOf("sde/solarsystems.csv").map((row) => ({
      systemId: Number(row["solarSystemID"]),
      name: row["name"]!,
      security: Number(row["security"]),
      constellationId: Number(row["constellationID"]),
      regionId: Number(row["regionID"])
    }))
  )
}

/** A CSV file with its head in the first line; a field with a comma in it is quoted. */
const tableOf = (path: string): ReadonlyArray<Readonly<Record<string, string>>> => {
  const [head, ...lines] = textOf(path).trimEnd().split(/\r?\n/)
  const names = fieldsOf(head!)
  return lines.map((line) => Object.fromEntries(fieldsOf(line).map((field, k) => [names[k]!, field])))
}

const fieldsOf = (line: string): ReadonlyArray<string> =>
  [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) =>
    quoted?.replaceAll("\"\"", "\"") ?? plain ?? ""
  )
