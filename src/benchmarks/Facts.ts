/** What things are and cost, as a daemon would have learnt it by now. */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import * as Sandbox from "../sandbox/Sandbox.ts"
import { Settings } from "../Settings.ts"
import { importStaticData } from "../static-data/ImportStaticData.ts"
import { seed } from "./Mails.ts"

/** The sandbox's static data, and a price of every type for every day that counts. */
export const prepareFacts = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  const sandbox = yield* Sandbox.start({ port: 0, speed: 1000, seed, faults: 0, world: "clock" })
  yield* importStaticData({ kind: "latest" }, { force: true, onProgress: () => Effect.void }).pipe(
    Effect.provide([Settings.layerFrom(sandbox.environment), NodeHttpClient.layerUndici])
  )
  yield* sql`
    insert into prices (type_id, day, average)
    select type_id, day, 1000 + type_id % 997 * 1000
    from types, generate_series('2021-09-15'::date, '2022-03-01'::date, interval '1 day') day
    on conflict do nothing`
  yield* sql`vacuum analyze prices`
}).pipe(Effect.scoped)
