/**
 * The one filter of every interface: what it may say, and how it is read. A list fits by any of its values, a filter by all
 * of its fields; each field asks by itself, so `alliance` and `ship` may be told of two different attackers. Pure.
 */
import { Option, Result, Schema } from "effect"
import { Id } from "./Killmail.ts"
import { securityBands } from "./SecurityBand.ts"

/** Whose ids count: anybody's, the victim's, or an attacker's. */
export const roles = ["any", "victim", "attacker"] as const
export type Role = typeof roles[number]

const mostValues = 1000

const listOf = <S extends Schema.Top>(item: S) =>
  Schema.Array(item).check(Schema.isMinLength(1), Schema.isMaxLength(mostValues))
const Ids = listOf(Id)
const between = (low: number, high: number) =>
  Schema.Finite.check(Schema.isGreaterThanOrEqualTo(low), Schema.isLessThanOrEqualTo(high))
/** ISK: what numeric(20, 2) holds. */
const Isk = between(0, 1e18)
const Attackers = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThanOrEqualTo(1_000_000))
/** Metres; ten light years, where no system is wider than a hundredth of one. */
const widest = 1e17
const Coordinate = between(-widest, widest)

/** An existing day or second in UTC, since the year 1000. */
const Moment = Schema.String.check(
  Schema.isPattern(/^[12]\d{3}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}Z)?$/),
  Schema.makeFilter((text: string) => {
    const millis = Date.parse(text)
    return !Number.isNaN(millis) && new Date(millis).toISOString().startsWith(text.replace("Z", ""))
  })
)

export const Filter = Schema.Struct({
  character: Schema.optionalKey(Ids),
  corporation: Schema.optionalKey(Ids),
  alliance: Schema.optionalKey(Ids),
  faction: Schema.optionalKey(Ids),
  ship: Schema.optionalKey(Ids),
  ship_group: Schema.optionalKey(Ids),
  role: Schema.optionalKey(Schema.Literals(roles)),
  system: Schema.optionalKey(Ids),
  constellation: Schema.optionalKey(Ids),
  region: Schema.optionalKey(Ids),
  location: Schema.optionalKey(Ids),
  near: Schema.optionalKey(Schema.Tuple([Coordinate, Coordinate, Coordinate])),
  within: Schema.optionalKey(between(0, widest)),
  security: Schema.optionalKey(listOf(Schema.Literals(securityBands))),
  war: Schema.optionalKey(Ids),
  label: Schema.optionalKey(listOf(Schema.String.check(Schema.isPattern(/^[^\0,]{1,50}$/)))),
  min_value: Schema.optionalKey(Isk),
  max_value: Schema.optionalKey(Isk),
  min_attackers: Schema.optionalKey(Attackers),
  max_attackers: Schema.optionalKey(Attackers),
  npc: Schema.optionalKey(Schema.Boolean),
  solo: Schema.optionalKey(Schema.Boolean),
  awox: Schema.optionalKey(Schema.Boolean),
  since: Schema.optionalKey(Moment),
  until: Schema.optionalKey(Moment)
})
export type Filter = typeof Filter.Type
export type FilterField = keyof Filter

/** Fields that ask of the victim or the attackers, as `role` says. */
export const partyFields = ["character", "corporation", "alliance", "faction", "ship", "ship_group"] as const

const ids = (of: string) => `ids of ${of}, 1 to ${mostValues} of them`
const moment = "a day or a second in UTC, such as 2026-11-20 or 2026-11-20T18:30:00Z"

/** What each field wants, for people. */
export const filterFields: Readonly<Record<FilterField, string>> = {
  character: ids("characters"),
  corporation: ids("corporations"),
  alliance: ids("alliances"),
  faction: ids("factions"),
  ship: ids("ship types"),
  ship_group: ids("groups of ship types"),
  role: `one of ${roles.join(", ")}: whose character, corporation, alliance, faction and ship count`,
  system: ids("solar systems"),
  constellation: ids("constellations"),
  region: ids("regions"),
  location: ids("the celestials, gates or stations that are nearest"),
  near: `x,y,z in metres from the system's sun, ${-widest} to ${widest} each, with within and one system`,
  within: `metres from near, 0 to ${widest}`,
  security: `any of ${securityBands.join(", ")}`,
  war: ids("wars"),
  label: `zKillboard's labels, such as loc:nullsec or isk:1b+, 1 to ${mostValues} of them`,
  min_value: "ISK in all, this or more",
  max_value: "ISK in all, this or less",
  min_attackers: "a whole number of attackers, this or more",
  max_attackers: "a whole number of attackers, this or less",
  npc: "true or false: no player fired, or an NPC was lost",
  solo: "true or false: a single pilot fired",
  awox: "true or false: the corporation's own pilot fired last",
  since: `${moment}: then or later`,
  until: `${moment}: before then`
}

