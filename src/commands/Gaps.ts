/** `killmaild gaps …`: what feeds did not tell and days lack, and how to have it repaired at once. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, Layer } from "effect"
import { Command } from "effect/cli"
import { repair } from "../history/RepairGaps.ts"
import { type Gap, Gaps } from "../store/Gaps.ts"
import { EveKill } from "../upstreams/EveKill.ts"
import { EveRefClient } from "../upstreams/EveRefClient.ts"
import { ZkbHistory } from "../upstreams/ZkbHistory.ts"
import { stores } from "./OnDatabase.ts"
import { json, print, table } from "./Output.ts"
import { refuse } from "./Refusal.ts"

const columns = ["feed", "reason", "day", "numbers", "opened", "closed", "found"]

const rowOf = ({ closed_at, day, feed, found, from_cursor, opened_at, reason, to_cursor }: Gap) => [
  feed,
  reason,
  day,
  from_cursor === null ? "" : `${from_cursor} to ${to_cursor === null ? "" : to_cursor - 1}`.trim(),
  opened_at.toISOString(),
  closed_at?.toISOString() ?? "",
  String(found)
]

const upstreams = Layer.mergeAll(ZkbHistory.layer, EveKill.layer, EveRefClient.layer).pipe(
  Layer.provideMerge(stores),
  Layer.provide(NodeHttpClient.layerUndici)
)

const repairNow = Command.make("repair", { json }, (input) =>
  Effect.gen(function*() {
    const outcome = yield* repair
    const { closed, days, found, short } = outcome
    yield* print(
      input.json,
      outcome,
      (short === null ? "" : `${short} days were found to be short. `) +
        `Of ${days} days with gaps, ${closed} are complete; ${found} killmails of the others are in the queue of the daemon.`
    )
    if (short === null) {
      return yield* refuse("gaps repair: zKillboard did not tell how many killmails each day has, as the log says.")
    }
  }).pipe(Effect.provide(upstreams))).pipe(
    Command.withDescription("Look now for what is missing, as the daemon does by itself every hour")
  )

export const gaps = Command.make("gaps", { json }, (input) =>
  Effect.gen(function*() {
    const rows = yield* Gaps.use((gaps) => gaps.list)
    yield* print(input.json, rows, rows.length === 0 ? "There are no gaps." : table(columns, rows.map(rowOf)))
  }).pipe(Effect.provide(stores))).pipe(
    Command.withDescription("What feeds did not tell and days lack, open gaps first"),
    Command.withSubcommands([repairNow])
  )
