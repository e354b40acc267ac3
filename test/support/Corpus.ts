/** Real static data and killmails, where ../shared/corpus is at hand. */
import { existsSync, readFileSync } from "node:fs"
import { gunzipSync } from "node:zlib"
import type { Killmail } from "../../src/domain/Killmail.ts"
import type { StaticFacts } from "../../src/domain/StaticData.ts"
import { factsOf, typeOf } from "./Facts.ts"

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
