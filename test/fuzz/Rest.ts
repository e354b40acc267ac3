/** Requests for the operations of the contract: as it wants them, and bent in every part. */
import type { Random } from "../../src/sandbox/Random.ts"
import type { Attempt, Source } from "./Attempt.ts"
import type { Contract, Operation } from "./Contract.ts"
import * as Nonsense from "./Nonsense.ts"

/** What there is on the daemon, so that questions find something. */
export interface Facts {
  readonly token: string
  readonly killmails: ReadonlyArray<{ readonly id: number; readonly hash: string }>
  readonly characters: ReadonlyArray<number>
  readonly corporations: ReadonlyArray<number>
  readonly alliances: ReadonlyArray<number>
  readonly systems: ReadonlyArray<number>
  readonly ships: ReadonlyArray<number>
  readonly cursors: ReadonlyArray<string>
}

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]

const headers: ReadonlyArray<readonly [name: string, values: ReadonlyArray<string>]> = [
  ["accept", [
    "*/*",
    "text/csv",
    "application/x-ndjson",
    "application/json;q=0.1, text/csv",
    "image/png",
    "a/b;q=x",
    ";;",
    ""
  ]],
  ["accept-encoding", ["gzip", "br", "identity", "*;q=0", "gzip;q=2, x", "deflate, zstd"]],
  ["authorization", ["Bearer", "Bearer x", "Basic eDp4", "Bearer " + "x".repeat(5000), "\u00e9"]],
  ["content-type", [
    "application/json",
    "application/json; charset=utf-16",
    "text/plain",
    "multipart/form-data",
    "/",
    ""
  ]],
  ["content-encoding", ["gzip", "br", "x"]],
  ["if-none-match", ["*", "W/\"x\"", "\"", "x,y,,"]],
  ["if-modified-since", ["yesterday", "Sat, 21 Nov 2026 00:00:00 GMT"]],
  ["range", ["bytes=0-1", "bytes=-", "x"]],
  ["last-event-id", ["1", "x", "-1", "9".repeat(30), "1, 2"]],
  ["origin", ["null", "https://evil.example", "x"]],
  ["x-forwarded-for", ["127.0.0.1", "x", "::1, 10.0.0.1", "1.2.3.4:80"]],
  ["x-http-method-override", ["DELETE"]],
  ["cookie", ["a=b", "=;=", "__proto__=1; session=" + "x".repeat(2000)]],
  ["traceparent", ["00-x-y-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]],
  ["host", ["x", "[::1", "a b", ""]]
]

/** A value that the parameter may have; undefined where the fuzzer knows none. */
const valueOf = (random: Random, facts: Facts, operation: Operation, name: string): string | undefined => {
  const some = (from: ReadonlyArray<number>) => String(from.length === 0 ? random.whole(1, 1e9) : random.pick(from))
  const list = (from: ReadonlyArray<number>) => Array.from({ length: random.whole(1, 3) }, () => some(from)).join()
  const day = (from: number, to: number) =>
    `20${random.whole(from, to)}-${random.pick(["01", "06", "12"])}-${random.whole(10, 28)}`
  const flag = () => random.pick(["true", "false"])
  const whole = (low: number, high: number) => () => String(random.whole(low, high))
  const of: Readonly<Record<string, () => string | undefined>> = {
    id: () =>
      some(
        operation.path.includes("/killmails/{id}")
          ? facts.killmails.map(({ id }) => id)
          : /corporations/.test(operation.path)
          ? facts.corporations
          : /alliances/.test(operation.path)
          ? facts.alliances
          : facts.characters
      ),
    entities: () => random.pick(["characters", "corporations", "alliances", "types", "systems", "regions"]),
    character: () => list(facts.characters),
    corporation: () => list(facts.corporations),
    alliance: () => list(facts.alliances),
    ship: () => list(facts.ships),
    system: () => list(facts.systems),
    faction: () => "500001",
    ship_group: () => "25,26",
    constellation: () => "20000020",
    region: () => "10000002",
    location: () => "40009077",
    war: () => "600000",
    label: () => random.pick(["pvp", "solo", "loc:lowsec"]),
    role: () => random.pick(["any", "victim", "attacker"]),
    security: () => random.pick(["highsec", "lowsec,nullsec", "wspace", "abyssal", "pochven"]),
    min_value: whole(0, 1e8),
    max_value: whole(1e8, 1e10),
    min_attackers: whole(0, 5),
    max_attackers: whole(5, 50),
    npc: flag,
    solo: flag,
    awox: flag,
    since: () => day(10, 19),
    until: () => day(20, 26),
    limit: whole(1, 100),
    cursor: () => facts.cursors.length === 0 ? undefined : random.pick(facts.cursors),
    include: () => random.pick(["items", "attackers", "items,attackers"]),
    kind: () => random.pick(["character", "corporation", "alliance", "type", "system", "region"]),
    by: () => random.pick(["kills", "losses", "isk_destroyed", "points"]),
    days: whole(1, 90),
    after: whole(0, 100),
    "last-event-id": whole(0, 100)
  }
  return of[name]?.()
}

/** Groups of which the fuzzer knows what to ask; of all others it knows what the contract says. */
const familiar = /^(lists|killmails|entities|statistics|stream|system)\./

const bodyOf = (random: Random, facts: Facts, { id }: Operation): unknown => {
  if (!familiar.test(id)) return Nonsense.json(random)
  const { hash, id: killmail_id } = random.pick(facts.killmails)
  return id === "entities.setGroup"
    ? { alts: random.chance(0.3) ? [] : [random.whole(2_000_000_000, 2_100_000_000)] }
    : random.pick([
      { killmail_id, hash },
      { url: `https://esi.evetech.net/latest/killmails/${killmail_id}/${hash}/?datasource=tranquility` }
    ])
}

/** Not JSON, or too much of it. */
const brokenBody = (random: Random, whole: string): Buffer | string =>
  random.pick<() => Buffer | string>([
    () => "",
    () => whole.slice(0, random.whole(0, whole.length)),
    () => Nonsense.mangled(random, whole),
    () => Buffer.from(whole, "utf16le"),
    () => Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28]),
    () => "[".repeat(20_000),
    () => `{"url":"${"x".repeat(random.pick([10_000, 1_100_000]))}"}`,
    () => `{"__proto__":{"alts":[]},"alts":[1]}`,
    () => whole + whole,
    () => `\ufeff${whole}`,
    () => Nonsense.text(random)
  ])()

