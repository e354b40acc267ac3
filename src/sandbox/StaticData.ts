/**
 * CCP's static data (SDE) of the sandbox's New Eden: the number of the newest build and its archive, laid out as CCP's: a
 * zip of members, one JSON object a line, `_key` first, names by language. It is the same for every seed.
 */
import { Effect, Stream } from "effect"
import { Zip } from "effect/encoding"
import { charts, constellations, regions } from "./Atlas.ts"
import { categories, groups, marketGroups, recipes, types } from "./Catalogue.ts"
import { factions, npcCorporations } from "./Gazetteer.ts"
import { type Answer, type Ask, json, type Upstream } from "./Upstream.ts"

const build = 3_444_265
const released = "2026-11-18T11:00:00Z"

export const staticData = (): Upstream => {
  const latest = `/tranquility/latest.jsonl`
  const archivePath = `/tranquility/eve-online-static-data-${build}-jsonl.zip`
  const shorthand = "/eve-online-static-data-latest-jsonl.zip"
  const headers = { etag: `"${build}"`, "last-modified": new Date(released).toUTCString() }

  const answer = async (ask: Ask): Promise<Answer> => {
    switch (ask.path) {
      case latest:
        return ask.headers["if-none-match"] === headers.etag
          ? { status: 304, headers }
          : {
            status: 200,
            headers: { ...headers, "content-type": "application/jsonl" },
            body: lineOf(buildLine) + "\n"
          }
      case shorthand:
        return { status: 302, headers: { location: `/static-data${archivePath}` } }
      case archivePath:
        return { status: 200, headers: { ...headers, "content-type": "application/zip" }, bytes: await archive() }
      default:
        return json(404, { error: "Not found" })
    }
  }

  return {
    name: "static-data",
    environment: ["KILLMAILD_SDE_URL", "/static-data"],
    scopeOf: () => "static-data",
    answer
  }
}

const lineOf = (line: object): string => JSON.stringify(line)

const buildLine = { _key: "sde", buildNumber: build, releaseDate: released }

/** Eight languages, as CCP has them; the sandbox is told in one. */
const inEveryLanguage = (name: string) =>
  Object.fromEntries(["de", "en", "es", "fr", "ja", "ko", "ru", "zh"].map((language) => [language, name]))

const at = ({ x, y, z }: { readonly x: number; readonly y: number; readonly z: number }) => ({ x, y, z })

