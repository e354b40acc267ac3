/**
 * Every setting: its name, default, meaning and the values it takes. Read from the environment; a secret may also come
 * from the file that `<NAME>_FILE` names. README's table and `killmaild settings` are made from this list.
 */
import { Context, Effect, Layer, Option, Redacted, Result, Schema } from "effect"
import { IpNetwork, NetAddress } from "effect/net"
import { readFileSync } from "node:fs"
import { userInfo } from "node:os"

/** A setting that cannot be used: one line that names it, what it got and what it wants. Stops the start. */
export class SettingInvalid extends Schema.TaggedError<SettingInvalid>()("SettingInvalid", {
  name: Schema.String,
  message: Schema.String
}) {}

interface Setting<A> {
  readonly name: string
  /** As one would write it in the environment; empty for "unset". */
  readonly fallback: string
  readonly meaning: string
  readonly secret: boolean
  /** Completes the sentence "…, wants …". */
  readonly wants: string
  /** `undefined` refuses the text. */
  readonly read: (text: string) => A | undefined
}

const text = (name: string, fallback: string, meaning: string): Setting<string> => ({
  name,
  fallback,
  meaning,
  secret: false,
  wants: "a text",
  read: (value) => value
})

const notEmpty = (setting: Setting<string>): Setting<string> => ({
  ...setting,
  wants: "a text that is not empty",
  read: (value) => value.trim() === "" ? undefined : value
})

const secret = (name: string, meaning: string): Setting<Option.Option<Redacted.Redacted>> => ({
  name,
  fallback: "",
  meaning,
  secret: true,
  wants: "a text",
  read: (value) => value === "" ? Option.none() : Option.some(Redacted.make(value))
})

const number = (
  name: string,
  fallback: string,
  range: { readonly min: number; readonly max: number; readonly whole: boolean },
  meaning: string
): Setting<number> => ({
  name,
  fallback,
  meaning,
  secret: false,
  wants: `a ${range.whole ? "whole number" : "number"} from ${range.min} to ${range.max}`,
  read: (value) => {
    const parsed = value.trim() === "" ? Number.NaN : Number(value)
    const fits = parsed >= range.min && parsed <= range.max && (!range.whole || Number.isInteger(parsed))
    return fits ? parsed : undefined
  }
})

/** Milliseconds, written `250ms`, `6s`, `5m` or, without a unit, as seconds. */
const duration = (name: string, fallback: string, meaning: string): Setting<number> => ({
  name,
  fallback,
  meaning,
  secret: false,
  wants: "a duration such as 250ms, 6s or 5m",
  read: (value) => {
    const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)?$/.exec(value.trim())
    if (match === null) return undefined
    const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] ?? "s"]!
    return Number(match[1]) * unit
  }
})

const url = (
  name: string,
  fallback: string,
  protocols: ReadonlyArray<string>,
  meaning: string
): Setting<Option.Option<URL>> => ({
  name,
  fallback,
  meaning,
  secret: false,
  wants: `a URL that begins with ${protocols.map((protocol) => `${protocol}//`).join(" or ")}`,
  read: (value) => {
    if (value === "") return Option.none()
    const parsed = URL.parse(value)
    return parsed !== null && protocols.includes(parsed.protocol) ? Option.some(parsed) : undefined
  }
})

const baseUrl = (name: string, fallback: string, meaning: string): Setting<URL> => {
  const optional = url(name, fallback, ["https:", "http:"], meaning)
  return {
    ...optional,
    read: (value) => {
      const parsed = optional.read(value)
      return parsed === undefined ? undefined : Option.getOrUndefined(parsed)
    }
  }
}

const oneOf = <const A extends string>(
  name: string,
  fallback: A,
  values: ReadonlyArray<A>,
  meaning: string
): Setting<A> => ({
  name,
  fallback,
  meaning,
  secret: false,
  wants: `one of ${values.join(", ")}`,
  read: (value) => values.find((candidate) => candidate === value)
})