export const source = (contract: Contract, facts: Facts): Source => {
  const valid = (random: Random, operation: Operation, nonsense: number) => {
    const query: Array<string> = []
    const sent: Record<string, string> = {}
    let target = operation.path
    for (const { in: place, name, required } of operation.parameters) {
      if (place !== "path" && required !== true && !random.chance(0.12)) continue
      const value = random.chance(nonsense)
        ? Nonsense.inUrl(random)
        : encodeURIComponent(valueOf(random, facts, operation, name) ?? "")
      if (value === "" && nonsense === 0) continue
      if (place === "path") target = target.replace(`{${name}}`, value)
      else if (place === "query") query.push(`${name}=${value}`)
      else if (/^[\x20-\x7e]*$/.test(value)) sent[name] = value
    }
    return { target, query, sent }
  }

  const next = (random: Random): Attempt => {
    const operation = random.pick(contract.operations)
    const attempt = meantFor(random, operation)
    return leadsTo(operation, attempt.target) ? attempt : unbound(attempt)
  }

  const meantFor = (random: Random, operation: Operation): Attempt => {
    const isValid = familiar.test(operation.id) && random.chance(0.4)
    const { query, sent, target } = valid(random, operation, isValid ? 0 : 0.3)
    const attempt = {
      method: operation.method,
      target: query.length === 0 ? target : `${target}?${query.join("&")}`,
      headers: {
        ...sent,
        ...(operation.isGuarded ? { authorization: `Bearer ${facts.token}` } : {}),
        ...(operation.hasBody ? { "content-type": "application/json" } : {})
      },
      ...(operation.hasBody ? { body: JSON.stringify(bodyOf(random, facts, operation)) } : {}),
      operation: operation.id
    }
    return isValid ? { ...attempt, isValid } : bent(random, attempt)
  }

  return {
    name: "rest",
    weight: 85,
    next,
    judge: (attempt, answer) => {
      if (attempt.operation === undefined || attempt.method === "HEAD") return undefined
      if (answer.status === 304 && attempt.headers["if-none-match"] !== undefined) return undefined
      return contract.breach(attempt.operation, answer) ??
        (attempt.isValid === true && answer.status === 400
          ? "is refused, though it is as the contract wants it"
          : undefined)
    }
  }
}

/** With some part of it as nobody should send it. */
const bent = (random: Random, attempt: Attempt): Attempt => {
  const bend = random.pick<() => Attempt>([
    () => attempt,
    () => ({ ...attempt, target: withMore(random, attempt.target) }),
    () => ({ ...attempt, headers: { ...attempt.headers, ...header(random) } }),
    () => ({ ...attempt, headers: { ...attempt.headers, ...header(random), ...header(random) } }),
    () => ({ ...unbound(attempt), method: random.pick(methods) }),
    () => ({
      ...unbound(attempt),
      target: `/${Nonsense.mangled(random, attempt.target.slice(1))}`.replaceAll(/[\s#]/g, "")
    }),
    () =>
      typeof attempt.body === "string"
        ? {
          ...attempt,
          body: random.chance(0.5) ? brokenBody(random, attempt.body) : JSON.stringify(Nonsense.json(random))
        }
        : { ...attempt, body: Nonsense.text(random) },
    () => ({ ...attempt, headers: { ...attempt.headers, authorization: "Bearer wrong" } })
  ])
  return bend()
}

/** What the router takes for one part: a semicolon begins the query. */
const isPart = (part: string): boolean => /^[^;]{1,100}$/.test(part)

/** Whether a router can tell that it is the operation's path: as many parts, each of text in UTF-8. */
const leadsTo = ({ path }: Operation, target: string): boolean => {
  const parts = target.split("?")[0]!.split("/")
  const wanted = path.split("/")
  try {
    return parts.length === wanted.length &&
      parts.map(decodeURIComponent).every((part, index) =>
        wanted[index]!.startsWith("{") ? isPart(part) : part === wanted[index]
      )
  } catch {
    return false
  }
}

/** Meant for no operation any more. */
const unbound = (attempt: Attempt): Attempt => ({ ...attempt, operation: undefined })

const header = (random: Random): Readonly<Record<string, string>> => {
  const [name, values] = random.pick(headers)
  return { [name]: random.pick(values) }
}

/** Parameters twice, unknown ones, and strange separators. */
const withMore = (random: Random, target: string): string => {
  const [path = "", query = ""] = target.split("?")
  const more = random.pick([
    query,
    `${query}&${query}`,
    `${Nonsense.inUrl(random)}=${Nonsense.inUrl(random)}`,
    `limit=1&limit=2&role=any&role=victim`,
    `character[]=1&character[a]=1&character=1`,
    `${query}&`.repeat(50),
    "&&&=&=x&x",
    "?".repeat(30),
    `cursor=${Nonsense.inUrl(random)}`,
    `include=items,items,attackers`
  ])
  return `${path}${random.pick(["", "", "/", "//", "%2f", ";a=b"])}?${query}&${more}`
}