/** Lines by member, in the order of CCP's archive, which is that of the alphabet. */
const members = (): Readonly<Record<string, ReadonlyArray<object>>> => {
  const systems = [...charts.values()]
  return {
    _sde: [buildLine],
    blueprints: recipes.map(({ blueprint, materials, product, quantity }) => ({
      _key: blueprint,
      activities: {
        copying: { time: 480 },
        manufacturing: {
          materials: materials.map(([typeID, quantity]) => ({ quantity, typeID })),
          products: [{ quantity, typeID: product }],
          time: 600
        },
        research_material: { time: 210 },
        research_time: { time: 210 }
      },
      blueprintTypeID: blueprint,
      maxProductionLimit: 10
    })),
    categories: categories.map(({ id, name }) => ({ _key: id, name: inEveryLanguage(name), published: true })),
    factions: factions.map(({ id, name }) => ({
      _key: id,
      name: inEveryLanguage(name),
      sizeFactor: 5,
      uniqueName: true
    })),
    groups: groups.map(({ category, id, name }) => ({
      _key: id,
      anchorable: false,
      categoryID: category,
      name: inEveryLanguage(name),
      published: true
    })),
    mapAsteroidBelts: systems.flatMap(({ belts, id }) =>
      belts.map((belt) => ({
        _key: belt.id,
        celestialIndex: belt.planetIndex,
        orbitID: belt.orbit,
        orbitIndex: belt.index,
        position: at(belt),
        solarSystemID: id,
        typeID: 15
      }))
    ),
    mapConstellations: constellations.map(({ id, name, region }) => ({
      _key: id,
      name: inEveryLanguage(name),
      regionID: region
    })),
    mapMoons: systems.flatMap(({ id, moons, stations }) =>
      moons.map((moon) => ({
        _key: moon.id,
        celestialIndex: moon.planetIndex,
        ...(stations[0]?.orbit === moon.id ? { npcStationIDs: [stations[0].id] } : {}),
        orbitID: moon.orbit,
        orbitIndex: moon.index,
        position: at(moon),
        radius: 1_830_000,
        solarSystemID: id,
        typeID: 14
      }))
    ),
    mapPlanets: systems.flatMap(({ id, planets }) =>
      planets.map((planet) => ({
        _key: planet.id,
        celestialIndex: planet.planetIndex,
        orbitID: planet.orbit,
        position: at(planet),
        radius: 5_060_000,
        solarSystemID: id,
        typeID: 11
      }))
    ),
    mapRegions: regions.map(({ id, name }) => ({ _key: id, name: inEveryLanguage(name) })),
    mapSolarSystems: systems.map(({ constellation, gates, id, name, planets, sun, trueSecurity }) => ({
      _key: id,
      constellationID: constellation.id,
      name: inEveryLanguage(name),
      planetIDs: planets.map((planet) => planet.id),
      position: { x: 0, y: 0, z: 0 },
      regionID: constellation.region,
      securityStatus: trueSecurity,
      starID: sun,
      ...(gates.length > 0 ? { stargateIDs: gates.map((gate) => gate.id) } : {})
    })),
    mapStargates: systems.flatMap(({ gates, id }) =>
      gates.map((gate) => ({
        _key: gate.id,
        destination: { solarSystemID: gate.to, stargateID: gate.toGate },
        position: at(gate),
        solarSystemID: id,
        typeID: 16
      }))
    ),
    mapStars: systems.map(({ id, sun }) => ({ _key: sun, radius: 626_600_000, solarSystemID: id, typeID: 45041 })),
    marketGroups: marketGroups.map(({ id, name, parent }) => ({
      _key: id,
      hasTypes: true,
      name: inEveryLanguage(name),
      ...(parent === undefined ? {} : { parentGroupID: parent })
    })),
    metaGroups: [{ _key: 1, name: inEveryLanguage("Tech I") }, { _key: 2, name: inEveryLanguage("Tech II") }],
    npcCorporations: npcCorporations.map(({ id, name }) => ({
      _key: id,
      name: inEveryLanguage(name),
      tickerName: name.replaceAll(/[^A-Z]/g, "")
    })),
    npcStations: systems.flatMap(({ id, stations }) =>
      stations.map((station) => ({
        _key: station.id,
        celestialIndex: station.planetIndex,
        operationID: 14,
        orbitID: station.orbit,
        orbitIndex: station.index,
        ownerID: npcCorporations[0]!.id,
        position: at(station),
        solarSystemID: id,
        typeID: 1531,
        useOperationName: true
      }))
    ),
    stationOperations: [{ _key: 14, operationName: inEveryLanguage("Assembly Plant") }],
    typeDogma: [...types.values()].map(({ dogma, id }) => ({
      _key: id,
      dogmaAttributes: [[4, 1000] as const, ...dogma].map(([attributeID, value]) => ({ attributeID, value })),
      dogmaEffects: []
    })),
    typeMaterials: recipes.map(({ materials, product }) => ({
      _key: product,
      materials: materials.map(([materialTypeID, quantity]) => ({
        materialTypeID,
        quantity: Math.ceil(quantity * 0.9)
      }))
    })),
    types: [...types.values()].map(({ group, id, marketGroup, metaGroup, name }) => ({
      _key: id,
      groupID: group.id,
      ...(marketGroup === undefined ? {} : { marketGroupID: marketGroup }),
      mass: 1,
      metaGroupID: metaGroup,
      name: inEveryLanguage(name),
      portionSize: 1,
      published: true,
      volume: 1
    }))
  }
}

let made: Promise<Uint8Array> | undefined

/** Made when it is first asked for, once a process. */
const archive = (): Promise<Uint8Array> => made ??= zipOf(members())

/** Always the same bytes for the same lines. */
export const zipOf = (lines: Readonly<Record<string, ReadonlyArray<object>>>): Promise<Uint8Array> =>
  Effect.runPromise(
    Stream.fromIterable(
      Object.entries(lines).map(([member, objects]) =>
        Zip.file(`${member}.jsonl`, objects.map((line) => lineOf(line) + "\n").join(""), { mtime: new Date(released) })
      )
    ).pipe(
      Stream.pipeThroughChannel(Zip.encode()),
      Stream.runCollect,
      Effect.map((chunks) => Buffer.concat(chunks))
    )
  )
