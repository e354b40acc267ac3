import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { alice, bob, signIn, world } from "../accounts/AccountsWorld.ts"
import { mailOf, withVictim } from "../support/Mails.ts"
import { settingsFor } from "../support/TestDaemon.ts"
import { run } from "./CommandLine.ts"

/** Two pilots who signed in, and no daemon. */
const signedIn = Effect.gen(function*() {
  const { context, dataDir, sandbox, url } = yield* world()
  yield* Effect.forEach([alice, bob], (pilot) => signIn(pilot)).pipe(Effect.provide(context))
  const settings = settingsFor(sandbox, url, dataDir)
  const command = (...args: ReadonlyArray<string>) => run(args, settings)
  return { command, sandbox, settings }
})

describe("the commands for pilots' own killmails", () => {
  it.live(
    "bring in all that ESI lists, tell it by pilot, and say when somebody is unknown",
    () =>
      Effect.gen(function*() {
        const { command, sandbox, settings } = yield* signedIn
        for (const k of [1, 2, 3]) sandbox.knowToEsi(withVictim(mailOf("backfill", k), { character_id: alice }))
        sandbox.knowToEsi(withVictim(mailOf("backfill", 4), { character_id: bob }))

        const queued = yield* command("queue", "users", "--character", String(bob), "--json")
        assert.deepStrictEqual([queued.status, JSON.parse(queued.out)], [0, { count: 1 }])

        const { err, out, status } = yield* command("backfill", "user-killmails")
        assert.strictEqual(status, 0, err)
        assert.match(err, /: 3 found, 3 new, 0 known, 0 failed$/m)
        assert.match(err, /: 1 found, 1 new, 0 known, 0 failed$/m)
        assert.match(out, /^pilot +list +found +new +known +failed$/m)

        const nobody = yield* command("queue", "users", "--character", "1")
        assert.strictEqual(nobody.status, 1)
        assert.match(nobody.err, /queue users: --character got 1, wants a pilot who signed in/)

        const nameless = { ...settings, KILLMAILD_CONTACT: "", KILLMAILD_ESI_URL: "https://esi.evetech.net" }
        const refused = yield* run(["backfill", "user-killmails"], nameless)
        assert.match(refused.err, /^killmaild: backfill user-killmails: KILLMAILD_CONTACT: is unset, wants [^\n]+\n$/)
        assert.deepStrictEqual(sandbox.violations(), [])
      }),
    120_000
  )
})
