/** A character's colonies on planets. ESI works one out anew only when its owner looks at it in the game. */
import { Effect, Schema } from "effect"
import type { Change } from "../store/CharacterData.ts"
import { groupOf, isoOf, type Kind } from "./Kind.ts"

const Planet = Schema.Struct({
  planet_id: Schema.Int,
  solar_system_id: Schema.Int,
  planet_type: Schema.String,
  owner_id: Schema.Int,
  upgrade_level: Schema.Int,
  num_pins: Schema.Int,
  last_update: Schema.String
})

const Pin = Schema.Struct({
  pin_id: Schema.Int,
  type_id: Schema.Int,
  schematic_id: Schema.optionalKey(Schema.Int),
  install_time: Schema.optionalKey(Schema.String),
  expiry_time: Schema.optionalKey(Schema.String),
  last_cycle_start: Schema.optionalKey(Schema.String),
  extractor_details: Schema.optionalKey(Schema.Struct({
    /** Seconds. */
    cycle_time: Schema.optionalKey(Schema.Int),
    product_type_id: Schema.optionalKey(Schema.Int),
    qty_per_cycle: Schema.optionalKey(Schema.Int)
  }))
})
/** Without its links and routes. */
const Colony = Schema.Struct({ pins: Schema.Array(Pin) })

const Document = Schema.Struct({ planets: Schema.Array(Schema.Struct({ ...Planet.fields, ...Colony.fields })) })
type Document = typeof Document.Type
type Planet = Document["planets"][number]

const group = groupOf("char-industry")
const planetsRoute = { route: "/characters/{character_id}/planets", group, schema: Schema.Array(Planet) }
const colonyRoute = { route: "/characters/{character_id}/planets/{planet_id}", group, schema: Colony }

export const planets: Kind<Document> = {
  name: "planets",
  scopes: ["esi-planets.manage_planets.v1"],
  document: Document,
  read: Effect.fnUntraced(function*(ask, before) {
    const { body } = yield* ask(planetsRoute, before?.planets)
    const known = new Map(before?.planets.map((planet) => [planet.planet_id, planet]))
    const planets: Array<Planet> = []
    for (const planet of body) {
      const { planet_id } = planet
      const { body: colony } = yield* ask(colonyRoute, known.get(planet_id), { planet_id })
      planets.push({ ...planet, pins: colony.pins })
    }
    return { planets }
  }),
  changes: (before, after, { since, until }) => {
    const earlier = new Set(extractors(before).map(({ run }) => run))
    const finished = extractors(after).filter(({ end, run }) => end <= until && !(earlier.has(run) && end <= since))
    const founded = after.planets.filter((planet) => !isIn(before, planet))
    const left = before.planets.filter((planet) => !isIn(after, planet))
    return [
      ...finished.map(({ data, end, run }) => noted("extractor_finished", run, isoOf(end), data)),
      ...founded.map((planet) => ofColony("colony_founded", planet, until)),
      ...left.map((planet) => ofColony("colony_abandoned", planet, until))
    ]
  },
  ends: (document) => extractors(document).map(({ end }) => isoOf(end))
}

const isIn = ({ planets }: Document, { planet_id }: Planet): boolean =>
  planets.some((planet) => planet.planet_id === planet_id)

/** Each with what tells one run of it from the next. */
const extractors = ({ planets }: Document) =>
  planets.flatMap(({ pins, planet_id, planet_type, solar_system_id }) =>
    pins.flatMap(({ expiry_time, extractor_details, pin_id }) => {
      if (expiry_time === undefined || extractor_details === undefined) return []
      const data = {
        planet_id,
        planet_type,
        solar_system_id,
        product_type_id: extractor_details.product_type_id ?? null
      }
      return [{ run: `${pin_id}:${expiry_time}`, end: Date.parse(expiry_time), data }]
    })
  )

const ofColony = (change: string, planet: Planet, now: number): Change => {
  const { planet_id, planet_type, solar_system_id } = planet
  return noted(change, `${planet_id}:${isoOf(now)}`, isoOf(now), { planet_id, planet_type, solar_system_id })
}

const noted = (change: string, subject: string, at: string, data: Change["data"]): Change => ({
  change,
  subject,
  at,
  data: { ...data, at }
})
