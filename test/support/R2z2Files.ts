/** Files of R2Z2 that a test writes letter by letter. */
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import type { Sandbox } from "../../src/sandbox/Sandbox.ts"
import { eventually } from "./TestDaemon.ts"

/** Publishes whatever text as the next file; returns its sequence. */
export const publishText = (sandbox: Sandbox, textOf: (sequence: number) => string): number => {
  const sequence = sandbox.publishR2z2({ raw: "" })
  sandbox.rewriteR2z2(sequence, { raw: textOf(sequence) })
  return sequence
}

/** A file that names this killmail, with whatever body and words of zKillboard, as JSON text, or without. */
export const publishNaming = (sandbox: Sandbox, killmail: Killmail, esi = "null", zkb = "{}"): number =>
  publishText(
    sandbox,
    (sequence) =>
      `{"killmail_id":${killmail.killmail_id},"hash":"${
        hashOf(killmail)
      }","esi":${esi},"zkb":${zkb},"uploaded_at":1,"sequence_id":${sequence}}`
  )

/** A daemon begins after the head: what is published before it has looked would be missed. */
export const headIsKnown = eventually(
  (sql) => sql`select from feed_cursors where feed = 'r2z2' and cursor is not null`,
  (rows) => rows.length === 1
)
