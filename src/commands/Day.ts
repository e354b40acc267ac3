/** Days on the command line. */
import { Effect } from "effect"
import { type Day, isDay } from "../domain/Market.ts"
import { refuse } from "./Refusal.ts"

/** `subject` is the command, as its refusal names it. */
export const readDay = (subject: string, flag: string, text: string) =>
  isDay(text)
    ? Effect.succeed<Day>(text)
    : Effect.fail(refuse(`${subject}: --${flag} got ${JSON.stringify(text)}, wants a day such as 2026-01-31.`))
