/** How endpoints of the contract refuse: RFC 9457 problem details, one class a status. */
import { Context } from "effect"
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

export class Forbidden extends HttpApiError.Problem<Forbidden>()("Forbidden", {
  type: "about:blank",
  status: 403,
  title: "Forbidden"
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

/** Who asks, and in which session. */
export class CurrentVisitor extends Context.Service<CurrentVisitor, {
  readonly userId: string
  readonly sessionId: string
}>()("killmaild/api/CurrentVisitor") {}

/** Lets in whoever signed in: by a session's access token as a bearer token or, from our own pages, by its cookie. */
export class SignedIn extends HttpApiMiddleware.Service<SignedIn, { provides: CurrentVisitor }>()(
  "killmaild/api/SignedIn",
  { security: { bearer: HttpApiSecurity.bearer }, error: [Unauthorized, Forbidden, Unavailable] }
) {}

/** Lets in the operator, and whoever signed in. */
export class Contributor extends HttpApiMiddleware.Service<Contributor>()("killmaild/api/Contributor", {
  security: { bearer: HttpApiSecurity.bearer },
  error: [Unauthorized, Forbidden, Unavailable]
}) {}
