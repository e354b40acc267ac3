/** What the tests of the static data share: a database with all stores, settings, and archives made of lines. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Layer, Redacted, type Scope } from "effect"
import type { HttpClient } from "effect/http"
import { SqlClient } from "effect/sql"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { zipOf } from "../../src/sandbox/StaticData.ts"
import { Settings } from "../../src/Settings.ts"
import { importStaticData, type Source } from "../../src/static-data/ImportStaticData.ts"
import * as Database from "../../src/store/Database.ts"
import { stores } from "../../src/Stores.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

export type World =
  | Layer.Success<typeof stores>
  | SqlClient.SqlClient
  | Settings
  | HttpClient.HttpClient

export const temporaryDirectory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-static-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

/** A process of its own on this database. */
export const replicaOn = (url: string, settings: Readonly<Record<string, string>>) =>
  Layer.build(Layer.fresh(
    stores.pipe(
      Layer.provideMerge(Database.layer(Redacted.make(url))),
      Layer.provideMerge(NodeHttpClient.layerUndici),
      Layer.provideMerge(Settings.layerFrom(settings))
    )
  ))

/** Runs the test on an empty database. */
export const inWorld = <A, E>(
  test: (url: string) => Effect.Effect<A, E, World | Scope.Scope>,
  settings: Readonly<Record<string, string>> = {}
) =>
  Effect.gen(function*() {
    const { url } = yield* migratedDatabase
    const dataDir = yield* temporaryDirectory
    return yield* Effect.provide(test(url), yield* replicaOn(url, { KILLMAILD_DATA_DIR: dataDir, ...settings }))
  })

export type Lines = Readonly<Record<string, ReadonlyArray<object>>>

/** An archive of these lines by member, on disk. */
export const archiveOf = Effect.fnUntraced(function*(lines: Lines) {
  const path = join(yield* temporaryDirectory, "sde.zip")
  writeFileSync(path, yield* Effect.promise(() => zipOf(lines)))
  return path
})

export const importFrom = (source: Source | string, force = false) =>
  importStaticData(typeof source === "string" ? { kind: "file", path: source } : source, {
    force,
    onProgress: () => Effect.void
  })

/** Rows as the database has them, in the order of their text. */
export const rowsOf = (table: string, columns = "*") =>
  Effect.flatMap(
    SqlClient.SqlClient,
    (sql) => sql.unsafe<Record<string, unknown>>(`select ${columns} from ${table} rows order by rows::text`)
  )

export const countOf = (table: string) =>
  Effect.map(
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql.unsafe<{ n: number }>(`select count(*)::int as n from ${table}`)),
    ([row]) => row!.n
  )

const named = (id: number, name: string) => ({ _key: id, name: { de: `${name} (de)`, en: name } })

/** A small archive with one or two of everything. */
export const small: Lines = {
  _sde: [{ _key: "sde", buildNumber: 1000, releaseDate: "2026-11-18T11:00:00Z" }],
  categories: [{ ...named(6, "Ship"), published: true }],
  groups: [{ ...named(25, "Frigate"), categoryID: 6, published: true }],
  marketGroups: [{ ...named(4, "Ships"), hasTypes: false }, { ...named(61, "Frigates"), parentGroupID: 4 }],
  types: [
    { ...named(587, "Rifter"), groupID: 25, marketGroupID: 61, metaGroupID: 1, published: true, mass: 1 },
    { ...named(691, "Rifter Blueprint"), groupID: 25, published: true },
    { ...named(34, "Tritanium"), groupID: 25, published: true }
  ],
  typeDogma: [{
    _key: 587,
    dogmaAttributes: [{ attributeID: 1547, value: 1 }, { attributeID: 4, value: 1000 }],
    dogmaEffects: []
  }],
  typeMaterials: [{ _key: 587, materials: [{ materialTypeID: 34, quantity: 22_222 }] }],
  blueprints: [
    {
      _key: 691,
      activities: {
        manufacturing: {
          materials: [{ typeID: 34, quantity: 24_000 }],
          products: [{ typeID: 587, quantity: 1 }],
          time: 6000
        }
      }
    },
    { _key: 692, activities: { copying: { time: 1 } } }
  ],
  factions: [named(500_002, "Minmatar Republic")],
  npcCorporations: [{ ...named(1_000_049, "Brutor Tribe"), tickerName: "BTRB" }],
  mapRegions: [named(10_000_030, "Heimatar")],
  mapConstellations: [{ ...named(20_000_448, "Joas"), regionID: 10_000_030 }],
  mapSolarSystems: [
    { ...named(30_002_510, "Rens"), constellationID: 20_000_448, regionID: 10_000_030, securityStatus: 0.891_23 },
    { ...named(30_002_526, "Frarn"), constellationID: 20_000_448, regionID: 10_000_030, securityStatus: 0.85 }
  ],
  mapStars: [{ _key: 40_161_463, solarSystemID: 30_002_510, typeID: 3802 }],
  mapPlanets: [
    planet(40_161_464, 4),
    { ...planet(40_161_465, 19), uniqueName: { en: "Named Planet" } }
  ],
  mapMoons: [{
    _key: 40_161_466,
    celestialIndex: 4,
    npcStationIDs: [60_004_588],
    orbitID: 40_161_464,
    orbitIndex: 8,
    position: { x: 2e9, y: 0, z: 0 },
    solarSystemID: 30_002_510,
    typeID: 14
  }],
  mapAsteroidBelts: [{
    _key: 40_161_467,
    celestialIndex: 4,
    orbitID: 40_161_464,
    orbitIndex: 1,
    position: { x: 3e9, y: 0, z: 0 },
    solarSystemID: 30_002_510,
    typeID: 15
  }],
  mapStargates: [{
    _key: 50_000_001,
    destination: { solarSystemID: 30_002_526, stargateID: 50_000_002 },
    position: { x: -1e12, y: 0, z: 0 },
    solarSystemID: 30_002_510,
    typeID: 16
  }],
  stationOperations: [{ _key: 26, operationName: { en: "Treasury" } }],
  npcStations: [{
    _key: 60_004_588,
    celestialIndex: 4,
    operationID: 26,
    orbitID: 40_161_466,
    orbitIndex: 8,
    ownerID: 1_000_049,
    position: { x: 2.01e9, y: 0, z: 0 },
    solarSystemID: 30_002_510,
    typeID: 1529,
    useOperationName: true
  }]
}

function planet(id: number, celestialIndex: number) {
  return {
    _key: id,
    celestialIndex,
    orbitID: 40_161_463,
    position: { x: celestialIndex * 1e10, y: 0, z: 0 },
    solarSystemID: 30_002_510,
    typeID: 11
  }
}
