/**
 * Who is who in New Eden, as ESI tells it: everybody follows from the seed or from their id, but for what a test changes by
 * hand.
 */
import { corporationOf, nameOf, pilots } from "./People.ts"
import { drawOf } from "./Random.ts"

export interface Affiliation {
  readonly corporation_id: number
  readonly alliance_id?: number
  readonly faction_id?: number
}

export interface Census {
  /** Of anything in the game; of nobody who never was. */
  readonly nameOf: (id: number) => string | undefined
  readonly isCharacter: (id: number) => boolean
  readonly isCorporation: (id: number) => boolean
  readonly isAlliance: (id: number) => boolean
  /** Of a character; the deleted ones are in Doomheim. */
  readonly affiliationOf: (characterId: number) => Affiliation
  readonly allianceOf: (corporationId: number) => number | undefined
  /** Deleted or closed. */
  readonly isGone: (id: number) => boolean
  /** Whether a character has the role Director in its corporation. */
  readonly isDirector: (characterId: number) => boolean

  readonly rename: (id: number, name: string) => void
  /** A character to another corporation, or a corporation to another alliance. */
  readonly move: (id: number, affiliation: Affiliation | { readonly alliance_id?: number }) => void
  readonly appoint: (characterId: number, isDirector: boolean) => void
  /** A character is deleted, a corporation or alliance closed. */
  readonly end: (id: number) => void
  /** There never was such an id. */
  readonly forget: (id: number) => void
}

const doomheim = 1_000_001

/** Share of the characters. */
const directors = 0.1

export const censusOf = (seed: string): Census => {
  const renamed = new Map<number, string>()
  const moved = new Map<number, Affiliation | { readonly alliance_id?: number }>()
  const gone = new Set<number>()
  const never = new Set<number>()
  const appointed = new Map<number, boolean>()
  let everybody: Residents | undefined
  const residents = () => everybody ??= residentsOf(seed)

  const within = (id: number, low: number, high: number) => id >= low && id < high && !never.has(id)
  // Of ids from 100,000,000 on, all given out before 2010, nobody can tell the kind.
  const isOld = (id: number) => within(id, 100_000_000, 2_100_000_000)

  const allianceNow = (corporationId: number): number | undefined => {
    const move = moved.get(corporationId)
    return move === undefined ? residents().alliances.get(corporationId) : move.alliance_id
  }
  const affiliationNow = (characterId: number): Affiliation => {
    const move = moved.get(characterId)
    if (move !== undefined && "corporation_id" in move) return move
    const corporation_id = residents().corporations.get(characterId) ??
      corporationOf(seed, Math.floor(3_000 * drawOf(seed, "corporation of", characterId)))
    const alliance_id = allianceNow(corporation_id)
    return { corporation_id, ...(alliance_id === undefined ? {} : { alliance_id }) }
  }

  return {
    nameOf: (id) => never.has(id) ? undefined : renamed.get(id) ?? nameOf(id),
    isCharacter: (id) => within(id, 90_000_000, 98_000_000) || within(id, 100_000_000, 2_130_000_000),
    isCorporation: (id) => within(id, 98_000_000, 99_000_000) || within(id, 1_000_000, 2_000_000) || isOld(id),
    isAlliance: (id) => within(id, 99_000_000, 100_000_000) || isOld(id),
    affiliationOf: (id) => gone.has(id) ? { corporation_id: doomheim } : affiliationNow(id),
    allianceOf: allianceNow,
    isGone: (id) => gone.has(id),
    isDirector: (id) => appointed.get(id) ?? drawOf(seed, "director", id) < directors,
    rename: (id, name) => void renamed.set(id, name),
    move: (id, affiliation) => void moved.set(id, affiliation),
    appoint: (id, isDirector) => void appointed.set(id, isDirector),
    end: (id) => void gone.add(id),
    forget: (id) => void never.add(id)
  }
}

interface Residents {
  readonly corporations: ReadonlyMap<number, number>
  readonly alliances: ReadonlyMap<number, number>
}

/** The affiliations that the generated killmails show. */
const residentsOf = (seed: string): Residents => {
  const corporations = new Map<number, number>()
  const alliances = new Map<number, number>()
  for (const { alliance, character, corporation } of pilots(seed)) {
    corporations.set(character, corporation)
    if (alliance !== undefined) alliances.set(corporation, alliance)
  }
  return { corporations, alliances }
}
