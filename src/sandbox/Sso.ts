/**
 * EVE's SSO, as login.eveonline.com speaks OAuth 2 in 2026: a page to choose a character, codes with PKCE, access tokens that
 * are JWTs, refresh tokens, and its refusals.
 */
import { createHash } from "node:crypto"
import type { Killmail } from "../domain/Killmail.ts"
import type { Census } from "./Census.ts"
import type { Judge } from "./Judge.ts"
import { pilotOf } from "./People.ts"
import { accessLife, type Consent, type SsoGrants, ssoGrants } from "./SsoGrants.ts"
import { type Holder, ssoTokens } from "./SsoTokens.ts"
import { type Answer, type Ask, json, type Upstream } from "./Upstream.ts"
import type { Killboard } from "./ZkbApi.ts"

/** The application that is registered here. With PKCE it need not show its secret. */
export const ssoClient = { id: "5a0d1ce0f5a9d0b0c0ffee0000c0ffee", secret: "eat_sandbox_secret" }

/** So many pilots are offered on the page: who is on most of the newest killmails, and always the first of all. */
const offered = { busy: 8, first: 4 }

export interface Sso extends Upstream {
  /** Whose access token it is; nobody's once it has expired. */
  readonly holderOf: SsoGrants["holderOf"]
  /** The character is sold: another owner, and no grant is left. */
  readonly transfer: (characterId: number) => void
  /** The pilot takes back what was allowed to all applications. */
  readonly revokeAll: (characterId: number) => void
}

export const sso = (census: Census, killmails: Killboard, judge: Judge, seed: string, speed: number): Sso => {
  const grants = ssoGrants(speed)
  const tokens = ssoTokens()
  const sales = new Map<number, number>()

  const holder = ({ characterId, clientId, scopes }: Consent): Holder => ({
    characterId,
    clientId,
    scopes,
    name: census.nameOf(characterId) ?? "",
    owner: createHash("sha1").update(`${seed} ${characterId} ${sales.get(characterId) ?? 0}`).digest("base64")
  })

  const answer = (ask: Ask): Answer => {
    switch (ask.path) {
      case "/.well-known/oauth-authorization-server":
        return json(200, metadataOf(issuerOf(ask)))
      case "/oauth/jwks":
        return json(200, tokens.jwks())
      case "/v2/oauth/authorize":
        return authorize(ask)
      case "/v2/oauth/token":
        return token(ask)
      case "/v2/oauth/revoke":
        return revoke(ask)
      default:
        return page(404, "There is no such page.")
    }
  }

  const authorize = (ask: Ask): Answer => {
    const { query } = ask
    const client = query.get("client_id")
    const redirectUri = query.get("redirect_uri")
    const state = query.get("state")
    if (client !== ssoClient.id) return page(400, "The client ID is not registered.")
    if (redirectUri === null || !URL.canParse(redirectUri)) return page(400, "The redirect URI is not registered.")
    if (query.get("response_type") !== "code") return page(400, "The response type must be code.")
    if (state === null || state === "") return page(400, "The state is missing.")
    const challenge = query.get("code_challenge") ?? undefined
    if (challenge !== undefined && query.get("code_challenge_method") !== "S256") {
      return page(400, "The code challenge method must be S256.")
    }
    const scopes = scopesIn(query.get("scope"))
    const character = query.get("character")
    if (character === null) return choice(ask, scopes)
    const back = (answered: Readonly<Record<string, string>>): Answer => {
      const target = new URL(redirectUri)
      for (const [name, value] of Object.entries({ ...answered, state })) target.searchParams.set(name, value)
      return { status: 302, headers: { location: target.href, "cache-control": "no-store" }, body: "" }
    }
    if (character === "none") return back({ error: "access_denied" })
    // Told only once the pilot has signed in.
    const unknown = scopes.find((scope) => !isScope(scope))
    if (unknown !== undefined) {
      return page(400, `invalid_scope: the requested scope ${unknown} is invalid, unknown, or malformed.`)
    }
    const characterId = Number(character)
    if (!census.isCharacter(characterId)) return page(400, "There is no such character.")
    const code = grants.consent({ clientId: client, characterId, scopes, redirectUri, challenge }, ask.at)
    return back({ code })
  }

  const choice = (ask: Ask, scopes: ReadonlyArray<string>): Answer => {
    const first = Array.from({ length: offered.first }, (_, number) => pilotOf(seed, number).character)
    const links = [...new Set([...busiestOn(killmails(ask.at)), ...first])].map((id) => {
      const query = new URLSearchParams(ask.query)
      query.set("character", String(id))
      return `<li><a href="?${escaped(query.toString())}">${escaped(census.nameOf(id) ?? "")}</a></li>`
    })
    const refusal = new URLSearchParams(ask.query)
    refusal.set("character", "none")
    return html(
      200,
      `<h1>Who are you?</h1><ul>${links.join("")}</ul><p>It wants ${
        escaped(scopes.join(", ") || "nothing more")
      }.</p>` +
        `<p><a href="?${escaped(refusal.toString())}">Cancel</a></p>`
    )
  }

  const token = (ask: Ask): Answer => {
    if (!/^application\/x-www-form-urlencoded\b/.test(ask.headers["content-type"] ?? "")) {
      return refused("invalid_request", "Content type must be application/x-www-form-urlencoded.")
    }
    const form = new URLSearchParams(ask.body)
    const client = clientOf(ask, form)
    if (client === "unknown") return refused("invalid_client", "Unknown client or invalid client secret.", 401)
    switch (form.get("grant_type")) {
      case "authorization_code":
        return redeem(ask, form, client)
      case "refresh_token":
        return refresh(ask, form)
      default:
        return refused("unsupported_grant_type", "The grant type is not supported.")
    }
  }

  const redeem = (ask: Ask, form: URLSearchParams, client: Client): Answer => {
    const code = grants.redeem(form.get("code") ?? "", ask.at)
    if (code === undefined) return refused("invalid_grant", "Authorization code is invalid, expired or used.")
    if (code.challenge === undefined && client === "public") {
      return refused("invalid_client", "Client secret is missing.", 401)
    }
    const verifier = form.get("code_verifier") ?? ""
    if (code.challenge !== undefined && createHash("sha256").update(verifier).digest("base64url") !== code.challenge) {
      return refused("invalid_grant", "The code verifier does not match.")
    }
    const redirectUri = form.get("redirect_uri")
    if (redirectUri !== null && redirectUri !== code.redirectUri) {
      return refused("invalid_grant", "The redirect URI does not match.")
    }
    return granted(ask, grants.open(code), code.scopes)
  }

  const refresh = (ask: Ask, form: URLSearchParams): Answer => {
    const grant = grants.refresh(form.get("refresh_token") ?? "")
    if (grant === undefined) {
      return refused("invalid_grant", "Invalid refresh token. Character grant missing/expired.")
    }
    const wanted = form.get("scope") === null ? grant.scopes : scopesIn(form.get("scope"))
    if (!wanted.every((scope) => grant.scopes.includes(scope))) {
      return refused("invalid_scope", "The requested scope is invalid, unknown, or exceeds what was granted.")
    }
    return granted(ask, grant, wanted)
  }

  const granted = (
    ask: Ask,
    { characterId, clientId, refreshTokens }: Consent & { readonly refreshTokens: ReadonlyArray<string> },
    scopes: ReadonlyArray<string>
  ): Answer => {
    const issuedAt = Math.floor(ask.at / 1000)
    const consent = { characterId, clientId, scopes }
    const access = tokens.issue(holder(consent), issuerOf(ask), issuedAt, issuedAt + accessLife / 1000 / speed)
    grants.remember(access, consent, ask.at)
    const refreshToken = refreshTokens.at(-1)
    return json(200, {
      access_token: access,
      expires_in: (accessLife / 1000 - 1) / speed,
      token_type: "Bearer",
      ...(refreshToken === undefined ? {} : { refresh_token: refreshToken })
    }, { "cache-control": "no-store" })
  }

  /** It is always well. */
  const revoke = (ask: Ask): Answer => {
    grants.revoke(new URLSearchParams(ask.body).get("token") ?? "")
    return { status: 200, body: "" }
  }

  return {
    name: "sso",
    environment: ["KILLMAILD_SSO_URL", "/sso"],
    scopeOf: () => "sso",
    answer: (ask) => {
      if (/\b(access|refresh)_token=/.test(ask.query.toString())) {
        judge.accuse(ask, "protocol", "a token stood in the address")
      }
      return answer(ask)
    },
    takesPost: (path) => path === "/v2/oauth/token" || path === "/v2/oauth/revoke",
    holderOf: grants.holderOf,
    transfer: (characterId) => {
      sales.set(characterId, (sales.get(characterId) ?? 0) + 1)
      grants.revokeAll(characterId)
    },
    revokeAll: grants.revokeAll
  }
}

