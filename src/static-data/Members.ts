/**
 * Which members of CCP's static data are read, in which order, and what a line of each becomes. Field names are CCP's;
 * names are taken in English.
 */
import { Result, Schema } from "effect"
import type { StaticRows, StaticTable } from "../store/StaticTables.ts"

export interface Member {
  readonly file: string
  readonly tables: ReadonlyArray<StaticTable>
  /** The rows of one parsed line, or what is wrong with it. */
  readonly rows: (line: unknown, names: Names) => Result.Result<StaticRows, string>
}

/** What other things are named after, by id: systems, suns, planets, moons, corporations; and operations of stations. */
export interface Names {
  readonly places: Map<number, string>
  readonly operations: Map<number, string>
}

/** What rules of `domain/` read: tech level, meta level, heat damage, rig size. More of them means a new `revision`. */
export const attributesRead: ReadonlySet<number> = new Set([422, 633, 1211, 1547])

const member = <A>(
  file: string,
  tables: ReadonlyArray<StaticTable>,
  line: Schema.Codec<A, unknown>,
  rows: (line: A, names: Names) => StaticRows
): Member => {
  const decode = Schema.decodeUnknownResult(line)
  return {
    file,
    tables,
    rows: (value, names) =>
      Result.mapBoth(decode(value), {
        onFailure: ({ message }) => message.replaceAll(/\s+/g, " "),
        onSuccess: (decoded) => rows(decoded, names)
      })
  }
}

const Id = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 31 - 1 }))
const optionalId = Schema.optionalKey(Schema.NullOr(Id))
const Text = Schema.Struct({ en: Schema.String })
const optionalText = Schema.optionalKey(Text)
const Quantity = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const Position = Schema.Struct({ x: Schema.Finite, y: Schema.Finite, z: Schema.Finite })

const named = { _key: Id, name: Text }
const placed = {
  _key: Id,
  solarSystemID: Id,
  typeID: Id,
  position: Position
}
const inOrbit = { orbitID: Id, orbitIndex: Id }
/** A few have a name of their own, formerly called unique; of all others it follows from what they belong to. */
const maybeNamed = { name: optionalText, uniqueName: optionalText }

/** A group of CCP's: what a celestial is. */
const groupIds = { sun: 6, planet: 7, moon: 8, asteroidBelt: 9, stargate: 10, station: 15 }

const celestial = (
  group: keyof typeof groupIds,
  line: {
    readonly _key: number
    readonly solarSystemID: number
    readonly typeID: number
    readonly position?: typeof Position.Type
  },
  name: string | undefined
): StaticRows => ({
  celestials: [{
    celestial_id: line._key,
    solar_system_id: line.solarSystemID,
    type_id: line.typeID,
    group_id: groupIds[group],
    ...(line.position ?? { x: 0, y: 0, z: 0 }),
    name: name ?? null
  }]
})

interface MaybeNamed {
  readonly name?: { readonly en: string }
  readonly uniqueName?: { readonly en: string }
}

const ownName = ({ name, uniqueName }: MaybeNamed): string | undefined => (name ?? uniqueName)?.en

/** The name of what it belongs to, and what follows; nothing where that has none. */
const after = (names: Names, id: number | null | undefined, rest: string): string | undefined => {
  const name = names.places.get(id ?? -1)
  return name === undefined ? undefined : name + rest
}

const roman = (number: number): string => {
  const signs = [[10, "X"], [9, "IX"], [5, "V"], [4, "IV"], [1, "I"]] as const
  let left = number
  let text = ""
  for (const [value, sign] of signs) for (; left >= value; left -= value) text += sign
  return text
}

