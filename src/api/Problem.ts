/** RFC 9457 problem details for answers that no endpoint of the contract gives. */
import { Cause, Effect } from "effect"
import { HttpServerError, HttpServerRequest, HttpServerResponse, ProblemDetails } from "effect/http"
import { STATUS_CODES } from "node:http"
import type { Duplex } from "node:stream"
import { countError } from "../telemetry/Metrics.ts"
import { methodsOf } from "./Methods.ts"

/** Bytes of a request's body. */
export const maxBodyBytes = 1_000_000

const details: Readonly<Record<number, string>> = {
  400: "The request cannot be read.",
  404: "There is nothing here; /docs lists what there is.",
  408: "The request did not come in time.",
  413: `Wants a body of at most ${maxBodyBytes} bytes.`,
  415: "Wants a body of JSON (Content-Type: application/json).",
  417: "Wants no such expectation; 100-continue is met.",
  431: "Wants fewer or shorter headers.",
  500: "That is a fault of killmaild; its log says more.",
  503: "killmaild cannot answer now; try again shortly."
}

const bodyOf = (status: number, detail = details[status]) => ({
  type: ProblemDetails.blankType,
  title: STATUS_CODES[status],
  status,
  detail
})

export const problem = (status: number, detail?: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(bodyOf(status, detail), { status, contentType: ProblemDetails.contentType })

/** The same on a connection that asked for an upgrade; it ends. */
export const refuse = (
  socket: Duplex,
  status: number,
  detail?: string,
  headers: Readonly<Record<string, string>> = {}
): void => {
  const body = JSON.stringify(bodyOf(status, detail))
  const lines = Object.entries({
    "Connection": "close",
    "Content-Type": ProblemDetails.contentType,
    "Content-Length": String(Buffer.byteLength(body)),
    "X-Content-Type-Options": "nosniff",
    ...headers
  }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${body}`)
}

/** The library's own refusals have no body, or a text. */
const withBody = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse => {
  const { body, status } = response
  const isBare = body._tag === "Empty" || body.contentType?.startsWith("text/plain") === true
  return status >= 400 && isBare ? problem(status) : response
}

/** There is no such path, or not for this method. */
const notThere = ({ method, url }: HttpServerRequest.HttpServerRequest) => {
  const methods = methodsOf(URL.parse(url, "http://localhost")?.pathname ?? "/")
  if (methods.length === 0 || methods.includes(method)) return problem(404)
  const allow = methods.join(", ")
  return HttpServerResponse.setHeader(problem(405, `${method}: wants ${allow} here.`), "allow", allow)
}

/** Longer than any answer takes to begin: a poll of RedisQ's kind waits for 10 seconds, and then asks the database. */
const answerDeadline = "20 seconds"

/** An answer that does not begin in time is given up. */
export const withDeadline = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.timeoutOrElse(app, {
    duration: answerDeadline,
    orElse: () => Effect.succeed(problem(503, `There was no answer within ${answerDeadline}; try again shortly.`))
  })

/** Who may not in is told how to show who it is. */
const withChallenge = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  response.status === 401
    ? HttpServerResponse.setHeader(response, "www-authenticate", "Bearer realm=\"killmaild\"")
    : response

/** Whatever goes wrong outside the contract is told as a problem too: never an empty answer, nor the inside of ours. */
export const withProblems = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  app.pipe(
    Effect.map((response) => withChallenge(withBody(response))),
    Effect.catchCause((cause) => {
      if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)
      return Effect.flatMap(HttpServerError.causeResponse(cause), ([response]) =>
        response.status === 404
          ? Effect.map(HttpServerRequest.HttpServerRequest, notThere)
          : response.status < 500
          ? Effect.succeed(withBody(response))
          : Effect.logError("A request failed", cause).pipe(
            Effect.andThen(countError("api", "defect")),
            Effect.as(withBody(response))
          ))
    })
  )
