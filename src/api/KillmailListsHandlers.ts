/** What answers lists of killmails: a page of JSON, or all that fits as lines of NDJSON or CSV, page by page. */
import { Effect, Option, Stream } from "effect"
import { Csv } from "effect/encoding"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import type { KillmailRow } from "../domain/Document.ts"
import type { Filter } from "../domain/Filter.ts"
import { type Included, shownIds, tableColumns, toSummary, toTableRow } from "../domain/Summary.ts"
import { KillmailSearch, type Place } from "../store/KillmailSearch.ts"
import { Names } from "../store/Names.ts"
import { Api } from "./Api.ts"
import { BadRequest, NotAcceptable } from "./ApiErrors.ts"
import { cursorOf, placeIn } from "./Cursor.ts"
import { filterIn } from "./FilterQuery.ts"
import { usualLimit } from "./Shapes.ts"
import { unavailable } from "./Unavailable.ts"

/** Killmails that are read at a time while lines are written. */
const linesAtOnce = 500

/** What the query says besides the filter. */
interface Paging {
  readonly limit?: number
  readonly cursor?: string
  readonly include?: string
}

type Format = "json" | "ndjson" | "csv"

const mediaTypes: ReadonlyMap<string, Format> = new Map([
  ["application/json", "json"],
  ["application/*", "json"],
  ["*/*", "json"],
  ["application/x-ndjson", "ndjson"],
  ["text/csv", "csv"]
])

/** The first of what the client prefers that there is. */
const formatFor = (accept = "*/*"): Format | undefined =>
  accept.split(",")
    .map((range) => {
      const [type = "", ...parameters] = range.split(";").map((part) => part.trim().toLowerCase())
      const quality = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2)
      return { format: mediaTypes.get(type), quality: quality === undefined ? 1 : Number(quality) }
    })
    .filter(({ format, quality }) => format !== undefined && quality > 0)
    .toSorted((a, b) => b.quality - a.quality)[0]?.format

export const KillmailListsHandlers = HttpApiBuilder.group(
  Api,
  "lists",
  Effect.fn(function*(handlers) {
    const search = yield* KillmailSearch
    const names = yield* Names

    const summaries = Effect.fnUntraced(function*(rows: ReadonlyArray<KillmailRow>, included: Included) {
      const known = yield* names.namesOf(rows.flatMap((row) => [...shownIds(row, included)]))
      return rows.map((row) => toSummary(row, included, known))
    })

    /** The first page is asked for before the answer begins: it tells whether there will be one. */
    const lines = Effect.fnUntraced(
      function*(filter: Filter, after: Place | undefined, limit: number | undefined, included: Included) {
        const pageAfter = (place: Place | undefined, left: number) =>
          Effect.map(
            search.page(filter, { after: place, limit: Math.min(left, linesAtOnce), ...included }),
            (page) => ({ page, left: left - page.rows.length })
          )
        const first = yield* unavailable(pageAfter(after, limit ?? Number.POSITIVE_INFINITY))
        return Stream.paginate(first, ({ left, page }) =>
          Effect.gen(function*() {
            const lines = yield* summaries(page.rows, included)
            const isLast = page.next === undefined || left === 0
            return [lines, isLast ? Option.none() : Option.some(yield* pageAfter(page.next, left))] as const
          }))
      }
    )

    const list = Effect.fnUntraced(function*(
      { query: { cursor, include, limit }, request }: {
        readonly query: Paging
        readonly request: HttpServerRequest.HttpServerRequest
      },
      of: Filter = {}
    ) {
      const filter = { ...(yield* filterIn(request, ["limit", "cursor", "include"])), ...of }
      const included = {
        items: include?.includes("items") === true,
        attackers: include?.includes("attackers") === true
      }
      const after = cursor === undefined ? undefined : placeIn(cursor)
      if (cursor !== undefined && after === undefined) {
        return yield* new BadRequest({ detail: "cursor: wants the next_cursor of the page before." })
      }
      const headers = { vary: "Accept" }
      switch (formatFor(request.headers["accept"])) {
        case "json": {
          const most = limit ?? usualLimit
          const { next, rows } = yield* unavailable(search.page(filter, { after, limit: most, ...included }))
          const data = yield* unavailable(summaries(rows, included))
          return HttpServerResponse.jsonUnsafe({ data, next_cursor: cursorOf(next) }, { headers })
        }
        case "ndjson": {
          const found = yield* lines(filter, after, limit, included)
          return HttpServerResponse.stream(
            Stream.encodeText(Stream.map(found, (summary) => JSON.stringify(summary) + "\n")),
            { contentType: "application/x-ndjson", headers }
          )
        }
        case "csv": {
          const found = yield* lines(filter, after, limit, included)
          return HttpServerResponse.stream(
            found.pipe(
              Stream.map(toTableRow),
              Stream.pipeThroughChannel(Csv.encode({ columns: tableColumns, headers: true }))
            ),
            { contentType: "text/csv; charset=utf-8", headers }
          )
        }
        case undefined:
          return yield* new NotAcceptable({
            detail: "Accept: wants application/json, application/x-ndjson or text/csv."
          })
      }
    })

    return handlers.handleAll({
      all: (asked) => list(asked),
      ofCharacter: (asked) => list(asked, { character: [asked.params.id] }),
      ofCorporation: (asked) => list(asked, { corporation: [asked.params.id] }),
      ofAlliance: (asked) => list(asked, { alliance: [asked.params.id] })
    })
  })
)
