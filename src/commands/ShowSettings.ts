/** `killmaild settings`: every setting with the value that it has here. */
import { Effect } from "effect"
import { Command } from "effect/cli"
import { describeSettings } from "../Settings.ts"
import { fromEnvironment } from "./Environment.ts"
import { json, print, table } from "./Output.ts"

/** What stands for a secret that is set. */
const hidden = "********"

export const settings = Command.make("settings", { json }, (input) => {
  const rows = describeSettings.map(({ fallback, meaning, name, secret }) => {
    const own = process.env[name]
    const set = secret && (own ?? "") === "" ? process.env[`${name}_FILE`] : own
    return { name, value: set === undefined ? fallback : secret ? hidden : set, set: set !== undefined, meaning }
  })
  const text = table(
    ["setting", "value", "", "meaning"],
    rows.map(({ meaning, name, set, value }) => [name, value, set ? "set" : "default", meaning])
  )
  // Read them, too: a malformed one is told instead.
  return print(input.json, rows, text).pipe(Effect.provide(fromEnvironment))
}).pipe(Command.withDescription("Print every setting, secrets hidden"))