/** Things before what refers to them, so that places can be named after others. */
export const members: ReadonlyArray<Member> = [
  member("categories.jsonl", ["categories"], Schema.Struct(named), ({ _key, name }) => ({
    categories: [{ category_id: _key, name: name.en }]
  })),
  member("groups.jsonl", ["groups"], Schema.Struct({ ...named, categoryID: Id }), ({ _key, categoryID, name }) => ({
    groups: [{ group_id: _key, name: name.en, category_id: categoryID }]
  })),
  member(
    "marketGroups.jsonl",
    ["market_groups"],
    Schema.Struct({ ...named, parentGroupID: optionalId }),
    ({ _key, name, parentGroupID }) => ({
      market_groups: [{ market_group_id: _key, name: name.en, parent_group_id: parentGroupID ?? null }]
    })
  ),
  member(
    "types.jsonl",
    ["types"],
    Schema.Struct({
      ...named,
      groupID: Id,
      published: Schema.Boolean,
      marketGroupID: optionalId,
      metaGroupID: optionalId
    }),
    (line) => ({
      types: [{
        type_id: line._key,
        name: line.name.en,
        group_id: line.groupID,
        market_group_id: line.marketGroupID ?? null,
        meta_group_id: line.metaGroupID ?? null,
        published: line.published
      }]
    })
  ),
  member(
    "typeDogma.jsonl",
    ["type_dogma"],
    Schema.Struct({
      _key: Id,
      dogmaAttributes: Schema.optionalKey(Schema.Array(Schema.Struct({ attributeID: Id, value: Schema.Finite })))
    }),
    ({ _key, dogmaAttributes = [] }) => ({
      type_dogma: dogmaAttributes
        .filter(({ attributeID }) => attributesRead.has(attributeID))
        .map(({ attributeID, value }) => ({ type_id: _key, attribute_id: attributeID, value }))
    })
  ),
  member(
    "typeMaterials.jsonl",
    ["type_materials"],
    Schema.Struct({
      _key: Id,
      materials: Schema.optionalKey(Schema.Array(Schema.Struct({ materialTypeID: Id, quantity: Quantity })))
    }),
    ({ _key, materials = [] }) => ({
      type_materials: materials.map(({ materialTypeID, quantity }) => ({
        type_id: _key,
        material_type_id: materialTypeID,
        quantity
      }))
    })
  ),
  member(
    "blueprints.jsonl",
    ["blueprints", "blueprint_materials"],
    Schema.Struct({
      _key: Id,
      activities: Schema.Struct({
        manufacturing: Schema.optionalKey(Schema.Struct({
          materials: Schema.optionalKey(Schema.Array(Schema.Struct({ typeID: Id, quantity: Quantity }))),
          products: Schema.optionalKey(Schema.Array(Schema.Struct({ typeID: Id, quantity: Quantity })))
        }))
      })
    }),
    ({ _key, activities: { manufacturing: { materials = [], products = [] } = {} } }) => ({
      blueprints: products.slice(0, 1).map(({ quantity, typeID }) => ({
        blueprint_type_id: _key,
        product_type_id: typeID,
        output_quantity: quantity
      })),
      blueprint_materials: materials.map(({ quantity, typeID }) => ({
        blueprint_type_id: _key,
        material_type_id: typeID,
        quantity
      }))
    })
  ),
  member("factions.jsonl", ["factions"], Schema.Struct(named), ({ _key, name }) => ({
    factions: [{ faction_id: _key, name: name.en }]
  })),
  member(
    "npcCorporations.jsonl",
    ["npc_corporations"],
    Schema.Struct({ ...named, tickerName: Schema.optionalKey(Schema.String), factionID: optionalId }),
    ({ _key, factionID, name, tickerName }, { places }) => {
      places.set(_key, name.en)
      return {
        npc_corporations: [{
          corporation_id: _key,
          name: name.en,
          ticker: tickerName ?? null,
          faction_id: factionID ?? null
        }]
      }
    }
  ),
  member("mapRegions.jsonl", ["regions"], Schema.Struct(named), ({ _key, name }) => ({
    regions: [{ region_id: _key, name: name.en }]
  })),
  member(
    "mapConstellations.jsonl",
    ["constellations"],
    Schema.Struct({ ...named, regionID: Id }),
    ({ _key, name, regionID }) => ({
      constellations: [{ constellation_id: _key, name: name.en, region_id: regionID }]
    })
  ),
  member(
    "mapSolarSystems.jsonl",
    ["solar_systems"],
    Schema.Struct({ ...named, constellationID: Id, regionID: Id, securityStatus: Schema.Finite }),
    (line, { places }) => {
      places.set(line._key, line.name.en)
      return {
        solar_systems: [{
          solar_system_id: line._key,
          name: line.name.en,
          constellation_id: line.constellationID,
          region_id: line.regionID,
          security: line.securityStatus
        }]
      }
    }
  ),
  member(
    "mapStars.jsonl",
    ["celestials"],
    Schema.Struct({ _key: Id, solarSystemID: Id, typeID: Id, ...maybeNamed }),
    (line, names) => {
      const name = ownName(line) ?? names.places.get(line.solarSystemID)
      if (name !== undefined) names.places.set(line._key, name)
      return celestial("sun", line, name)
    }
  ),
  member(
    "mapPlanets.jsonl",
    ["celestials"],
    Schema.Struct({ ...placed, ...maybeNamed, celestialIndex: Id }),
    (line, names) => {
      const name = ownName(line) ?? after(names, line.solarSystemID, ` ${roman(line.celestialIndex)}`)
      if (name !== undefined) names.places.set(line._key, name)
      return celestial("planet", line, name)
    }
  ),
  member(
    "mapMoons.jsonl",
    ["celestials"],
    Schema.Struct({ ...placed, ...maybeNamed, ...inOrbit, npcStationIDs: Schema.optionalKey(Schema.Array(Id)) }),
    (line, names) => {
      const name = ownName(line) ?? after(names, line.orbitID, ` - Moon ${line.orbitIndex}`)
      // Stations alone are named after moons, and only few moons have one.
      if (name !== undefined && line.npcStationIDs !== undefined) names.places.set(line._key, name)
      return celestial("moon", line, name)
    }
  ),
  member(
    "mapAsteroidBelts.jsonl",
    ["celestials"],
    Schema.Struct({ ...placed, ...maybeNamed, ...inOrbit }),
    (line, names) =>
      celestial(
        "asteroidBelt",
        line,
        ownName(line) ?? after(names, line.orbitID, ` - Asteroid Belt ${line.orbitIndex}`)
      )
  ),
  member(
    "mapStargates.jsonl",
    ["celestials"],
    Schema.Struct({ ...placed, destination: Schema.Struct({ solarSystemID: Id }) }),
    (line, { places }) => {
      const destination = places.get(line.destination.solarSystemID)
      return celestial("stargate", line, destination === undefined ? undefined : `Stargate (${destination})`)
    }
  ),
  member(
    "stationOperations.jsonl",
    [],
    Schema.Struct({ _key: Id, operationName: Text }),
    ({ _key, operationName }, { operations }) => {
      operations.set(_key, operationName.en)
      return {}
    }
  ),
  member(
    "npcStations.jsonl",
    ["celestials"],
    Schema.Struct({
      ...placed,
      orbitID: optionalId,
      ownerID: Id,
      operationID: optionalId,
      useOperationName: Schema.optionalKey(Schema.Boolean)
    }),
    (line, names) => {
      const operation = names.operations.get(line.operationID ?? -1)
      const owner = after(names, line.ownerID, line.useOperationName === true && operation ? ` ${operation}` : "")
      return celestial("station", line, owner === undefined ? undefined : after(names, line.orbitID, ` - ${owner}`))
    }
  )
]
