/** Requests for the operations of the contract: as it wants them, and bent in every part. */
import type { Random } from "../../src/sandbox/Random.ts"
import type { Attempt, Source } from "./Attempt.ts"
import type { Contract, Operation } from "./Contract.ts"
import * as Nonsense from "./Nonsense.ts"
import { bodyOf, brokenBody, type Facts, familiar, valueOf } from "./Values.ts"

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

export const source = (contract: Contract, facts: Facts): Source => {
  /** The operation's address and headers; `nonsense` is the share of values that may be anything. */
  const filled = (random: Random, operation: Operation, nonsense: number) => {
    const query: Array<string> = []
    const sent: Record<string, string> = {}
    let target = operation.path
    for (const { in: place, name, required } of operation.parameters) {
      if (place !== "path" && required !== true && !random.chance(0.12)) continue
      const value = random.chance(nonsense)
        ? Nonsense.inUrl(random)
        : encodeURIComponent(valueOf(random, facts, operation.path, name) ?? "")
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
    const { query, sent, target } = filled(random, operation, isValid ? 0 : 0.3)
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
