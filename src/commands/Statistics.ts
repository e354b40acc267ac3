/** `killmaild statistics rebuild`: all numbers counted anew from the killmails. */
import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { countSome } from "../statistics/CountKillmails.ts"
import { StatisticsStore } from "../store/StatisticsStore.ts"
import { stores } from "./OnDatabase.ts"
import { json, print } from "./Output.ts"
import { makeProgress } from "./Progress.ts"

const atOnce = { quietMillis: 0, longestMillis: 0 }

const rebuild = Command.make("rebuild", { json }, (input) =>
  Effect.scoped(Effect.gen(function*() {
    const store = yield* StatisticsStore
    const report = yield* makeProgress(input.json)
    yield* store.restart
    const { days: total } = yield* store.backlog
    for (;;) {
      const wasBusy = yield* countSome(atOnce)
      const { days } = yield* store.backlog
      yield* report({ what: "statistics rebuild", done: Math.max(0, total - days), total, unit: "days" })
      if (!wasBusy && days === 0) break
      // A daemon counts at this moment, and takes its part.
      if (!wasBusy) yield* Effect.sleep("200 millis")
    }
    yield* print(input.json, { days: total }, `${total} days counted anew.`)
  })).pipe(
    Effect.provide(stores),
    Effect.onInterrupt(() =>
      Console.error("Stopped. A daemon goes on with what is left; the same command begins anew.")
    )
  )).pipe(
    Command.withDescription("Count all statistics anew from the killmails, which starts from nothing")
  )

export const statistics = Command.make("statistics").pipe(
  Command.withDescription("What everybody killed and lost"),
  Command.withSubcommands([rebuild])
)
