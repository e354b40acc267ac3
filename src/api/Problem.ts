/** RFC 9457 problem details for answers that no endpoint of the contract gives. */
import { HttpServerResponse, ProblemDetails } from "effect/http"
import { STATUS_CODES } from "node:http"

export const problem = (status: number, detail: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe({ type: ProblemDetails.blankType, title: STATUS_CODES[status], status, detail }, {
    status,
    contentType: ProblemDetails.contentType
  })
