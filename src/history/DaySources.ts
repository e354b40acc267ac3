/** Whom to ask for what is missing here of a day, the cheapest first. A new one is one entry of this list. */
import { Effect, Option } from "effect"
import type { Day } from "../domain/Market.ts"
import { EveKill } from "../upstreams/EveKill.ts"
import type { UpstreamError } from "../upstreams/PoliteClient.ts"
import { bodiesIn, type BodyText, ZkbHistory } from "../upstreams/ZkbHistory.ts"

/** By killmail id. */
export type Hashes = Readonly<Record<string, string>>

export interface DaySource<R> {
  /** In `sightings` and in the ledger. */
  readonly name: string
  /** Of the day's killmails; none as long as it has no list of the day. */
  readonly hashes: (day: Day) => Effect.Effect<Option.Option<Hashes>, UpstreamError, R>
  /** All bodies of the day in one download; none where there is no such thing, and ESI has to be asked. */
  readonly bodies: (day: Day) => Effect.Effect<Option.Option<Iterable<BodyText>>, UpstreamError, R>
}

const zkillboard: DaySource<ZkbHistory> = {
  name: "zkillboard",
  hashes: (day) => ZkbHistory.use((history) => history.hashes(day)),
  bodies: (day) => ZkbHistory.use((history) => history.bodies(day))
}

/** It lists the present day, too, as far as it has come; bodies are those of its feed, which goes back a year. */
const evekill: DaySource<EveKill> = {
  name: "evekill",
  hashes: (day) =>
    Effect.map(
      EveKill.use((api) => api.hashes(day)),
      (hashes) => Object.keys(hashes).length === 0 ? Option.none() : Option.some(hashes)
    ),
  bodies: (day) => Effect.map(EveKill.use((api) => api.bodies(day)), Option.map(bodiesIn))
}

export const daySources: ReadonlyArray<DaySource<ZkbHistory | EveKill>> = [zkillboard, evekill]
