import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { type SandboxOptions, start } from "../../src/sandbox/Sandbox.ts"
import { contact, get, rulesOf, someMail } from "./Visitor.ts"

const manual: SandboxOptions = { port: 0, speed: 1, seed: "tests", faults: 0, world: "manual" }

const promise = <A>(run: () => Promise<A>) => Effect.promise(run)

describe("the sandbox's port", () => {
  it.live("serves what a test publishes, and logs every request", () =>
    Effect.gen(function*() {
      const sandbox = yield* start(manual)
      const { killmail, path } = someMail()
      sandbox.knowToEsi(killmail)
      const answer = yield* promise(() => get(sandbox, `/esi${path}`))
      assert.deepStrictEqual(yield* promise(() => answer.json()), killmail)
      const [request] = sandbox.requests()
      assert.deepInclude(request, {
        upstream: "esi",
        method: "GET",
        path: `/esi${path}`,
        status: 200,
        userAgent: contact
      })
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("tells killmaild's settings where it is", () =>
    Effect.gen(function*() {
      const { environment, url } = yield* start(manual)
      assert.deepStrictEqual(environment, {
        KILLMAILD_ESI_URL: `${url}/esi`,
        KILLMAILD_R2Z2_URL: `${url}/r2z2`,
        KILLMAILD_REDISQ_URL: `${url}/redisq/listen.php`
      })
    }))

  it.live("shows people the violations, such as a request that names nobody", () =>
    Effect.gen(function*() {
      const sandbox = yield* start(manual)
      yield* promise(() => get(sandbox, "/esi/status", { "user-agent": "" }))
      const shown = yield* promise(() => get(sandbox, "/sandbox/violations").then((answer) => answer.json()))
      assert.deepStrictEqual(shown, JSON.parse(JSON.stringify(sandbox.violations())))
      assert.deepStrictEqual(rulesOf(sandbox), ["user-agent"])
    }))

  it.live("refuses to start on a port that is taken, in one sentence", () =>
    Effect.gen(function*() {
      const { url } = yield* start(manual)
      const port = Number(new URL(url).port)
      const error = yield* Effect.flip(start({ ...manual, port }))
      assert.match(error.message, new RegExp(`^the sandbox cannot start: port ${port} is taken$`))
    }))

  it.live("is closed when its scope ends", () =>
    Effect.gen(function*() {
      const sandbox = yield* Effect.scoped(start(manual))
      const exit = yield* Effect.exit(Effect.tryPromise(() => get(sandbox, "/esi/status")))
      assert.isTrue(Exit.isFailure(exit))
    }))
})

describe("scripted faults", () => {
  it.live("replace the answer, by how often the path was asked for, and allow another try at once", () =>
    Effect.gen(function*() {
      const sandbox = yield* start(manual)
      const { killmail, path } = someMail()
      sandbox.knowToEsi(killmail)
      sandbox.intercept(({ count, upstream }) =>
        upstream !== "esi"
          ? undefined
          : count === 1
          ? { status: 503, body: "<html>" }
          : count === 2
          ? { truncate: 9 }
          : undefined
      )
      const text = () => get(sandbox, `/esi${path}`).then(async (answer) => [answer.status, await answer.text()])
      assert.deepStrictEqual(yield* promise(text), [503, "<html>"])
      assert.deepStrictEqual(yield* promise(text), [200, `{"killmai`])
      assert.deepStrictEqual(yield* promise(text), [200, JSON.stringify(killmail)])
      assert.deepStrictEqual(sandbox.violations(), [])
      assert.deepStrictEqual(sandbox.requests().map(({ isFault }) => isFault), [true, true, false])
      yield* promise(text)
      assert.deepStrictEqual(rulesOf(sandbox), ["cache"])
    }))

  it.live("reset the connection", () =>
    Effect.gen(function*() {
      const sandbox = yield* start(manual)
      sandbox.intercept(() => ({ reset: true }))
      const exit = yield* Effect.exit(Effect.tryPromise(() => get(sandbox, "/esi/status")))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(sandbox.requests()[0]!.status, 0)
    }))

  it.live("start a pause when they tell how long to wait", () =>
    Effect.gen(function*() {
      const sandbox = yield* start(manual)
      sandbox.intercept(({ count }) => count === 1 ? { status: 429, headers: { "Retry-After": "60" } } : undefined)
      yield* promise(() => get(sandbox, "/r2z2/ephemeral/sequence.json"))
      // Past the grace for requests that were under way.
      yield* Effect.sleep("300 millis")
      yield* promise(() => get(sandbox, "/r2z2/ephemeral/1.json"))
      assert.deepStrictEqual(rulesOf(sandbox), ["pause"])
    }))
})

describe("seeded faults", () => {
  it.live("meet the wanted share of requests, each kind of them, the same ones for the same seed", () =>
    Effect.gen(function*() {
      const walk = Effect.fn(function*(seed: string) {
        const sandbox = yield* start({ ...manual, speed: 10_000, faults: 0.5, seed })
        const sequence = sandbox.publishR2z2({ esi: someMail().killmail })
        const ask = () =>
          get(sandbox, `/r2z2/ephemeral/${sequence}.json`).then((answer) => answer.text(), () => "reset")
        for (let each = 0; each < 300; each++) yield* promise(ask)
        return sandbox.requests()
      })
      const first = yield* walk("a")
      const faults = first.filter(({ isFault }) => isFault).length
      assert.isTrue(faults > 110 && faults < 190, `${faults} of 300`)
      assert.sameMembers([...new Set(first.map(({ status }) => status))], [0, 200, 404, 429, 502, 503, 504])
      const outcome = (requests: typeof first) => requests.map(({ isFault, status }) => `${status}${isFault}`)
      assert.deepStrictEqual(outcome(yield* walk("a")), outcome(first))
      assert.notDeepEqual(outcome(yield* walk("b")), outcome(first))
    }))
})
