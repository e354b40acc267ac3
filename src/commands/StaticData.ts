/** `killmaild static-data import`: CCP's static data into the tables, at once, from where one wants. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { importStaticData, type Outcome, type Source } from "../static-data/ImportStaticData.ts"
import { stores } from "./OnDatabase.ts"
import { json, print } from "./Output.ts"
import { makeProgress } from "./Progress.ts"
import { refuse } from "./Refusal.ts"

const from = Argument.String("path-or-url").pipe(
  Argument.withDescription("A zip of JSONL files; without it, the newest build of CCP (KILLMAILD_SDE_URL)"),
  Argument.optional
)
const force = Flag.Boolean("force").pipe(
  Flag.withDescription("Import a build that is here already once more"),
  Flag.withDefault(false)
)

const sourceOf = (text: string): Source => {
  const url = URL.parse(text)
  return url !== null && /^https?:$/.test(url.protocol) ? { kind: "url", url } : { kind: "file", path: text }
}

const textOf = ({ build, missing, rows, status }: Outcome): string => {
  const name = build === null ? "A build without a number" : `Build ${build}`
  if (status === "known") return `${name} is here already.`
  const tables = Object.entries(rows).map(([table, count]) => `${count} ${table}`).join(", ")
  return `${name} is here: ${tables}.${missing.length === 0 ? "" : ` The archive lacks ${missing.join(", ")}.`}`
}

const importCommand = Command.make("import", { from, force, json }, (input) =>
  Effect.scoped(Effect.gen(function*() {
    const source = Option.match(input.from, { onNone: (): Source => ({ kind: "latest" }), onSome: sourceOf })
    const report = yield* makeProgress(input.json)
    return yield* importStaticData(source, {
      force: input.force,
      onProgress: ({ done, step, total }) => report({ what: step, done, total, unit: "bytes" })
    })
  })).pipe(
    Effect.provide([stores, NodeHttpClient.layerUndici]),
    Effect.catchTags({
      LeaseHeld: () =>
        refuse("static-data import: another import is running, perhaps the daemon's; try again when it has ended."),
      LeaseLost: () =>
        refuse("static-data import: another process took over, as this one did not answer; nothing was changed."),
      SdeUnavailable: ({ message }) => refuse(`static-data import: ${message}`),
      SdeUnusable: ({ message }) => refuse(`static-data import: ${message}`)
    }),
    Effect.onInterrupt(() => Console.error("Stopped; nothing was changed. The same command begins anew.")),
    Effect.flatMap((outcome) => print(input.json, outcome, textOf(outcome)))
  )).pipe(
    Command.withDescription("Import CCP's static data (SDE): types, systems, celestials and what else rules read")
  )

export const staticData = Command.make("static-data").pipe(
  Command.withDescription("What the game itself is made of: types, systems, celestials"),
  Command.withSubcommands([importCommand])
)
