import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { LiveKillmails } from "../../src/broadcast/LiveKillmails.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import { headIsKnown } from "../support/R2z2Files.ts"
import { eventually, manualSandbox, startDaemon } from "../support/TestDaemon.ts"

const [first, second, third] = [1, 2, 3].map((k) => killmailOf("rewritten", k)) as [Mail, Mail, Mail]
type Mail = ReturnType<typeof killmailOf>

const publication = ({ hash, killmail, zkb }: Mail, labels: ReadonlyArray<string> = []) => ({
  esi: killmail,
  hash,
  zkb: { ...zkb, labels: [...zkb.labels, ...labels] }
})

const labelsOf = ({ killmail }: Mail) => (sql: SqlClient.SqlClient) =>
  sql<{ labels: ReadonlyArray<string> }>`
    select zkb->'labels' as labels from killmails where killmail_id = ${BigInt(killmail.killmail_id)}`

const hasLabel = (mail: Mail, label: string) =>
  eventually(labelsOf(mail), ([row]) => row?.labels.includes(label) === true)

const isStored = (mail: Mail) => eventually(labelsOf(mail), (rows) => rows.length === 1)

const cursor = (sql: SqlClient.SqlClient) => sql<{ cursor: bigint }>`select cursor from feed_cursors`

describe("a killmail about which zKillboard changes its mind", () => {
  it.live("keeps the newest block, is stored and told once, and moves nobody's sequence", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* startDaemon(sandbox)
      yield* Effect.gen(function*() {
        const sql = yield* SqlClient.SqlClient
        const announced: Array<string> = []
        ;(yield* LiveKillmails).listen(({ document, type }) => announced.push(`${type} ${document.killmail_id}`))
        yield* headIsKnown
        const sequence = sandbox.publishR2z2(publication(first))
        yield* isStored(first)

        sandbox.rewriteR2z2(sequence, publication(first, ["ganked"]))
        sandbox.publishR2z2({ ...publication(second), sequence_updated: sequence })
        yield* hasLabel(first, "ganked")

        // Under a new number, as zKillboard brings what it processed anew.
        sandbox.publishR2z2(publication(first, ["padding"]))
        yield* hasLabel(first, "padding")

        sandbox.publishR2z2(publication(third))
        yield* isStored(third)
        const killmails = [first, second, third].map(({ killmail }) => `killmail ${killmail.killmail_id}`)
        yield* eventually(() => Effect.succeed(announced.filter((text) => text.startsWith("killmail"))), (told) =>
          told.length === 3)
        assert.deepStrictEqual(
          announced.filter((text) =>
            text.startsWith("killmail")
          ),
          killmails
        )
        assert.deepStrictEqual(
          yield* sql`select max(sequence)::int as last, count(*)::int as count from killmail_ledger`,
          [
            { last: 3, count: 3 }
          ]
        )
        assert.deepStrictEqual(sandbox.violations(), [])
      }).pipe(Effect.provide(context))
    }))

  it.live("holds up no other, when what was rewritten cannot be had", () =>
    Effect.gen(function*() {
      const sandbox = yield* manualSandbox()
      const { context } = yield* startDaemon(sandbox)
      yield* Effect.gen(function*() {
        yield* headIsKnown
        const sequence = sandbox.publishR2z2(publication(first))
        yield* isStored(first)
        const garbled = sandbox.publishR2z2({ raw: "" })
        const next = sandbox.publishR2z2({ ...publication(second), sequence_updated: sequence })
        sandbox.rewriteR2z2(garbled, { ...publication(third), sequence_updated: "of old" as unknown as number })
        sandbox.rewriteR2z2(sequence, { raw: "<html>" })
        yield* isStored(third)
        yield* eventually(cursor, ([row]) => row?.cursor === BigInt(next + 1))
        yield* isStored(second)
        assert.deepStrictEqual(sandbox.violations(), [])
      }).pipe(Effect.provide(context))
    }))
})
