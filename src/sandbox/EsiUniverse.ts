/** ESI's routes about the game itself, `/universe/{kind}/{id}`: the same facts as in the sandbox's static data. */
import { charts, constellations, regions } from "./Atlas.ts"
import { categories, groups, types } from "./Catalogue.ts"

const kinds = {
  types: (id: number) => {
    const type = types.get(id)
    return type && {
      type_id: id,
      name: type.name,
      description: "",
      group_id: type.group.id,
      published: true,
      ...(type.marketGroup === undefined ? {} : { market_group_id: type.marketGroup }),
      dogma_attributes: [...type.dogma, [1692, type.metaGroup] as const].map(([attribute_id, value]) => ({
        attribute_id,
        value
      }))
    }
  },
  groups: (id: number) => {
    const group = groups.find((group) => group.id === id)
    return group && {
      group_id: id,
      name: group.name,
      category_id: group.category,
      published: true,
      types: [...types.values()].filter((type) => type.group.id === id).map((type) => type.id)
    }
  },
  categories: (id: number) => {
    const category = categories.find((category) => category.id === id)
    return category && {
      category_id: id,
      name: category.name,
      published: true,
      groups: groups.filter((group) => group.category === id).map((group) => group.id)
    }
  },
  systems: (id: number) => {
    const system = charts.get(id)
    return system && {
      system_id: id,
      name: system.name,
      constellation_id: system.constellation.id,
      security_status: system.trueSecurity,
      position: { x: 0, y: 0, z: 0 },
      star_id: system.sun,
      planets: system.planets.map((planet) => ({
        planet_id: planet.id,
        moons: system.moons.filter((moon) => moon.orbit === planet.id).map((moon) => moon.id)
      })),
      stargates: system.gates.map((gate) => gate.id),
      stations: system.stations.map((station) => station.id)
    }
  },
  constellations: (id: number) => {
    const constellation = constellations.find((constellation) => constellation.id === id)
    return constellation && {
      constellation_id: id,
      name: constellation.name,
      position: { x: 0, y: 0, z: 0 },
      region_id: constellation.region,
      systems: [...charts.values()].filter((system) => system.constellation.id === id).map((system) => system.id)
    }
  },
  regions: (id: number) => {
    const region = regions.find((region) => region.id === id)
    return region && {
      region_id: id,
      name: region.name,
      constellations: constellations.filter((constellation) => constellation.region === id).map(({ id }) => id)
    }
  }
}

export const universeRoute =
  /^(?:\/latest|\/v\d)?\/universe\/(types|groups|categories|systems|constellations|regions)\/(\d{1,15})\/?$/

/** The body for a path of this route; nothing for an id that does not exist. */
export const universeBody = (path: string): object | undefined => {
  const [, kind, id] = universeRoute.exec(path)!
  return kinds[kind as keyof typeof kinds](Number(id))
}

/** Milliseconds until 11:05 UTC, when all of it expires. */
export const universeFreshness = (now: number): number => {
  const day = 86_400_000
  return day - (now - (11 * 60 + 5) * 60_000) % day
}
