/** How endpoints of the contract refuse: RFC 9457 problem details, one class a status. */
import { HttpApiError, HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"

export class NotFound extends HttpApiError.Problem<NotFound>()("NotFound", {
  type: "about:blank",
  status: 404,
  title: "Not Found"
}) {}

export class Unauthorized extends HttpApiError.Problem<Unauthorized>()("Unauthorized", {
  type: "about:blank",
  status: 401,
  title: "Unauthorized"
}) {}

export class BadRequest extends HttpApiError.Problem<BadRequest>()("BadRequest", {
  type: "about:blank",
  status: 400,
  title: "Bad Request"
}) {}

export class NotAcceptable extends HttpApiError.Problem<NotAcceptable>()("NotAcceptable", {
  type: "about:blank",
  status: 406,
  title: "Not Acceptable"
}) {}

export class Conflict extends HttpApiError.Problem<Conflict>()("Conflict", {
  type: "about:blank",
  status: 409,
  title: "Conflict"
}) {}

export class Unavailable extends HttpApiError.Problem<Unavailable>()("Unavailable", {
  type: "about:blank",
  status: 503,
  title: "Service Unavailable"
}) {}

/** Lets in whoever shows the admin token as a bearer token. */
export class Operator extends HttpApiMiddleware.Service<Operator>()("killmaild/api/Operator", {
  security: { bearer: HttpApiSecurity.bearer },
  error: Unauthorized
}) {}
