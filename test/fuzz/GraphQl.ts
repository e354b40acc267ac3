/** Requests for `/graphql`: documents made from its schema, as it wants them, and bent in every part. */
import {
  getNamedType,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLObjectType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument
} from "graphql"
import type { Random } from "../../src/sandbox/Random.ts"
import type { Answer, Attempt, Source } from "./Attempt.ts"
import * as Nonsense from "./Nonsense.ts"
import { type Facts, valueOf } from "./Values.ts"

const deepest = 4

/** Fields of the filter that mean nothing alone. */
const together: ReadonlySet<string> = new Set(["near", "within"])

/** As literals, of which few fit where they stand. */
const literals = [
  "null",
  "-1",
  "1e400",
  "99999999999999999999",
  "\"x\"",
  "\"\\u0000\"",
  "[1, 2]",
  "{a: 1}",
  "$v",
  "NOBODY",
  "true"
]

const paths: Readonly<Record<string, string>> = {
  killmail: "/killmails/{id}",
  character: "/characters/{id}",
  corporation: "/corporations/{id}",
  alliance: "/alliances/{id}"
}

const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** Codes of what the asker did wrong, or asked too much of. */
const refusals = new Set(["BAD_USER_INPUT", "TOO_MUCH", "UNAUTHENTICATED", "CONFLICT", undefined])

export const source = (schema: GraphQLSchema, facts: Facts): Source => {
  const literal = (random: Random, type: GraphQLInputType, name: string, path: string, nonsense: number): string => {
    if (random.chance(nonsense)) {
      return random.chance(0.5)
        ? random.pick(literals)
        : JSON.stringify(Nonsense.text(random))
    }
    if (isNonNullType(type)) return literal(random, type.ofType, name, path, nonsense)
    if (isListType(type)) return `[${literal(random, type.ofType, name, path, nonsense)}]`
    if (isEnumType(type)) return random.pick(type.getValues()).name
    if (isInputObjectType(type)) {
      const fields = Object.values(type.getFields()).filter(({ name }) =>
        random.chance(0.1) && (nonsense > 0 || !together.has(name))
      )
      return `{${
        fields.map((field) => `${field.name}: ${literal(random, field.type, field.name, path, nonsense)}`).join(", ")
      }}`
    }
    const value = (valueOf(random, facts, path, snake(name)) ?? "1").split(",")[0]!
    return /^(String|ID)$/.test(String(type)) ? JSON.stringify(value) : value
  }

  const argumentsOf = (random: Random, { args, name }: GraphQLField<unknown, unknown>, nonsense: number): string => {
    const given = args.filter((argument: GraphQLArgument) => isRequiredArgument(argument) || random.chance(0.3))
    const texts = given.map((argument) =>
      `${argument.name}: ${literal(random, argument.type, argument.name, paths[name] ?? "", nonsense)}`
    )
    return texts.length === 0 ? "" : `(${texts.join(", ")})`
  }

  const selection = (random: Random, type: GraphQLObjectType, depth: number, nonsense: number): string => {
    const fields = Object.values(type.getFields())
    const leaves = fields.filter((field) => isLeafType(getNamedType(field.type)))
    // Some types have only others within.
    const eligible = depth < deepest || leaves.length === 0 ? fields : leaves
    const some = Array.from({ length: random.whole(1, 3) }, () => random.pick(eligible))
    const texts = some.map((field, index) => {
      const inner = getNamedType(field.type)
      const rest = isObjectType(inner) ? ` ${selection(random, inner, depth + 1, nonsense)}` : ""
      const name = random.chance(nonsense / 5) ? `${field.name}X` : field.name
      return `f${index}: ${name}${argumentsOf(random, field, nonsense)}${rest}`
    })
    return `{ ${texts.join(" ")} }`
  }

  const query = (random: Random, nonsense: number): string => selection(random, schema.getQueryType()!, 0, nonsense)

  const next = (random: Random): Attempt => {
    const isValid = random.chance(0.4)
    const attempt = asking(query(random, isValid ? 0 : 0.15), facts.token)
    return isValid ? { ...attempt, isValid } : bent(random, attempt)
  }

  return { name: "graphql", weight: 30, next, judge }
}

const asking = (query: string, token: string): Attempt => ({
  method: "POST",
  target: "/graphql",
  headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
  body: JSON.stringify({ query })
})

const bent = (random: Random, attempt: Attempt): Attempt => {
  const { query } = JSON.parse(String(attempt.body)) as { readonly query: string }
  const body = (value: unknown): Attempt => ({ ...attempt, body: JSON.stringify(value) })
  return random.pick<() => Attempt>([
    () => attempt,
    () => body({ query: Nonsense.mangled(random, query) }),
    () => body({ query, variables: Nonsense.json(random), operationName: Nonsense.json(random) }),
    () =>
      body({
        query: `query($v: ${random.pick(["Long", "Long!", "[Long!]", "KillmailFilter", "X"])}) ${query}`,
        variables: { v: Nonsense.json(random) }
      }),
    () => body(Nonsense.json(random)),
    () => body([{ query }, { query }]),
    () => body({ query: `${"{ killmails { data ".repeat(random.pick([20, 2000]))}${"}".repeat(40)}` }),
    () => body({ query: `{ ${Array.from({ length: 200 }, (_, k) => `a${k}: killmails { nextCursor }`).join(" ")} }` }),
    () => body({ query: `query { ...F } fragment F on Query { ...F }` }),
    () => body({ query: `${random.pick(["mutation", "subscription"])} ${query}` }),
    () => body({ query: "{ __schema { types { fields { type { ofType { name } } } } } }" }),
    () => ({ ...attempt, body: String(attempt.body).slice(0, random.whole(0, 40)) }),
    () => ({
      ...attempt,
      headers: { ...attempt.headers, "content-type": random.pick(["text/plain", "application/graphql", ""]) }
    }),
    () => ({
      ...attempt,
      headers: { ...attempt.headers, accept: random.pick(["application/graphql-response+json", "text/html", "x"]) }
    }),
    () => ({
      ...attempt,
      headers: {},
      method: "GET",
      target: `/graphql?query=${
        random.chance(0.7) ? encodeURIComponent(query.toWellFormed()) : Nonsense.inUrl(random)
      }`,
      body: undefined
    }),
    () => ({ ...attempt, method: random.pick(["PUT", "DELETE", "HEAD", "OPTIONS"]) })
  ])()
}

interface Answered {
  readonly data?: unknown
  readonly errors?: ReadonlyArray<{ readonly message: string; readonly extensions?: { readonly code?: string } }>
}

/** Errors of GraphQL are told with 200 by its rules, so its faults are to be read. */
const judge = ({ isValid, method }: Attempt, { body, headers, status }: Answer): string | undefined => {
  if (method === "HEAD" || !/^application\/(graphql-response\+)?json/.test(headers["content-type"] ?? "")) {
    return undefined
  }
  const { data, errors = [] } = JSON.parse(body.toString()) as Answered
  const fault = errors.find(({ extensions }) => !refusals.has(extensions?.code))
  if (fault !== undefined) return `answers ${status} with ${JSON.stringify(fault)}`
  if (data === undefined && errors.length === 0) return `answers ${status} with neither data nor errors`
  return isValid === true && errors.some(({ extensions }) => extensions?.code !== "TOO_MUCH")
    ? `is refused, though it is as the schema wants it: ${JSON.stringify(errors).slice(0, 300)}`
    : undefined
}
