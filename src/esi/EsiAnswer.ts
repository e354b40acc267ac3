/** What an answer of ESI means, by status and body. Pure. */
import { Effect, Schema } from "effect"
import {
  EsiError,
  EsiHashMismatch,
  EsiNotFound,
  type EsiReason,
  EsiRefused,
  EsiUnavailable,
  EsiUndecodable
} from "./EsiError.ts"

export interface EsiAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
}

export const isHtml = ({ headers, text }: EsiAnswer): boolean =>
  /html/i.test(headers["content-type"] ?? "") || text.trimStart().startsWith("<")

/** Reads the body of an answer as JSON of this shape. */
export const decoder = <A>(schema: Schema.Codec<A, unknown>) => {
  const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(schema))
  return (path: string) => (answer: EsiAnswer): Effect.Effect<A, EsiError> => {
    return isHtml(answer)
      ? undecodable(path, "it is a page of HTML.")
      : Effect.catchTag(decode(answer.text), "SchemaError", ({ message }) => undecodable(path, message))
  }
}

const undecodable = (path: string, problem: string) =>
  Effect.fail(new EsiError({ reason: new EsiUndecodable({ path, problem: problem.slice(0, 300) }) }))

/**
 * Why an answer cannot be used; `undefined` for a 2xx and for the 304 that an etag asks for. 420 and 429, being no answers yet, are EsiClient's.
 * A page of HTML comes from something before ESI, so its 404 or 403 is not ESI's own.
 */
export const problemOf = (path: string, answer: EsiAnswer): EsiReason | undefined => {
  const { status } = answer
  if ((status >= 200 && status < 300) || status === 304) return undefined
  const problem = describeBody(answer)
  if (status >= 500 || isHtml(answer)) {
    return new EsiUnavailable({ path, status, problem: `status ${status} with ${problem}` })
  }
  if (status === 404) return new EsiNotFound({ path })
  if (status === 422) return new EsiHashMismatch({ path })
  return new EsiRefused({ path, status, problem })
}

const describeBody = (answer: EsiAnswer): string =>
  answer.text === "" ? "an empty body." : isHtml(answer) ? "a page of HTML." : answer.text.slice(0, 200)
