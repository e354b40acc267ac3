/** What answers the endpoints of Api.ts. */
import { Effect, Layer, Option, Redacted } from "effect"
import { HttpApiBuilder, HttpApiMiddleware } from "effect/http-api"
import type { SqlError } from "effect/sql"
import { idsOf, toDocument, toEsi } from "../domain/Document.ts"
import { iskNumber } from "../domain/Isk.ts"
import { normaliseTime, refFromUrl } from "../domain/Killmail.ts"
import { valuationVersion } from "../domain/Valuation.ts"
import { Appraiser } from "../intake/Appraiser.ts"
import { Submissions } from "../intake/Submissions.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { CharacterGroups } from "../store/CharacterGroups.ts"
import { within } from "../store/Deadline.ts"
import { type AllianceRow, EntityReader } from "../store/EntityReader.ts"
import { FeedStore } from "../store/FeedStore.ts"
import { KillmailReader } from "../store/KillmailReader.ts"
import { Names } from "../store/Names.ts"
import { countError } from "../telemetry/Metrics.ts"
import { AdminToken } from "./AdminToken.ts"
import { Api, BadRequest, Conflict, NotFound, Operator, Unauthorized, Unavailable } from "./Api.ts"

/** The database must answer a request within this. */
const deadline = "5 seconds"

/** The database is not there: that is our fault and passes, so 503. The client learns no more. */
const unavailable = <A, R>(effect: Effect.Effect<A, SqlError.SqlError, R>): Effect.Effect<A, Unavailable, R> =>
  Effect.catch(
    within(deadline)(effect),
    (error) =>
      Effect.logError("The database failed a request", error).pipe(
        Effect.andThen(countError("api", "database")),
        Effect.andThen(Effect.fail(new Unavailable({ detail: "The database cannot be reached; try again shortly." })))
      )
  )

const KillmailsHandlers = HttpApiBuilder.group(
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

/** As JSON writes it: to the second. */
const times = <Row extends Pick<AllianceRow, "seen_at" | "refreshed_at" | "deleted_at">>(row: Row) => ({
  ...row,
  seen_at: timeOf(row.seen_at),
  refreshed_at: timeOf(row.refreshed_at),
  deleted_at: timeOf(row.deleted_at)
})
const timeOf = (time: Date | null): string | null => time === null ? null : normaliseTime(time.toISOString())

const found = <Row>(kind: string, id: number, row: Option.Option<Row>) =>
  Option.isSome(row)
    ? Effect.succeed(row.value)
    : Effect.fail(new NotFound({ detail: `There is no ${kind} ${id} here.` }))

const EntitiesHandlers = HttpApiBuilder.group(
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
        const group = Option.getOrNull(yield* unavailable(groups.groupOf(id)))
        const { alliance_id, corporation_id, faction_id } = row
        const others = group === null ? [] : [group.main_character_id, ...group.alts]
        return {
          ...times(row),
          group,
          names: yield* unavailable(namesOf(id, corporation_id, alliance_id, faction_id, ...others))
        }
      }),
      corporation: Effect.fnUntraced(function*({ params: { id } }) {
        const row = yield* found("corporation", id, yield* unavailable(reader.corporation(id)))
        return { ...times(row), names: yield* unavailable(namesOf(id, row.alliance_id, row.faction_id)) }
      }),
      alliance: Effect.fnUntraced(function*({ params: { id } }) {
        return times(yield* found("alliance", id, yield* unavailable(reader.alliance(id))))
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

const SystemHandlers = HttpApiBuilder.group(
  Api,
  "system",
  Effect.fn(function*(handlers) {
    const feeds = yield* FeedStore
    const queue = yield* JobQueue
    return handlers.handleAll({
      feeds: () =>
        Effect.map(unavailable(feeds.status), (rows) => ({
          data: rows.map((row) => ({
            ...row,
            moved_at: row.moved_at.toISOString(),
            heard_at: row.heard_at?.toISOString() ?? null
          })),
          next_cursor: null
        })),
      queue: () =>
        Effect.map(unavailable(queue.stats()), (rows) => ({
          data: rows.map((row) => ({ ...row, oldest_waiting: row.oldest_waiting?.toISOString() ?? null })),
          next_cursor: null
        }))
    })
  })
)

const OperatorLive = Layer.effect(
  Operator,
  Effect.gen(function*() {
    const token = yield* AdminToken
    return Operator.of({
      bearer: (effect, { credential }) =>
        token.matches(Redacted.value(credential))
          ? effect
          : Effect.fail(new Unauthorized({ detail: "Wants the admin token: Authorization: Bearer …" }))
    })
  })
)

/** Every endpoint of the contract, with `/openapi.json`. */
export const layer = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide([KillmailsHandlers, EntitiesHandlers, SystemHandlers]),
  Layer.provide([OperatorLive, HttpApiMiddleware.layerProblemDetails({ includeDetails: true })])
)