const busiestOn = (killmails: ReadonlyArray<Killmail>): ReadonlyArray<number> => {
  const counts = new Map<number, number>()
  for (const { attackers, victim } of killmails) {
    for (const { character_id: id } of [victim, ...attackers]) {
      if (id !== undefined) counts.set(id, (counts.get(id) ?? 0) + 1)
    }
  }
  return [...counts].toSorted(([, one], [, other]) => other - one).slice(0, offered.busy).map(([id]) => id)
}

/** Its own address, as it was called. */
const issuerOf = ({ headers }: Ask): string => `http://${headers.host ?? "localhost"}/sso`

const metadataOf = (issuer: string) => ({
  issuer,
  authorization_endpoint: `${issuer}/v2/oauth/authorize`,
  token_endpoint: `${issuer}/v2/oauth/token`,
  userinfo_endpoint: `${issuer}/v2/oauth/verify`,
  response_types_supported: ["code", "token"],
  jwks_uri: `${issuer}/oauth/jwks`,
  revocation_endpoint: `${issuer}/v2/oauth/revoke`,
  subject_types_supported: ["public"],
  token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post", "client_secret_jwt"],
  code_challenge_methods_supported: ["S256"]
})

type Client = "confidential" | "public"

const clientOf = ({ headers }: Ask, form: URLSearchParams): Client | "unknown" => {
  const basic = /^Basic (.+)$/i.exec(headers.authorization ?? "")?.[1]
  const [id, secret] = basic === undefined
    ? [form.get("client_id"), form.get("client_secret")]
    : Buffer.from(basic, "base64").toString().split(":")
  if (id !== ssoClient.id) return "unknown"
  return secret === null || secret === undefined ? "public" : secret === ssoClient.secret ? "confidential" : "unknown"
}

const scopesIn = (text: string | null): ReadonlyArray<string> => (text ?? "").split(" ").filter((part) => part !== "")

const isScope = (scope: string): boolean => scope === "publicData" || /^esi-[a-z_]+\.[a-z_]+\.v\d+$/.test(scope)

const refused = (error: string, description: string, status = 400): Answer =>
  json(status, { error, error_description: description }, { "cache-control": "no-store" })

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll("\"", "&quot;")

const html = (status: number, body: string): Answer => ({
  status,
  headers: { "content-type": "text/html; charset=utf-8" },
  body: `<!doctype html><title>EVE SSO of the sandbox</title>${body}`
})

const page = (status: number, text: string): Answer => html(status, `<p>${escaped(text)}</p>`)