const names = Object.keys(filterFields) as ReadonlyArray<FilterField>
const isField = (name: string): name is FilterField => Object.hasOwn(filterFields, name)

const lists: ReadonlySet<string> = new Set<FilterField>([
  ...partyFields,
  "system",
  "constellation",
  "region",
  "location",
  "security",
  "war",
  "label"
])

/** Whether a field takes several values, of which any may fit. */
export const isList = (field: string): boolean => lists.has(field)

const decoders = Object.fromEntries(
  names.map((name) => [name, Schema.decodeUnknownOption(Filter.fields[name] as Schema.Codec<unknown>)])
)

const shortly = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 60)

/** Reads a filter of JSON; a lone value stands for a list of it. Fails with one sentence that names the field. */
export const readFilter = (json: unknown): Result.Result<Filter, string> => {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    return Result.fail(`filter: got ${shortly(json)}, wants an object such as {"region":[10000002],"min_value":1e9}.`)
  }
  const filter: Record<string, unknown> = {}
  for (const [name, given] of Object.entries(json)) {
    if (!isField(name)) return Result.fail(`There is no filter ${shortly(name)}; there are ${names.join(", ")}.`)
    const value = isList(name) && !Array.isArray(given) ? [given] : given
    const decoded = decoders[name]!(value)
    if (Option.isNone(decoded)) return Result.fail(`${name}: got ${shortly(given)}, wants ${filterFields[name]}.`)
    filter[name] = decoded.value
  }
  const contradiction = contradictionIn(filter)
  return contradiction === undefined ? Result.succeed(filter) : Result.fail(contradiction)
}

/** What no killmail could fit, or what means nothing. */
const contradictionIn = (filter: Filter): string | undefined => {
  const { max_attackers, max_value, min_attackers, min_value, near, since, system, until, within } = filter
  if (min_value !== undefined && max_value !== undefined && min_value > max_value) {
    return `min_value: got ${min_value}, wants at most max_value, which is ${max_value}.`
  }
  if (min_attackers !== undefined && max_attackers !== undefined && min_attackers > max_attackers) {
    return `min_attackers: got ${min_attackers}, wants at most max_attackers, which is ${max_attackers}.`
  }
  if (since !== undefined && until !== undefined && Date.parse(since) >= Date.parse(until)) {
    return `since: got ${since}, wants a time before until, which is ${until}.`
  }
  if ((near === undefined) !== (within === undefined)) {
    return near === undefined
      ? "within: wants near=x,y,z beside it, the point that it counts from."
      : "near: wants within beside it, in metres."
  }
  if (near !== undefined && system?.length !== 1) {
    return "near: wants exactly one system beside it, as positions count from its sun."
  }
  return undefined
}

const numbers: ReadonlySet<FilterField> = new Set([
  "within",
  "min_value",
  "max_value",
  "min_attackers",
  "max_attackers"
])
const flags: ReadonlySet<FilterField> = new Set(["npc", "solo", "awox"])

/** What is no number stays text, and is refused as such. */
const numberOf = (text: string): unknown => /^[-+]?[\d.]+(e[-+]?\d+)?$/i.test(text) ? Number(text) : text
const flagOf = (text: string): unknown => text === "true" || text === "false" ? text === "true" : text

/** Reads a filter of a query string: lists as `1,2`, or as the same name again. Names that are no fields are refused. */
export const readFilterQuery = (
  query: Readonly<Record<string, string | ReadonlyArray<string>>>
): Result.Result<Filter, string> =>
  readFilter(Object.fromEntries(
    Object.entries(query).map(([name, given]) => {
      const texts = typeof given === "string" ? [given] : given
      if (!isField(name)) return [name, given]
      const parts = texts.flatMap((text) => text.split(","))
      if (name === "label" || name === "security") return [name, parts]
      if (isList(name) || name === "near") return [name, parts.map(numberOf)]
      // The same name twice is no list here: it is left as one, and refused.
      if (texts.length !== 1) return [name, texts]
      return [name, numbers.has(name) ? numberOf(texts[0]!) : flags.has(name) ? flagOf(texts[0]!) : texts[0]]
    })
  ))
