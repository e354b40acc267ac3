/** `killmaild prices import` and `prices refresh`: what things cost on each day, brought in at once. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, Effect, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import type { SqlError } from "effect/sql"
import type { EsiError } from "../esi/EsiError.ts"
import { EsiMarkets } from "../esi/EsiMarkets.ts"
import { EveRef } from "../prices/EveRef.ts"
import { firstDay, importFromEveRef, importFromFiles, type Outcome } from "../prices/ImportPrices.ts"
import { fetchHistory, recentDays, refreshCcpPrices, typesToAsk } from "../prices/RefreshPrices.ts"
import { rangeFlags, readRange } from "./Day.ts"
import { stores } from "./OnDatabase.ts"
import { json, print } from "./Output.ts"
import { makeProgress, waitFor } from "./Progress.ts"
import { refuse } from "./Refusal.ts"

const everef = EveRef.layer.pipe(Layer.provideMerge(stores), Layer.provide(NodeHttpClient.layerUndici))
const everefAndEsi = Layer.merge(EveRef.layer, EsiMarkets.layer).pipe(
  Layer.provideMerge(stores),
  Layer.provide(NodeHttpClient.layerUndici)
)

const flags = {
  ...rangeFlags(firstDay),
  path: Flag.String("path").pipe(
    Flag.withDescription("Reads files of EVE Ref's market history from a directory, or one file, and asks nobody"),
    Flag.optional
  ),
  json
}

const importCommand = Command.make("import", flags, (input) =>
  Effect.scoped(Effect.gen(function*() {
    const range = yield* readRange("prices import", input, { first: firstDay, last: (yield* recentDays).last })
    const report = yield* makeProgress(input.json)
    const options = { onProgress: reportDays(report), onPause: waitFor }
    const outcome = yield* Effect.gen(function*() {
      return Option.isSome(input.path)
        ? yield* importFromFiles(input.path.value, range, options)
        : yield* importFromEveRef(range, options)
    }).pipe(
      Effect.provide(everef),
      Effect.catchTag(["UpstreamUnavailable", "UpstreamPaused", "FileUnreadable"], explain("import"))
    )
    return yield* tell("import", input.json, outcome, textOf(outcome))
  })).pipe(
    Effect.onInterrupt(() => Console.error("Stopped; the days that were read are kept. The same command goes on."))
  )).pipe(
    Command.withDescription(
      "Import daily averages of The Forge from EVE Ref, or from its files: all days that are not here"
    )
  )

const refresh = Command.make("refresh", { json }, (input) =>
  Effect.scoped(Effect.gen(function*() {
    const report = yield* makeProgress(input.json)
    const days = yield* importFromEveRef(yield* recentDays, { onProgress: reportDays(report), onPause: waitFor })
    const ccp_prices = yield* refreshCcpPrices
    const types = yield* typesToAsk
    let asked = 0
    let added = 0
    for (const typeId of types) {
      added += yield* patiently(fetchHistory(typeId))
      yield* report({ what: "ESI's histories", done: ++asked, total: types.length, unit: "types" })
    }
    const outcome = { ...days, ccp_prices, types: asked, prices_from_esi: added }
    return yield* tell(
      "refresh",
      input.json,
      outcome,
      `${textOf(days)} ESI was asked for ${asked} types and had ${added} prices of them.`
    )
  })).pipe(
    Effect.provide(everefAndEsi),
    Effect.catchTag(["UpstreamUnavailable", "UpstreamPaused", "EsiError"], explain("refresh")),
    Effect.onInterrupt(() => Console.error("Stopped; what was read is kept. The same command goes on."))
  )).pipe(
    Command.withDescription("Bring prices up to date now, as the daemon does by itself once a day")
  )

type Report = Effect.Success<ReturnType<typeof makeProgress>>

const reportDays = (report: Report) => ({ done, total }: { readonly done: number; readonly total: number }) =>
  report({ what: "prices", done, total, unit: "files" })

type Question<A, R> = Effect.Effect<A, EsiError | SqlError.SqlError, R>

const patiently = <A, R>(question: Question<A, R>): Question<A, R> =>
  Effect.catchReason(
    question,
    "EsiError",
    "EsiPaused",
    (pause) => Effect.andThen(waitFor(pause), patiently(question))
  )

const explain = (command: string) => ({ message }: { readonly message: string }) =>
  Effect.fail(refuse(`prices ${command}: ${message}`))

const textOf = ({ imported, prices, unchanged }: Outcome): string =>
  `${imported} days were read, with ${prices} new or changed prices; ${unchanged} were here already.`

/** All was done, or the command fails. */
const tell = Effect.fnUntraced(function*(command: string, asJson: boolean, outcome: Outcome, text: string) {
  yield* print(asJson, outcome, text)
  const [first, ...others] = outcome.unreadable
  if (first === undefined) return
  const more = others.length === 0 ? "" : ` So could not ${others.length} other files.`
  return yield* refuse(`prices ${command}: ${first}${more}`)
})

export const prices = Command.make("prices").pipe(
  Command.withDescription("What things cost on each day"),
  Command.withSubcommands([importCommand, refresh])
)
