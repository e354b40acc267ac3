/** What answers for characters, corporations and alliances. */
import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { CharacterGroups } from "../store/CharacterGroups.ts"
import { EntityReader } from "../store/EntityReader.ts"
import { Names } from "../store/Names.ts"
import { Api } from "./Api.ts"
import { BadRequest, Conflict, NotFound } from "./ApiErrors.ts"
import { withTimes } from "./EntityTimes.ts"
import { unavailable } from "./Unavailable.ts"

const found = <Row>(kind: string, id: number, row: Option.Option<Row>) =>
  Option.isSome(row)
    ? Effect.succeed(row.value)
    : Effect.fail(new NotFound({ detail: `There is no ${kind} ${id} here.` }))

export const EntitiesHandlers = HttpApiBuilder.group(
  Api,
  "entities",
  Effect.fn(function*(handlers) {
    const reader = yield* EntityReader
    const groups = yield* CharacterGroups
    const names = yield* Names

    const namesOf = (...ids: ReadonlyArray<number | null>) =>
      Effect.map(names.namesOf(ids.filter((id) => id !== null)), (known) => Object.fromEntries(known))

    return handlers.handleAll({
      character: Effect.fnUntraced(function*({ params: { id } }) {
        const row = yield* found("character", id, yield* unavailable(reader.character(id)))
        const group = Option.getOrNull(yield* unavailable(reader.group(id)))
        const { alliance_id, corporation_id, faction_id } = row
        const others = group === null ? [] : [group.main_character_id, ...group.alts]
        return {
          ...withTimes(row),
          group,
          names: yield* unavailable(namesOf(id, corporation_id, alliance_id, faction_id, ...others))
        }
      }),
      corporation: Effect.fnUntraced(function*({ params: { id } }) {
        const row = yield* found("corporation", id, yield* unavailable(reader.corporation(id)))
        return { ...withTimes(row), names: yield* unavailable(namesOf(id, row.alliance_id, row.faction_id)) }
      }),
      alliance: Effect.fnUntraced(function*({ params: { id } }) {
        return withTimes(yield* found("alliance", id, yield* unavailable(reader.alliance(id))))
      }),
      setGroup: Effect.fnUntraced(function*({ params: { id }, payload }) {
        if (payload.alts.includes(id)) {
          return yield* new BadRequest({ detail: `alts: ${id} is the main, wants only its alts.` })
        }
        const group = { main_character_id: id, alts: [...new Set(payload.alts)].toSorted((a, b) => a - b) }
        const grouped = yield* unavailable(groups.set(group))
        if (Option.isNone(grouped)) return group
        const { character_id, main_character_id } = grouped.value
        return yield* new Conflict({
          detail: `${character_id} is an alt of ${main_character_id}; a character is in one group only.`
        })
      })
    })
  })
)
