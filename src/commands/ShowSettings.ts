import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { describeSettings } from "../Settings.ts"
import { fromEnvironment } from "./Environment.ts"
import { table } from "./Table.ts"

export const settings = Command.make("settings", {}, () => {
  const rows = describeSettings.map(({ fallback, meaning, name, secret }) => {
    const set = process.env[name] ?? (secret && process.env[`${name}_FILE`] !== undefined ? "from file" : undefined)
    const value = set === undefined ? fallback : secret ? "********" : set
    return [name, value, set === undefined ? "default" : "set", meaning]
  })
  return Console.log(table(["setting", "value", "", "meaning"], rows)).pipe(Effect.provide(fromEnvironment))
}).pipe(Command.withDescription("Print every setting, secrets hidden"))
