/** What answers for a pilot's own killmails. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { shownIds, toSummary } from "../domain/Summary.ts"
import { KillmailLists, type ListStatus } from "../store/KillmailLists.ts"
import { Names } from "../store/Names.ts"
import { Users } from "../store/Users.ts"
import { WithheldKillmails } from "../store/WithheldKillmails.ts"
import { Api } from "./Api.ts"
import { BadRequest, CurrentVisitor, Forbidden } from "./ApiErrors.ts"
import { noCharacter } from "./CharacterDataHandlers.ts"
import { cursorOf, placeIn } from "./Cursor.ts"
import { usualLimit } from "./Shapes.ts"
import { unavailable } from "./Unavailable.ts"

const included = { items: false, attackers: false }

export const OwnKillmailsHandlers = HttpApiBuilder.group(
  Api,
  "ownKillmails",
  Effect.fn(function*(handlers) {
    const users = yield* Users
    const lists = yield* KillmailLists
    const withheld = yield* WithheldKillmails
    const names = yield* Names

    return handlers.handleAll({
      characters: Effect.fnUntraced(function*() {
        const { userId } = yield* CurrentVisitor
        const characters = yield* unavailable(users.characters(userId))
        const told = yield* unavailable(lists.statuses({ userId }))
        const data = characters.map(({ character_id, name }) => ({
          character_id,
          name,
          killmail_lists: told.filter((list) => list.character_id === character_id).map(shownList)
        }))
        return { data, next_cursor: null }
      }),
      killmails: Effect.fnUntraced(function*({ query: { cursor, limit = usualLimit } }) {
        const { userId } = yield* CurrentVisitor
        const after = cursor === undefined ? undefined : placeIn(cursor)
        if (cursor !== undefined && after === undefined) {
          return yield* new BadRequest({ detail: "cursor: wants the next_cursor of the page before." })
        }
        const rows = yield* unavailable(withheld.ofUser(userId, { after, limit }))
        const known = yield* unavailable(names.namesOf(rows.flatMap((row) => [...shownIds(row, included)])))
        return {
          data: rows.map((row) => ({
            ...toSummary(row, included, known),
            public: row.is_public,
            visible_from: row.visible_from?.toISOString() ?? null
          })),
          next_cursor: rows.length < limit ? null : cursorOf(rows.at(-1)!)
        }
      }),
      holdBackCharacter: Effect.fnUntraced(function*({ params: { id }, payload }) {
        const { userId } = yield* CurrentVisitor
        const list = { kind: "character" as const, id }
        if (!(yield* unavailable(withheld.mayDecide(userId, list)))) {
          return yield* noCharacter(id)
        }
        yield* unavailable(withheld.holdBack(list, payload.held_back))
      }),
      holdBackCorporation: Effect.fnUntraced(function*({ params: { id }, payload }) {
        const { userId } = yield* CurrentVisitor
        const list = { kind: "corporation" as const, id }
        if (!(yield* unavailable(withheld.mayDecide(userId, list)))) {
          return yield* new Forbidden({
            detail:
              `Wants a director of corporation ${id}: one of your characters for whom ESI listed its killmails of late.`
          })
        }
        yield* unavailable(withheld.holdBack(list, payload.held_back))
      })
    })
  })
)

export const shownList = ({ failed, found, held_back, id, kind, known, new: added, next_at, read_at }: ListStatus) => ({
  kind,
  id,
  read_at: read_at?.toISOString() ?? null,
  next_at: next_at.toISOString(),
  held_back,
  found,
  new: added,
  known,
  failed
})
