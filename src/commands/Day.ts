/** Days on the command line. */
import { Effect, Option } from "effect"
import { Flag } from "effect/cli"
import type { Range } from "../domain/Days.ts"
import { type Day, isDay } from "../domain/Market.ts"
import { refuse } from "./Refusal.ts"

/** `subject` is the command, as its refusal names it. */
export const readDay = (subject: string, flag: string, text: string) =>
  isDay(text)
    ? Effect.succeed<Day>(text)
    : Effect.fail(refuse(`${subject}: --${flag} got ${JSON.stringify(text)}, wants a day such as 2026-01-31.`))

const dayFlag = (name: string, meaning: string) =>
  Flag.String(name).pipe(Flag.withDescription(`${meaning}, YYYY-MM-DD`), Flag.optional)

export const rangeFlags = (firstDay: Day) => ({
  start: dayFlag("start-date", `First day; without it ${firstDay}, the first there is`),
  end: dayFlag("end-date", "Last day; without it the newest there is")
})

interface GivenRange {
  readonly start: Option.Option<string>
  readonly end: Option.Option<string>
}

/** As given, or of the whole. */
export const readRange = Effect.fnUntraced(function*(subject: string, { end, start }: GivenRange, whole: Range) {
  const first = yield* readDay(subject, "start-date", Option.getOrElse(start, () => whole.first))
  const last = yield* readDay(subject, "end-date", Option.getOrElse(end, () => whole.last))
  if (first > last) {
    return yield* refuse(`${subject}: --start-date ${first} is after --end-date ${last}, wants it before.`)
  }
  return { first, last } satisfies Range as Range
})
