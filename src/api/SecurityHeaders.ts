/** What browsers are told not to do with our answers. */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import { createHash } from "node:crypto"

const always = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'"
}

/** Seconds: a year. */
const strictTransport = { "strict-transport-security": "max-age=31536000" }

const scripts = /<script>([^]*?)<\/script>/g

/** A page may run the scripts that are in it, and ask this server. */
const policyOfPage = (html: string): string => {
  const hashes = [...html.matchAll(scripts)].map(([, script]) =>
    `'sha256-${createHash("sha256").update(script!).digest("base64")}'`
  )
  return [
    "default-src 'none'",
    `script-src 'self' ${hashes.join(" ")}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'"
  ].join("; ")
}

/** Pages are megabytes, and few. */
const policies = new WeakMap<Uint8Array, string>()
const policyFor = ({ body }: HttpServerResponse.HttpServerResponse): string | undefined => {
  if (body._tag !== "Uint8Array" || !body.contentType.startsWith("text/html")) return undefined
  const known = policies.get(body.body)
  if (known !== undefined) return known
  const policy = policyOfPage(new TextDecoder().decode(body.body))
  policies.set(body.body, policy)
  return policy
}

/** Adds them, but for what the answer says itself. `isHttps` is whether clients come by HTTPS, as through a proxy. */
export const withSecurityHeaders =
  (isHttps: boolean) => <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
    Effect.map(app, (response) => {
      const policy = policyFor(response)
      return HttpServerResponse.setHeaders(response, {
        ...always,
        ...(policy === undefined ? {} : { "content-security-policy": policy }),
        ...(isHttps ? strictTransport : {}),
        ...response.headers
      })
    })
