/** Whom to ask for what is missing here of a day, the cheapest first. A new one is one entry of this list. */
import { Effect, Option, Stream } from "effect"
import { readFrom } from "../archives/BitReader.ts"
import { membersOf } from "../archives/TarBz2.ts"
import type { Day } from "../domain/Market.ts"
import { EveKill } from "../upstreams/EveKill.ts"
import { EveRefClient } from "../upstreams/EveRefClient.ts"
import type { UpstreamError } from "../upstreams/PoliteClient.ts"
import { bodiesIn, type BodyText, ZkbHistory } from "../upstreams/ZkbHistory.ts"
import { killmailArchives } from "./Days.ts"

/** By killmail id. */
export type Hashes = Readonly<Record<string, string>>

export interface DaySource<R> {
  /** In `sightings` and in the ledger. */
  readonly name: string
  /** Of the day's killmails; none as long as it has no list of the day. */
  readonly hashes: (day: Day) => Effect.Effect<Option.Option<Hashes>, UpstreamError, R>
  /** All bodies of the day in one download; none where there is no such thing. What is damaged ends early. */
  readonly bodies: (day: Day) => Effect.Effect<Option.Option<Stream.Stream<BodyText>>, UpstreamError, R>
}

const zkillboard: DaySource<ZkbHistory> = {
  name: "zkillboard",
  hashes: (day) => ZkbHistory.use((history) => history.hashes(day)),
  bodies: (day) => Effect.map(ZkbHistory.use((history) => history.file(day)), Option.map(inFile))
}

/** It lists the present day, too, as far as it has come; bodies are those of its feed, which goes back a year. */
const evekill: DaySource<EveKill> = {
  name: "evekill",
  hashes: (day) =>
    Effect.map(
      EveKill.use((api) => api.hashes(day)),
      (hashes) => Object.keys(hashes).length === 0 ? Option.none() : Option.some(hashes)
    ),
  bodies: (day) => Effect.map(EveKill.use((api) => api.bodies(day)), Option.map(inFile))
}

/** Its archives have every body of a day, once it is over; it has no lists beside them. */
const everef: DaySource<EveRefClient> = {
  name: "everef",
  hashes: () => Effect.succeedNone,
  bodies: (day) =>
    Effect.map(
      EveRefClient.use((client) => client.dayFile(killmailArchives, day, null)),
      (file) => typeof file === "string" ? Option.none() : Option.some(inArchive(day, file.bytes))
    )
}

export const daySources: ReadonlyArray<DaySource<ZkbHistory | EveKill | EveRefClient>> = [zkillboard, evekill, everef]

const inFile = (bytes: Uint8Array) => Stream.fromIterable(bodiesIn(bytes))

const inArchive = (day: Day, bytes: Uint8Array) =>
  Stream.fromAsyncIterable(textsOf(bytes), (cause) => cause).pipe(
    Stream.catch((cause) => Stream.drain(Stream.fromEffect(Effect.logWarning(`EVE Ref's archive of ${day}: ${cause}`))))
  )

async function* textsOf(bytes: Uint8Array): AsyncGenerator<BodyText> {
  for await (const member of membersOf(readFrom(bytes))) {
    const id = /(\d+)\.json$/.exec(member.name)?.[1]
    if (id !== undefined) yield { killmail_id: Number(id), text: member.bytes.toString() }
  }
}
