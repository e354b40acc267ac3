/**
 * Wanderer, a mapper of wormholes, by its API of one map (v1.101, 2026): what each of its users did there, and whose
 * characters are whose. It tells totals alone, and without `days` those of all time, as far as it remembers.
 */
import { Effect, Option, Redacted, Schema, Tracer } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { boundedText } from "../BoundedText.ts"
import type { MapActivity } from "../domain/MapActivity.ts"
import { retryAfterMillis } from "../RetryAfter.ts"
import { Settings, userAgentFor } from "../Settings.ts"

/** The key does not fit, there is no such map, or the API is switched off. */
export class WandererRefused extends Schema.TaggedError<WandererRefused>()("WandererRefused", {
  message: Schema.String
}) {}

/** No usable answer, which may be another the next time. */
export class WandererUnavailable extends Schema.TaggedError<WandererUnavailable>()("WandererUnavailable", {
  message: Schema.String,
  /** Milliseconds that it asks us to wait, where it says so. */
  retryAfter: Schema.optionalKey(Schema.Finite)
}) {}

/** The map of the settings. */
export interface WandererMap {
  readonly url: URL
  readonly slug: string
  readonly key: Redacted.Redacted
}

export const mapOf = ({ wandererKey, wandererSlug, wandererUrl }: Settings["Service"]): Option.Option<WandererMap> =>
  wandererSlug === ""
    ? Option.none()
    : Option.map(wandererKey, (key) => ({ url: wandererUrl, slug: wandererSlug, key }))

/** Until an answer was read whole, in milliseconds. */
const deadlineMillis = 30_000

/** Written as a number or as digits. */
const EveId = Schema.Union([Schema.Int, Schema.String.check(Schema.isPattern(/^\d{1,15}$/))])
const Character = Schema.Struct({
  eve_id: EveId,
  corporation_id: Schema.optionalKey(Schema.NullOr(EveId)),
  alliance_id: Schema.optionalKey(Schema.NullOr(EveId))
})
const Activity = Schema.Struct({
  character: Schema.NullOr(Character),
  passages: Schema.Int,
  connections: Schema.Int,
  signatures: Schema.Int
})
const User = Schema.Struct({ characters: Schema.Array(Character) })

const ask = Effect.fnUntraced(
  function*<A>({ key, slug, url }: WandererMap, what: string, item: Schema.Codec<A, unknown>) {
    const client = yield* HttpClient.HttpClient
    const userAgent = yield* userAgentFor(yield* Settings, url)
    const unavailable = (problem: string, retryAfter?: number) =>
      new WandererUnavailable({
        message: `Wanderer's ${what} cannot be had: ${problem}.`,
        ...(retryAfter === undefined ? {} : { retryAfter })
      })
    const request = HttpClientRequest.get(`${url.href.replace(/\/+$/, "")}/api/map/${what}`, {
      urlParams: { slug },
      headers: { "user-agent": userAgent, accept: "application/json", authorization: `Bearer ${Redacted.value(key)}` }
    })
    const { headers, status, text } = yield* client.execute(request).pipe(
      Effect.flatMap((response) =>
        Effect.map(boundedText(response), (text) => ({ status: response.status, headers: response.headers, text }))
      ),
      Effect.provideService(Tracer.DisablePropagation, true),
      Effect.timeoutOrElse({ duration: deadlineMillis, orElse: () => Effect.fail(unavailable("it did not answer")) }),
      Effect.catchTag(["HttpClientError", "AnswerTooLarge"], ({ message }) => Effect.fail(unavailable(message)))
    )
    if (status === 429) return yield* unavailable("it answered 429", retryAfterMillis(headers) || undefined)
    if (status >= 400 && status < 500) {
      return yield* new WandererRefused({
        message:
          `Wanderer answered ${status} about map ${slug}, wants KILLMAILD_WANDERER_SLUG and KILLMAILD_WANDERER_KEY ` +
          `to be those of one map with its API on.`
      })
    }
    if (status !== 200) return yield* unavailable(`it answered ${status}`)
    const answer = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Struct({ data: Schema.Array(item) })))(text)
    if (Option.isNone(answer)) return yield* unavailable("its answer cannot be read")
    return answer.value.data
  }
)

/**
 * Totals of all time, one row a user, under the character that did most. Nothing may mean that Wanderer failed, too. It
 * forgets jumps after a week and the rest after 12, unless it is newer than August 2026.
 */
export const characterActivity = (map: WandererMap) =>
  Effect.map(
    ask(map, "character-activity", Activity),
    (rows) =>
      rows.flatMap(({ character, ...counters }): ReadonlyArray<MapActivity> =>
        character === null ? [] : [{
          characterId: Number(character.eve_id),
          corporationId: idOrNull(character.corporation_id),
          allianceId: idOrNull(character.alliance_id),
          ...counters
        }]
      )
  )

/** The characters of each user. */
export const userCharacters = (map: WandererMap) =>
  Effect.map(
    ask(map, "user_characters", User),
    (users) => users.map(({ characters }) => characters.map(({ eve_id }) => Number(eve_id)))
  )

const idOrNull = (id: typeof EveId.Type | null | undefined): number | null =>
  id === null || id === undefined ? null : Number(id)