/** A comma-separated list; empty means none. */
const listOf = <const A extends string>(
  name: string,
  fallback: string,
  values: ReadonlyArray<A> | undefined,
  meaning: string
): Setting<ReadonlyArray<A>> => ({
  name,
  fallback,
  meaning,
  secret: false,
  wants: values === undefined
    ? "a comma-separated list"
    : `a comma-separated list of ${values.join(", ")}; empty for none`,
  read: (value) => {
    const parts = value.split(",").map((part) => part.trim()).filter((part) => part !== "")
    return values === undefined || parts.every((part) => (values as ReadonlyArray<string>).includes(part))
      ? parts as ReadonlyArray<string> as ReadonlyArray<A>
      : undefined
  }
})

const networkIn = (text: string): IpNetwork.IpNetwork | undefined =>
  Result.getOrUndefined(
    text.includes("/")
      ? IpNetwork.fromString(text)
      : Result.flatMap(NetAddress.ipFromString(text), (address) =>
        IpNetwork.fromAddress(address, NetAddress.width(address)))
  )

/** A comma-separated list, each part as it is read, of which none may be undefined. */
const those = <A>(
  name: string,
  wants: string,
  readOne: (text: string) => A | undefined,
  meaning: string
): Setting<ReadonlyArray<A>> => {
  const list = listOf<string>(name, "", undefined, meaning)
  return {
    ...list,
    wants: `a comma-separated list of ${wants}`,
    read: (value) => {
      const parts = list.read(value)!.map(readOne)
      return parts.every((part) => part !== undefined) ? parts : undefined
    }
  }
}

