import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import type { Stores } from "../../../src/api/graphql/Answering.ts"
import { queryHandler } from "../../../src/api/graphql/HttpQueries.ts"

/** The answer to a query for a killmail that is found like this. */
const ask = (find: Effect.Effect<never>) =>
  Effect.gen(function*() {
    const context = yield* Effect.context<never>()
    const faults: Array<Effect.Effect<void>> = []
    const stores = { entities: {}, killmails: { find: () => find }, names: {} } as unknown as Stores
    const handle = queryHandler({ stores, report: (fault) => void faults.push(fault) })
    const [text] = yield* Effect.promise((signal) =>
      handle({
        method: "POST",
        url: "/graphql",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query: "{ killmail(id: 1) { hash } }" }),
        raw: null,
        context: { isOperator: false, run: Effect.runPromiseWith(context), signal }
      })
    )
    return { text: text!, faults: faults.length }
  })

describe("a query over HTTP", () => {
  it.live("ends what it reads when its client has left", () =>
    Effect.gen(function*() {
      const begun = yield* Deferred.make<void>()
      const ended = yield* Deferred.make<void>()
      const endless = Deferred.succeed(begun, undefined).pipe(
        Effect.andThen(Effect.never),
        Effect.onInterrupt(() => Deferred.succeed(ended, undefined))
      )
      const asking = yield* Effect.forkChild(ask(endless))
      yield* Deferred.await(begun)
      yield* Fiber.interrupt(asking)
      yield* Deferred.await(ended)
    }))

  it.live("tells nothing of a fault of ours, which is reported", () =>
    Effect.gen(function*() {
      const { faults, text } = yield* ask(Effect.die(new Error("the password is secret")))
      assert.notInclude(text, "secret")
      assert.include(text, "That is a fault of killmaild; its log says more.")
      assert.include(text, "INTERNAL_SERVER_ERROR")
      assert.strictEqual(faults, 1)
    }))
})
