/** What zKillboard says of killmails that were heard of before. It changes its mind, and then names them once more. */
import { Effect } from "effect"
import type { SqlClient } from "effect/sql"
import { compare, type Said } from "../domain/Agreement.ts"
import { countAgreement } from "../telemetry/Metrics.ts"
import { pgColumn } from "./PgArray.ts"
import { pgJson } from "./PgText.ts"

export interface ZkbBlock {
  readonly killmail_id: number
  readonly zkb?: unknown
}

const isSaid = ({ zkb }: { readonly zkb?: unknown }): boolean => zkb !== undefined && zkb !== null

/**
 * Keeps the blocks of stored killmails, within the caller's transaction, and compares what changed with our own words.
 * They replace what was there, or fill in what nobody said.
 */
export const keepBlocks = Effect.fnUntraced(function*(
  sql: SqlClient.SqlClient,
  mode: "replace" | "fill",
  blocks: ReadonlyArray<ZkbBlock>
) {
  const zkbOf = new Map(blocks.filter(isSaid).map(({ killmail_id, zkb }) => [killmail_id, zkb]))
  if (zkbOf.size === 0) return
  // The months first: an update that is told them looks at no other, which saves it most of its time.
  const keys = yield* sql<{ id: number; time: string }>`
    select killmail_id::float8 as id, killmail_time::text as time
    from killmail_ledger
    where killmail_id = any(${pgColumn([...zkbOf.keys()], (id) => id)}::bigint[])`
  if (keys.length === 0) return
  const times = pgColumn(keys, ({ time }) => time)
  const changed = yield* sql<Said & { readonly zkb: unknown; readonly isAppraised: boolean }>`
    update killmails mail
    set zkb = block.zkb
    from unnest(
      ${times}::timestamptz[],
      ${pgColumn(keys, ({ id }) => id)}::bigint[],
      ${pgColumn(keys, ({ id }) => pgJson(zkbOf.get(id)))}::jsonb[]
    ) as block(killmail_time, killmail_id, zkb)
    where mail.killmail_time = any(${times}::timestamptz[])
      and (mail.killmail_time, mail.killmail_id) = (block.killmail_time, block.killmail_id)
      and (mail.zkb is null or ${mode === "replace"} and mail.zkb <> block.zkb)
    returning mail.zkb, valuation_version is not null as "isAppraised", is_npc as npc, is_solo as solo, is_awox as awox,
      points, total_value::float8 as total_value, unpriced_items, labels`
  for (const { isAppraised, zkb, ...said } of changed) {
    if (isAppraised) yield* countAgreement(compare(said, zkb))
  }
})

/** As `keepBlocks` replaces them, for killmails that are to be stored: hands the blocks to the jobs that still wait. */
export const keepWaitingBlocks = Effect.fnUntraced(function*(
  sql: SqlClient.SqlClient,
  blocks: ReadonlyArray<{ readonly key: string; readonly zkb?: unknown }>
) {
  const said = blocks.filter(isSaid)
  if (said.length === 0) return
  yield* sql`
    update graphile_worker._private_jobs jobs
    set payload = jsonb_set(payload::jsonb, '{zkb}', zkb)::json
    from unnest(
      ${pgColumn(said, ({ key }) => key)}::text[],
      ${pgColumn(said, ({ zkb }) => pgJson(zkb))}::jsonb[]
    ) as block(key, zkb)
    where jobs.key = block.key and locked_at is null`
})