const originIn = (text: string): string | undefined =>
  /^(\*|[a-z][a-z0-9+.-]*:\/\/[^/?#\sA-Z]+)$/.test(text) ? text : undefined

const appAddressIn = (text: string): string | undefined =>
  URL.canParse(text) && !/^(javascript|data):/i.test(text) ? text : undefined

const placeIn = (text: string): string | undefined => {
  const place = text.toLowerCase()
  return /^([a-z0-9._-]+|\[[0-9a-f:.]+\]):\d{1,5}$/.test(place) ? place : undefined
}

/** What a daemon does. Several processes may share it: `serve --roles`. */
export const roles = ["feeds", "jobs", "api"] as const
export type Role = typeof roles[number]

export const feedNames = ["r2z2", "evekill", "evekill_ws", "redisq"] as const
export type FeedName = typeof feedNames[number]

const samplerNames = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio"
] as const
export type SamplerName = typeof samplerNames[number]

/** A key of AES-256, by the id under which what it encrypted is remembered. */
export interface EncryptionKey {
  readonly id: string
  readonly key: Uint8Array
}

/** Written `id:base64,…`; undefined for what is no such list. */
export const keysIn = (list: string): ReadonlyArray<EncryptionKey> | undefined => {
  const keys = list.split(",").map((part) => {
    const [, id, text] = /^\s*(\w{1,32}):([\w+/-]{43}=?)\s*$/.exec(part) ?? []
    return id === undefined ? undefined : { id, key: Buffer.from(text!, "base64") }
  })
  const fits = keys.every((key) => key?.key.length === 32) && new Set(keys.map((key) => key?.id)).size === keys.length
  return fits ? keys as ReadonlyArray<EncryptionKey> : undefined
}

/** A service account of Google that may send messages to devices, as Google's console hands it out, in JSON. */
const ServiceAccount = Schema.Struct({
  project_id: Schema.String.check(Schema.isPattern(/^[a-z0-9-]{1,60}$/)),
  client_email: Schema.String.check(Schema.isMinLength(1)),
  private_key: Schema.String.check(Schema.isPattern(/^-----BEGIN PRIVATE KEY-----/)),
  private_key_id: Schema.optionalKey(Schema.String),
  /** Where a signed claim is exchanged for an access token. */
  token_uri: Schema.String.check(Schema.isPattern(/^https?:\/\//))
})
export type ServiceAccount = typeof ServiceAccount.Type
const decodeAccount = Schema.decodeUnknownOption(Schema.fromJsonString(ServiceAccount))

/** Clients decode the parts of a URL, and a lone `%` in a password would end them. */
const isPercentEncoded = (value: string): boolean => !/%(?![0-9a-fA-F]{2})/.test(value)

/** OpenTelemetry's rule for its settings. */
const unsetWhenEmpty = <A>(setting: Setting<A>): Setting<A> => ({
  ...setting,
  read: (value) => setting.read(value === "" ? setting.fallback : value)
})

/** As libpq does: without a user in the URL, the one who runs the program. */
const withUser = (value: string): string => {
  const parsed = new URL(value)
  if (parsed.username !== "") return value
  try {
    parsed.username = userInfo().username
  } catch {
    // A user without a name, as in a container: Postgres will say what it misses.
    return value
  }
  return parsed.href
}

const definitions = {
  databaseUrl: {
    ...secret(
      "DATABASE_URL",
      "Postgres 18 to use, `postgres://user:password@host:port/database`; unset: an embedded one in the data directory"
    ),
    wants: "a URL that begins with postgres:// or postgresql://, other characters than letters and digits in its " +
      "password percent-encoded",
    read: (value: string) =>
      value === ""
        ? Option.none<Redacted.Redacted>()
        : /^postgres(ql)?:$/.test(URL.parse(value)?.protocol ?? "") && isPercentEncoded(value)
        ? Option.some(Redacted.make(withUser(value)))
        : undefined
  },
  dataDir: notEmpty(text("KILLMAILD_DATA_DIR", ".killmaild", "where keys and the embedded Postgres are kept")),
  host: notEmpty(text("KILLMAILD_HOST", "127.0.0.1", "address to listen on")),
  port: number("KILLMAILD_PORT", "8080", { min: 0, max: 65_535, whole: true }, "port to listen on; 0 takes a free one"),
  contact: {
    ...text(
      "KILLMAILD_CONTACT",
      "",
      "how upstreams reach you, an email address first; goes into every User-Agent. Without it only loopback upstreams are called"
    ),
    wants: "a line of ASCII such as you@example.org",
    read: (value: string) => /^[ -~]*$/.test(value) ? value.trim() : undefined
  },
  adminToken: secret(
    "KILLMAILD_ADMIN_TOKEN",
    "bearer token of the operator; unset: generated into the data directory as `admin-token`"
  ),
  allowedOrigins: those(
    "KILLMAILD_ALLOWED_ORIGINS",
    "origins such as https://mapper.example.org, without a path, or *",
    originIn,
    "origins whose pages may read answers in a browser and open a WebSocket, `*` for all; our own always may"
  ),
  publicUrl: url(
    "KILLMAILD_PUBLIC_URL",
    "",
    ["https:", "http:"],
    "where browsers find this daemon when a proxy is before it; with https:// they are told to come by nothing else"
  ),
  trustedProxies: those(
    "KILLMAILD_TRUSTED_PROXIES",
    "addresses or networks such as 127.0.0.1 or 10.0.0.0/8",
    networkIn,
    "proxies whose X-Forwarded-For is believed: addresses or networks, such as 127.0.0.1,10.0.0.0/8"
  ),
  rateLimit: number(
    "KILLMAILD_RATE_LIMIT",
    "1200",
    { min: 0, max: 1_000_000, whole: true },
    "requests a minute that one client may make of this process, 0 for no limit; this machine and the operator have none"
  ),
  feeds: listOf("KILLMAILD_FEEDS", "r2z2,evekill", feedNames, "where to hear of killmails"),
  r2z2Rate: number(
    "KILLMAILD_R2Z2_RATE",
    "4",
    { min: 0.1, max: 1_000_000, whole: false },
    "R2Z2 requests a second, over all replicas; above 15 refused for the real host"
  ),
  r2z2Poll: duration(
    "KILLMAILD_R2Z2_POLL",
    "6s",
    "wait at the head of R2Z2 before asking again; below 6s refused for the real host"
  ),
  scheduleSpeed: number(
    "KILLMAILD_SCHEDULE_SPEED",
    "1",
    { min: 0.001, max: 1_000_000, whole: false },
    "divides the intervals of killmaild's own schedules; for tests"
  ),
  concurrency: number(
    "KILLMAILD_CONCURRENCY",
    "200",
    { min: 1, max: 1000, whole: true },
    "`ingest_killmail` jobs at a time"
  ),
  esiUrl: baseUrl("KILLMAILD_ESI_URL", "https://esi.evetech.net", "EVE's own API"),
  esiCompatibilityDate: {
    ...text(
      "KILLMAILD_ESI_COMPATIBILITY_DATE",
      "2026-08-18",
      "version of ESI to ask for, sent as X-Compatibility-Date"
    ),
    wants: "a date such as 2026-08-18",
    read: (value: string) => /^\d{4}-\d{2}-\d{2}$/.test(value) && !Number.isNaN(Date.parse(value)) ? value : undefined
  },
  r2z2Url: baseUrl("KILLMAILD_R2Z2_URL", "https://r2z2.zkillboard.com", "zKillboard's live feed of numbered files"),
  redisqUrl: url(
    "KILLMAILD_REDISQ_URL",
    "",
    ["https:", "http:"],
    "a RedisQ-compatible `listen.php`; required by the feed `redisq`, as zKillboard's own closed in May 2026"
  ),
  redisqId: notEmpty(text(
    "KILLMAILD_REDISQ_ID",
    "killmaild",
    "queueID at RedisQ: one a deployment, remembered there for 3 hours"
  )),
  zkillboardUrl: baseUrl(
    "KILLMAILD_ZKILLBOARD_URL",
    "https://zkillboard.com",
    "zKillboard's API, of which `backfill zkillboard` asks what one character, corporation or alliance has"
  ),
  evekillUrl: baseUrl(
    "KILLMAILD_EVEKILL_URL",
    "https://eve-kill.com/api",
    "EVE-KILL's API: its feed, which remembers a year, and its history"
  ),
  evekillWsUrl: url(
    "KILLMAILD_EVEKILL_WS_URL",
    "",
    ["wss:", "ws:"],
    "EVE-KILL's WebSocket, such as wss://eve-kill.com/ws/killmails; required by the feed `evekill_ws`"
  ),
  evekillWsDialect: oneOf(
    "KILLMAILD_EVEKILL_WS_DIALECT",
    "auto",
    ["auto", "shrike", "thessia"],
    "the words of that WebSocket: of EVE-KILL's program since 2026, of the one before, or as its greeting tells"
  ),
  evekillWsTopics: {
    ...listOf<string>(
      "KILLMAILD_EVEKILL_WS_TOPICS",
      "all",
      undefined,
      "what that WebSocket is to tell: EVE-KILL's topics, such as 10b, system.30000142 or victim.98000001; one that fits is enough"
    ),
    wants: "a comma-separated list of 1 to 128 topics, each of at most 128 characters",
    read: (value: string) => {
      const topics = value.split(",").map((topic) => topic.trim()).filter((topic) => topic !== "")
      const fits = topics.length > 0 && topics.length <= 128 && topics.every((topic) => topic.length <= 128)
      return fits ? topics : undefined
    }
  },
  everefUrl: baseUrl(
    "KILLMAILD_EVEREF_URL",
    "https://data.everef.net",
    "EVE Ref's archives: what things cost on each day"
  ),
  sdeUrl: baseUrl(
    "KILLMAILD_SDE_URL",
    "https://developers.eveonline.com/static-data",
    "where CCP publishes EVE's static data (SDE)"
  ),
  wandererUrl: baseUrl(
    "KILLMAILD_WANDERER_URL",
    "https://wanderer.ltd",
    "the Wanderer, a mapper of wormholes, whose map's activity is kept"
  ),
  wandererSlug: text("KILLMAILD_WANDERER_SLUG", "", "the map's slug, as its address ends; unset: no map"),
  wandererKey: secret("KILLMAILD_WANDERER_KEY", "the map's public API key, from its settings in Wanderer"),
  ssoUrl: baseUrl("KILLMAILD_SSO_URL", "https://login.eveonline.com", "EVE's SSO, where pilots sign in"),
  ssoClientId: text(
    "KILLMAILD_SSO_CLIENT_ID",
    "",
    "of the application that you registered at developers.eveonline.com; unset: nobody can sign in"
  ),
  ssoClientSecret: secret(
    "KILLMAILD_SSO_CLIENT_SECRET",
    "its key, as shown there; unset: it is a public client, which PKCE allows"
  ),
  ssoCallbackUrl: url(
    "KILLMAILD_SSO_CALLBACK_URL",
    "",
    ["https:", "http:"],
    "its callback as registered; unset: `/api/v1/auth/callback` at KILLMAILD_PUBLIC_URL or, without that, on this machine"
  ),
  appRedirects: those(
    "KILLMAILD_APP_REDIRECTS",
    "addresses of apps, such as org.example.app:/signed-in",
    appAddressIn,
    "where apps may be sent after a sign-in, such as org.example.app:/signed-in, exactly; those on a pilot's own machine always may"
  ),
  encryptionKeys: {
    ...secret(
      "KILLMAILD_ENCRYPTION_KEYS",
      "keys of the pilots' tokens, `id:base64,…`, 32 bytes each; the first one encrypts. Unset: generated into the data directory as `encryption-keys`"
    ),
    wants: "a comma-separated list of id:base64, each id of letters and digits once, each key of 32 bytes",
    read: (value: string) =>
      value === ""
        ? Option.none<Redacted.Redacted>()
        : keysIn(value) === undefined
        ? undefined
        : Option.some(Redacted.make(value))
  },
  webhookAllow: those(
    "KILLMAILD_WEBHOOK_ALLOW",
    "host:port, such as chat.internal:8065 or [fd00::5]:8080",
    placeIn,
    "where webhooks may lead though it is no public https:// address, as host:port, such as chat.internal:8065"
  ),
  fcmUrl: baseUrl(
    "KILLMAILD_FCM_URL",
    "https://fcm.googleapis.com",
    "Firebase Cloud Messaging, which brings messages to pilots' devices"
  ),
  fcmAccount: {
    ...secret(
      "KILLMAILD_FCM_ACCOUNT",
      "a service account that may send there, the JSON of Google's console; unset: nothing is pushed to devices"
    ),
    wants: "JSON of a service account with project_id, client_email, private_key and token_uri",
    read: (value: string) =>
      value === ""
        ? Option.none<Redacted.Redacted<ServiceAccount>>()
        : Option.match(decodeAccount(value), {
          onNone: () => undefined,
          onSome: (account) => Option.some(Redacted.make(account))
        })
  },
  logFormat: oneOf("KILLMAILD_LOG_FORMAT", "pretty", ["pretty", "json"], "how log lines are written to standard error"),
  logLevel: oneOf(
    "KILLMAILD_LOG_LEVEL",
    "info",
    ["debug", "info", "warn", "error"],
    "the least severe level that is logged"
  ),
  accessLog: oneOf("KILLMAILD_ACCESS_LOG", "off", ["off", "on"], "whether each HTTP request is a line in the log"),
  otlpEndpoint: url(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "",
    ["https:", "http:"],
    "OTLP/HTTP endpoint for traces, such as http://localhost:4318; unset: no tracing"
  ),
  otelServiceName: text("OTEL_SERVICE_NAME", "killmaild", "service name in traces"),
  otelTracesSampler: unsetWhenEmpty(oneOf(
    "OTEL_TRACES_SAMPLER",
    "parentbased_always_on",
    samplerNames,
    "which traces are kept"
  )),
  otelTracesSamplerArg: unsetWhenEmpty(number(
    "OTEL_TRACES_SAMPLER_ARG",
    "1",
    { min: 0, max: 1, whole: false },
    "the share of traces that a `traceidratio` sampler keeps"
  ))
} satisfies Record<string, Setting<unknown>>

type Values = {
  readonly [K in keyof typeof definitions]: Exclude<ReturnType<(typeof definitions)[K]["read"]>, undefined>
}

/** For README's table, `killmaild settings` and the tests that hold files to the list. */
export const describeSettings: ReadonlyArray<Omit<Setting<unknown>, "read">> = Object.values(definitions)

const loopbackHosts = new Set(["localhost", "[::1]"])
/** Whether this URL stays on this machine: such upstreams may be called without a contact. */
export const isLoopback = (target: URL): boolean =>
  loopbackHosts.has(target.hostname) || /^127\.\d+\.\d+\.\d+$/.test(target.hostname)

type Environment = Readonly<Record<string, string | undefined>>

const refuse = (name: string, message: string) => new SettingInvalid({ name, message: `${name}: ${message}` })

const readRaw = Effect.fnUntraced(function*(env: Environment, name: string, isSecret: boolean) {
  // Empty is unset, as container engines pass on what they do not have.
  const file = isSecret && (env[name] ?? "") === "" ? env[`${name}_FILE`] : undefined
  if (file === undefined) return env[name]
  return yield* Effect.try({
    try: () => readFileSync(file, "utf8").trimEnd(),
    catch: () => refuse(`${name}_FILE`, `cannot read ${file}, wants a file that holds ${name}.`)
  })
})

const load = Effect.fnUntraced(function*(env: Environment) {
  const entries: Array<[string, unknown]> = []
  for (const [key, setting] of Object.entries<Setting<unknown>>(definitions)) {
    const raw = yield* readRaw(env, setting.name, setting.secret)
    const value = setting.read(raw ?? setting.fallback)
    if (value === undefined) {
      const got = setting.secret ? "a text that does not fit" : JSON.stringify(raw)
      return yield* refuse(setting.name, `got ${got}, wants ${setting.wants}.`)
    }
    entries.push([key, value])
  }
  const values = Object.fromEntries(entries) as Values
  yield* checkTogether(values)
  return values
})

/** Rules that hold between settings. */
const checkTogether = Effect.fnUntraced(function*(values: Values) {
  const real = /(^|\.)zkillboard\.com\.?$/.test(values.r2z2Url.hostname)
  if (real && values.r2z2Rate > 15) {
    return yield* refuse(
      "KILLMAILD_R2Z2_RATE",
      `got ${values.r2z2Rate}, wants at most 15 for r2z2.zkillboard.com, which bans for an hour above that.`
    )
  }
  if (real && values.r2z2Poll < 6000) {
    return yield* refuse(
      "KILLMAILD_R2Z2_POLL",
      `got ${values.r2z2Poll} ms, wants at least 6s for r2z2.zkillboard.com.`
    )
  }
  const mappers = values.wandererSlug === "" ? [] : [values.wandererUrl]
  const identities = values.ssoClientId === "" ? [] : [values.ssoUrl]
  const messengers = Option.isSome(values.fcmAccount) ? [values.fcmUrl] : []
  const { esiUrl, evekillUrl, everefUrl, r2z2Url, sdeUrl, zkillboardUrl } = values
  const remote = [
    esiUrl,
    r2z2Url,
    sdeUrl,
    everefUrl,
    evekillUrl,
    zkillboardUrl,
    ...mappers,
    ...identities,
    ...messengers
  ].find((
    upstream
  ) => !isLoopback(upstream))
  if (values.scheduleSpeed > 1 && remote !== undefined) {
    return yield* refuse(
      "KILLMAILD_SCHEDULE_SPEED",
      `got ${values.scheduleSpeed}, wants at most 1 for ${remote.host}: it shortens pauses that upstreams may insist on.`
    )
  }
  const base = Option.getOrUndefined(values.publicUrl)
  if (base !== undefined && base.href !== `${base.origin}/`) {
    return yield* refuse(
      "KILLMAILD_PUBLIC_URL",
      `got ${base.href}, wants an address without a path such as ${base.origin}: all that is served begins at the root.`
    )
  }
  const onTheWay = { KILLMAILD_SSO_CALLBACK_URL: values.ssoCallbackUrl, KILLMAILD_PUBLIC_URL: values.publicUrl }
  for (const [name, url] of Object.entries(onTheWay)) {
    if (values.ssoClientId === "" || Option.isNone(url) || url.value.protocol === "https:" || isLoopback(url.value)) {
      continue
    }
    return yield* refuse(
      name,
      `got ${url.value.href}, wants https://, because KILLMAILD_SSO_CLIENT_ID is set: who signs in sends secrets.`
    )
  }
  if ((values.wandererSlug === "") !== Option.isNone(values.wandererKey)) {
    const [unset, set] = values.wandererSlug === ""
      ? ["KILLMAILD_WANDERER_SLUG", "KILLMAILD_WANDERER_KEY"] as const
      : ["KILLMAILD_WANDERER_KEY", "KILLMAILD_WANDERER_SLUG"] as const
    return yield* refuse(unset, `is unset, wants that of the map, because ${set} is set.`)
  }
  if (values.feeds.includes("evekill_ws") && Option.isNone(values.evekillWsUrl)) {
    return yield* refuse(
      "KILLMAILD_EVEKILL_WS_URL",
      "is unset, wants the URL of EVE-KILL's WebSocket, because KILLMAILD_FEEDS names evekill_ws."
    )
  }
  if (values.feeds.includes("redisq") && Option.isNone(values.redisqUrl)) {
    return yield* refuse(
      "KILLMAILD_REDISQ_URL",
      "is unset, wants the URL of a listen.php, because KILLMAILD_FEEDS names redisq."
    )
  }
})

/** The settings of this run, decoded. Durations are milliseconds. `environment` is what they were read from. */
export class Settings
  extends Context.Service<Settings, Values & { readonly environment: Environment }>()("killmaild/Settings")
{
  static readonly layerFrom = (env: Environment): Layer.Layer<Settings, SettingInvalid> =>
    Layer.effect(Settings, Effect.map(load(env), (values) => ({ ...values, environment: env })))
}

/**
 * The User-Agent of every request: program, version and who runs it.
 * Fails for a real upstream when no contact is set, as EVE's and zKillboard's rules want one.
 */
export const userAgentFor = (settings: Values, upstream: URL): Effect.Effect<string, SettingInvalid> =>
  settings.contact !== ""
    ? Effect.succeed(`killmaild/${version} (${settings.contact})`)
    : isLoopback(upstream)
    ? Effect.succeed(`killmaild/${version} (loopback only)`)
    : Effect.fail(
      refuse(
        "KILLMAILD_CONTACT",
        `is unset, wants an email address or other contact before ${upstream.host} is called.`
      )
    )

/** Whom a feed asks. */
export const upstreamOf = (settings: Values, feed: FeedName): URL => {
  switch (feed) {
    case "r2z2":
      return settings.r2z2Url
    case "evekill":
      return settings.evekillUrl
    case "evekill_ws":
      return Option.getOrThrow(settings.evekillWsUrl)
    case "redisq":
      return Option.getOrThrow(settings.redisqUrl)
  }
}

/** Of this program, as package.json says. */
export const version: string = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")).version
