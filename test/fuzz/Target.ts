/** A whole daemon with killmails of the sandbox's New Eden, and what the fuzzer must know of it. */
import { Context, Effect, Layer, Schedule } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { schema } from "../../src/api/graphql/Schema.ts"
import { Server } from "../../src/api/Server.ts"
import * as Daemon from "../../src/Daemon.ts"
import type { Killmail } from "../../src/domain/Killmail.ts"
import * as Sandbox from "../../src/sandbox/Sandbox.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { Settings } from "../../src/Settings.ts"
import * as Telemetry from "../../src/telemetry/Telemetry.ts"
import type { Source } from "./Attempt.ts"
import { contractOf, type Document } from "./Contract.ts"
import * as GraphQl from "./GraphQl.ts"
import * as Outside from "./Outside.ts"
import * as Rest from "./Rest.ts"
import type { Facts } from "./Values.ts"
import * as Wire from "./Wire.ts"

const token = "operator"
const killmails = 150

/** On an empty database; it has heard of its killmails when it is there. */
export const target = Effect.fnUntraced(function*(databaseUrl: string) {
  const dataDir = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "killmaild-fuzz-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const sandbox = yield* Sandbox.start({ port: 0, speed: 100, seed: "fuzz", faults: 0, world: "manual" })
  const context = yield* Layer.build(
    Daemon.wholeInOneProcess.pipe(
      Layer.provideMerge(Telemetry.layer),
      Layer.provideMerge(Settings.layerFrom({
        DATABASE_URL: databaseUrl,
        KILLMAILD_DATA_DIR: dataDir,
        KILLMAILD_PORT: "0",
        KILLMAILD_CONTACT: "fuzz@localhost",
        KILLMAILD_ADMIN_TOKEN: token,
        KILLMAILD_FEEDS: "r2z2",
        KILLMAILD_R2Z2_RATE: "400",
        KILLMAILD_R2Z2_POLL: "65ms",
        KILLMAILD_LOG_LEVEL: "error",
        ...sandbox.environment
      }))
    )
  )
  const { url } = Context.get(context, Server)
  const publish = (from: number, to: number) =>
    Effect.sync(() => {
      for (let k = from; k < to; k++) {
        const { hash, killmail, zkb } = killmailOf("fuzz", k)
        sandbox.publishR2z2({ esi: killmail, hash, zkb })
      }
    })
  // A feed begins at the head: it must be there before the rest is.
  yield* publish(0, 1)
  yield* until(read<Listed>(`${url}/api/v1/feeds`), ({ data }) => data.length > 0)
  yield* publish(1, killmails)
  yield* until(listed(url), ({ data }) => data.length >= killmails - 1)
  return { url, token }
})

interface Listed {
  readonly data: ReadonlyArray<unknown>
}

const until = <A>(question: Effect.Effect<A>, isThere: (answer: A) => boolean) =>
  question.pipe(
    Effect.repeat({ until: isThere, schedule: Schedule.spaced("100 millis") }),
    Effect.timeout("2 minutes")
  )

interface Page {
  readonly data: ReadonlyArray<Killmail & { readonly hash: string }>
  readonly next_cursor: string | null
}

const read = <A>(url: string) => Effect.promise(async () => await (await fetch(url)).json() as A)
const listed = (url: string, limit = 1000) => read<Page>(`${url}/api/v1/killmails?limit=${limit}&include=attackers`)

const known = (ids: ReadonlyArray<number | undefined>) => [...new Set(ids.filter((id) => id !== undefined))]

/** Everything that sends requests to this daemon. */
export const sourcesFor = Effect.fnUntraced(
  function*({ token, url }: { readonly url: string; readonly token: string }) {
    const contract = contractOf(yield* read<Document>(`${url}/openapi.json`))
    const { data } = yield* listed(url)
    const { next_cursor } = yield* listed(url, Math.max(1, data.length >> 1))
    const parties = data.flatMap(({ attackers, victim }) => [victim, ...attackers])
    const facts: Facts = {
      token,
      killmails: data.map(({ hash, killmail_id }) => ({ id: killmail_id, hash })),
      characters: known(parties.map(({ character_id }) => character_id)),
      corporations: known(parties.map(({ corporation_id }) => corporation_id)),
      alliances: known(parties.map(({ alliance_id }) => alliance_id)),
      systems: known(data.map(({ solar_system_id }) => solar_system_id)),
      ships: known(parties.map(({ ship_type_id }) => ship_type_id)),
      cursors: next_cursor === null ? [] : [next_cursor]
    }
    return [
      Rest.source(contract, facts),
      GraphQl.source(schema, facts),
      Outside.source,
      Wire.source
    ] satisfies ReadonlyArray<Source>
  }
)
