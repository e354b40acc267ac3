/** What answers `/api/v1/killmails`. */
import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { idsOf, toDocument, toEsi } from "../domain/Document.ts"
import { iskNumber } from "../domain/Isk.ts"
import { refFromUrl } from "../domain/Killmail.ts"
import { valuationVersion } from "../domain/Valuation.ts"
import { Appraiser } from "../intake/Appraiser.ts"
import { Submissions } from "../intake/Submissions.ts"
import { KillmailReader } from "../store/KillmailReader.ts"
import { Names } from "../store/Names.ts"
import { Api } from "./Api.ts"
import { BadRequest, NotFound } from "./ApiErrors.ts"
import { unavailable } from "./Unavailable.ts"

export const KillmailsHandlers = HttpApiBuilder.group(
  Api,
  "killmails",
  Effect.fn(function*(handlers) {
    const reader = yield* KillmailReader
    const names = yield* Names
    const appraiser = yield* Appraiser
    const submissions = yield* Submissions

    const find = Effect.fnUntraced(function*(id: number) {
      const row = yield* unavailable(reader.find(id))
      return Option.isSome(row) ? row.value : yield* new NotFound({ detail: `There is no killmail ${id} here.` })
    })

    return handlers.handleAll({
      byId: Effect.fnUntraced(function*({ params }) {
        const row = yield* find(params.id)
        return toDocument(row, yield* unavailable(names.namesOf(idsOf(row))))
      }),
      esi: ({ params }) => Effect.map(find(params.id), toEsi),
      valuation: Effect.fnUntraced(function*({ params }) {
        const { valuation } = yield* unavailable(appraiser.appraise(toEsi(yield* find(params.id))))
        return {
          killmail_id: params.id,
          day: valuation.day,
          version: valuationVersion,
          value: {
            destroyed: iskNumber(valuation.destroyed),
            dropped: iskNumber(valuation.dropped),
            fitted: iskNumber(valuation.fitted),
            total: iskNumber(valuation.total),
            unpriced_items: valuation.unpriced_items
          },
          items: valuation.lines.map((line) => ({ ...line, price: iskNumber(line.price) }))
        }
      }),
      submit: Effect.fnUntraced(function*({ payload }) {
        const ref = "url" in payload ? refFromUrl(payload.url) : { ...payload, hash: payload.hash.toLowerCase() }
        if (ref === undefined) {
          return yield* new BadRequest({
            detail: "url: wants the address of a killmail at ESI, https://esi.evetech.net/killmails/{id}/{hash}/."
          })
        }
        return yield* unavailable(submissions.submit(ref))
      })
    })
  })
)
