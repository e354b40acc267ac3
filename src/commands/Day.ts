/** Days on the command line. */
import { Effect } from "effect"
import type { Day } from "../domain/Market.ts"
import { refuse } from "./Refusal.ts"

/** `subject` is the command, as its refusal names it. */
export const readDay = (subject: string, flag: string, text: string) =>
  /^\d{4}-\d\d-\d\d$/.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.startsWith(text) === true
    ? Effect.succeed<Day>(text)
    : Effect.fail(refuse(`${subject}: --${flag} got ${JSON.stringify(text)}, wants a day such as 2026-01-31.`))
