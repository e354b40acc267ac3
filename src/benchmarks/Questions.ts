/** What people ask of a history, in HTTP: several of each kind, chosen from what the statistics know. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { firstCharacter, jita } from "./GeneratedHistory.ts"

export interface Question {
  readonly name: string
  /** Asked in turns. */
  readonly paths: ReadonlyArray<string>
  /** Whether an answer can be true. */
  readonly fits: (answer: unknown) => boolean
}

/** Of each kind. */
const several = 10

const isPage = (answer: unknown): answer is { readonly data: ReadonlyArray<unknown> } =>
  Array.isArray((answer as { readonly data?: unknown }).data)
const isEmpty = (answer: unknown) => isPage(answer) && answer.data.length === 0
const isSome = (answer: unknown) => isPage(answer) && answer.data.length > 0

const list = (filters: ReadonlyArray<string>) => filters.map((filter) => `/api/v1/killmails?${filter}`)
const each = (ids: ReadonlyArray<number>, filterOf: (id: number) => string) => list(ids.map(filterOf))
const question = (name: string, paths: ReadonlyArray<string>, fits: Question["fits"] = isSome): Question => ({
  name,
  paths,
  fits
})

export const questionsOf = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  /** Who was on most killmails of all time, from a rank on. */
  const busiest = (kind: string, from = 0) =>
    Effect.map(
      sql<{ id: number }>`
        select id::float8 as id
        from statistics
        where period = 'all' and kind = ${kind}::statistics_kind
        order by kills + losses desc, statistics.id
        limit ${several}
        offset ${from}`,
      (rows) => rows.map(({ id }) => id)
    )
  const lastSeenIn2009 = Effect.map(
    sql<{ id: number }>`
      select id::float8 as id
      from statistics
      where period = 'month' and kind = 'character'
      group by statistics.id
      having max(start) >= '2009-01-01' and max(start) < '2010-01-01'
      order by sum(kills + losses) desc, statistics.id
      limit ${several}`,
    (rows) => rows.map(({ id }) => id)
  )
  const some = Effect.map(
    sql<{ id: number }>`
      select killmail_id::float8 as id
      from killmail_ledger
      where killmail_id % greatest(1, (select count(*) from killmail_ledger) / 100) = 0
      limit 100`,
    (rows) => rows.map(({ id }) => id)
  )

  const [character, corporation, alliance, system, ship] = [
    yield* busiest("character"),
    yield* busiest("corporation"),
    yield* busiest("alliance"),
    yield* busiest("system"),
    yield* busiest("type")
  ]
  const rareShip = yield* busiest("type", 300)
  return [
    question("newest of all", list([""])),
    question("busy character", character.map((id) => `/api/v1/characters/${id}/killmails`)),
    question("character last seen in 2009", each(yield* lastSeenIn2009, (id) => `character=${id}`)),
    question("character never seen", each([firstCharacter - 1], (id) => `character=${id}`), isEmpty),
    question("corporation", each(corporation, (id) => `corporation=${id}`)),
    question("alliance", each(alliance, (id) => `alliance=${id}`)),
    question("system", each(system, (id) => `system=${id}`)),
    question("ship, as victim", each(ship, (id) => `ship=${id}&role=victim`)),
    question("ship, as attacker", each(ship, (id) => `ship=${id}&role=attacker`)),
    question("ship, as either", each(ship, (id) => `ship=${id}`), isPage),
    question("rare ship, as either", each(rareShip, (id) => `ship=${id}`), isPage),
    question("character and ship", each(character, (id) => `character=${id}&ship=${ship[id % ship.length]}`), isPage),
    question("three fields", each(alliance, (id) => `alliance=${id}&system=${jita}&min_value=1e7`), isPage),
    question(
      "three fields, rarely fit",
      each(character, (id) => `character=${id}&ship=${rareShip[0]}&system=${jita}`),
      isPage
    ),
    question("statistics", character.map((id) => `/api/v1/characters/${id}/stats`), () => true),
    question("by id", (yield* some).map((id) => `/api/v1/killmails/${id}`), () => true)
  ]
})
