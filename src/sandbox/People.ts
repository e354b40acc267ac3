/**
 * The capsuleers of the sandbox, their corporations and alliances: invented, in the id ranges of the real game, all pure
 * functions of the seed or of the id itself, so that nothing needs to be remembered.
 */
import { gameNameOf, schools } from "./Gazetteer.ts"
import { drawOf, randomOf } from "./Random.ts"

/** As many as are seen on killmails in a few days. A few are on many mails, most on one or two. */
const population = 24_000
const corporations = 3_000
const alliances = 300

export interface Pilot {
  readonly character: number
  readonly corporation: number
  readonly alliance: number | undefined
  /** Rounded to one decimal, as killmails have it. */
  readonly securityStatus: number
}

/** The pilot with this number, from 0 to `population - 1`. */
export const pilotOf = (seed: string, number: number): Pilot => {
  const random = randomOf(seed, "pilot", number)
  const inSchool = random.chance(0.12)
  // Neighbours by number share a corporation, so that a gang can be drawn as a run of numbers; the first are the largest.
  const corporation = Math.floor(corporations * (number / population) ** 2.5)
  const mood = random.next()
  return {
    // The older range of ids, then the newer one; the step keeps them unique and out of order.
    character: number % 3 === 0
      ? 90_000_000 + spread(seed, "old", number, 7_999_993)
      : 2_112_000_000 + spread(seed, "new", number, 17_999_987),
    corporation: inSchool ? random.pick(schools).id : corporationOf(seed, corporation),
    alliance: inSchool ? undefined : allianceOf(seed, corporation),
    securityStatus: Math.round((mood < 0.4 ? 5 * mood / 0.4 : mood < 0.7 ? 0 : -10 * (mood - 0.7) / 0.3) * 10) / 10
  }
}

/** All of them. */
export const pilots = (seed: string): ReadonlyArray<Pilot> =>
  Array.from({ length: population }, (_, number) => pilotOf(seed, number))

export const corporationOf = (seed: string, number: number): number =>
  98_000_000 + spread(seed, "corporation", number, 999_983)

/** Two of three corporations are in an alliance. */
export const allianceOf = (seed: string, corporation: number): number | undefined => {
  const draw = drawOf(seed, "alliance of", corporation)
  return draw < 1 / 3
    ? undefined
    : 99_000_000 + spread(seed, "alliance", Math.floor(alliances * ((draw - 1 / 3) * 1.5) ** 2), 99_991)
}

/** A pilot's number from a draw between 0 and 1, or from any whole number, which wraps around. */
export const numberOf = (draw: number): number => Math.floor(population * draw)
export const wrap = (number: number): number => ((number % population) + population) % population

/** What `/universe/names` would answer for this id: the game's own name, or an invented one fixed by the id. */
export const nameOf = (id: number): string | undefined => gameNameOf(id) ?? inventedNameOf(id)

const inventedNameOf = (id: number): string | undefined => {
  const random = randomOf("name", id)
  const within = (low: number, high: number) => id >= low && id < high
  const word = () => random.pick(starts) + random.pick(ends)
  if (within(90_000_000, 98_000_000) || within(100_000_000, 2_130_000_000)) return `${word()} ${word()}`
  if (within(98_000_000, 99_000_000)) return `${random.pick(kinds)} ${word()} ${random.pick(bodies)}`
  if (within(99_000_000, 100_000_000)) return `${word()} ${random.pick(unions)}`
  return undefined
}

/** Another place for every number below `range`, which is prime: no two share one, and neighbours lie far apart. */
const spread = (seed: string, kind: string, number: number, range: number): number =>
  (number * 7_368_787 + Math.floor(drawOf(seed, kind) * range)) % range

const words = (text: string): ReadonlyArray<string> => text.split(" ")
const starts = words(
  "Ar Bel Cor Dar El Fen Gal Hak Is Jov Kar Lor Mir Nar Oth Pel Qua Ral Sar Tor Ul Var Wen Xan Yl Zer"
)
const ends = words("a aden ara eth ian ik ila in ir is ith o ol on or os ossa oth uen un ura us")
const kinds = words(
  "Black Crimson Distant Fallen First Frozen Gilded Hidden Iron Last Northern Quiet Red Silent Wandering"
)
const bodies = words(
  "Armada Brotherhood Company Foundry Guard Holdings Industries Legion Logistics Miners Navy Society"
)
const unions = words("Accord Alliance Coalition Collective Compact Dominion Federation League Pact Syndicate Union")
