/** Days on the command line. */
import { Effect } from "effect"
import type { Day } from "../domain/Market.ts"
import { refuse } from "./Refusal.ts"

/** Whether it is a day of the calendar, written as `2026-01-31`. */
export const isDay = (text: string): boolean =>
  /^\d{4}-\d\d-\d\d$/.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.startsWith(text) === true

/** `subject` is the command, as its refusal names it. */
export const readDay = (subject: string, flag: string, text: string) =>
  isDay(text)
    ? Effect.succeed<Day>(text)
    : Effect.fail(refuse(`${subject}: --${flag} got ${JSON.stringify(text)}, wants a day such as 2026-01-31.`))
