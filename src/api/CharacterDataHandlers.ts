/** What answers `/api/v1/me/characters/{id}/…`. */
import { Effect, Option } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { CharacterData, type CharacterDataKind, type NotedChange, type ShownData } from "../store/CharacterData.ts"
import { Api } from "./Api.ts"
import { CurrentVisitor, NotFound } from "./ApiErrors.ts"
import { usualLimit } from "./Shapes.ts"
import { unavailable } from "./Unavailable.ts"

export const CharacterDataHandlers = HttpApiBuilder.group(
  Api,
  "characterData",
  Effect.fn(function*(handlers) {
    const store = yield* CharacterData

    const found = Effect.fnUntraced(function*(characterId: number, kind: CharacterDataKind) {
      const { userId } = yield* CurrentVisitor
      const row = yield* unavailable(store.find(userId, characterId, kind))
      return Option.isSome(row) ? row.value : yield* noCharacter(characterId)
    })

    /** Whoever has what it is since it last changed is told so. */
    const show = (kind: CharacterDataKind) =>
      Effect.fnUntraced(function*({ params: { id } }: { readonly params: { readonly id: number } }) {
        const row = yield* found(id, kind)
        const etag = `W/"${row.changed_at?.getTime() ?? 0}"`
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        return headers["if-none-match"] === etag
          ? HttpServerResponse.empty({ status: 304, headers: { etag } })
          : HttpServerResponse.jsonUnsafe(shownData(row), { headers: { etag } })
      })

    return handlers.handleAll({
      skills: show("skills"),
      mail: show("mail"),
      orders: show("orders"),
      industry: show("industry"),
      planets: show("planets"),
      changes: Effect.fnUntraced(function*({ params: { id }, query: { cursor, kind, limit = usualLimit } }) {
        const { userId } = yield* CurrentVisitor
        // Whose it is not is told so, rather than that nothing changed.
        yield* found(id, kind ?? "skills")
        // One more tells whether there is another page.
        const rows = yield* unavailable(
          store.changes(userId, { characterId: id, kind, before: cursor, limit: limit + 1 })
        )
        const data = rows.slice(0, limit)
        return { data: data.map(shownChange), next_cursor: rows.length > limit ? String(data.at(-1)!.id) : null }
      })
    })
  })
)

export const noCharacter = (id: number) => new NotFound({ detail: `You have no character ${id} here.` })

export const shownData = ({ changed_at, data, due_at, synced_at }: ShownData) => ({
  data,
  changed_at: changed_at?.toISOString() ?? null,
  synced_at: synced_at?.toISOString() ?? null,
  next_sync_at: due_at.toISOString()
})

export const shownChange = ({ at, noticed_at, ...row }: NotedChange) => ({
  ...row,
  at: at.toISOString(),
  noticed_at: noticed_at.toISOString()
})
