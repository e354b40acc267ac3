import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { EntityStore } from "../../src/store/EntityStore.ts"
import { makeBrowser } from "../support/Browser.ts"
import { mailOf } from "../support/Mails.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

const pilotsOf = ({ attackers, victim }: Killmail) =>
  [victim, ...attackers].flatMap(({ character_id }) => character_id ?? [])

describe("a burst of killmails", () => {
  it.live(
    "is told to a channel of Discord within its true limits, each once and mostly in order",
    () =>
      Effect.gen(function*() {
        const sandbox = yield* manualSandbox({ speed: 1 })
        const { url: databaseUrl } = yield* migratedDatabase
        const { context, store, url } = yield* stoppableDaemon(databaseUrl, sandbox, { KILLMAILD_FEEDS: "" })
        const address = sandbox.inboxes.make("discord")
        const made = yield* makeBrowser().go(`${url}/api/v1/webhooks`, {
          method: "POST",
          headers: { "authorization": "Bearer operator", "content-type": "application/json" },
          body: JSON.stringify({ name: "burst", format: "discord", url: address })
        })
        assert.strictEqual(made.status, 201, made.text)
        const mails = Array.from({ length: 20 }, (_, k) => mailOf("burst", k))
        const entities = Context.get(context, EntityStore)
        // None is to wait for a name.
        yield* store(mails)
        yield* entities.notePublications(1000)
        yield* entities.keepNames(mails.flatMap(pilotsOf).map((id) => ({ id, name: `Pilot ${id}` })))
        yield* eventually(
          (sql) => sql`select from webhook_deliveries where status = 'delivered'`,
          (rows) => rows.length === mails.length
        ).pipe(Effect.provide(context))
        const told = sandbox.inboxes.received(address).map(({ body }) => {
          const { embeds } = JSON.parse(body) as { readonly embeds: ReadonlyArray<{ readonly url: string }> }
          return Number(/(\d+)\/$/.exec(embeds[0]!.url)![1])
        })
        assert.sameMembers(told, mails.map(({ killmail_id }) => killmail_id))
        assert.deepStrictEqual(sandbox.violations().filter(({ upstream }) => upstream === "discord"), [])
        // Sequences follow ids within a batch.
        const inOrder = mails.map(({ killmail_id }) => killmail_id).toSorted((a, b) => a - b)
        const displaced = told.map((id, place) => Math.abs(inOrder.indexOf(id) - place))
        assert.isAtMost(Math.max(...displaced), 10, told.join())
      }),
    120_000
  )
})
