import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { accidentNames, makeAccidents } from "../../src/sandbox/Accidents.ts"
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
        KILLMAILD_REDISQ_URL: `${url}/redisq/listen.php`,
        KILLMAILD_EVEKILL_URL: `${url}/evekill`,
        KILLMAILD_EVEKILL_WS_URL: `${url.replace("http", "ws")}/evekill-socket/ws/killmails`,
        KILLMAILD_ZKILLBOARD_URL: `${url}/zkillboard`,
        KILLMAILD_EVEREF_URL: `${url}/everef`,
        KILLMAILD_SDE_URL: `${url}/static-data`,
        KILLMAILD_WANDERER_URL: `${url}/wanderer`,
        KILLMAILD_WEBHOOK_ALLOW: new URL(url).host,
        KILLMAILD_FCM_URL: `${url}/fcm`,
        KILLMAILD_SSO_URL: `${url}/sso`,
        KILLMAILD_SSO_CLIENT_ID: "5a0d1ce0f5a9d0b0c0ffee0000c0ffee"
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
      assert.deepStrictEqual(sandbox.requests().map(({ fault }) => fault), ["scripted", "scripted", undefined])
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
        const sandbox = yield* start({ ...manual, speed: 10_000, faults: 0.4, seed })
        const sequence = sandbox.publishR2z2({ esi: someMail().killmail })
        const ask = () =>
          get(sandbox, `/r2z2/ephemeral/${sequence}.json`).then((answer) => answer.text()).catch(() => "reset")
        for (let each = 0; each < 400; each++) yield* promise(ask)
        return sandbox.requests().map(({ fault }) => fault)
      })
      const first = yield* walk("a")
      const faults = first.filter((fault) => fault !== undefined)
      assert.isTrue(faults.length > 110 && faults.length < 190, `${faults.length} of 400`)
      assert.sameMembers([...new Set(faults)].filter((fault) => fault !== "outage"), [...accidentNames("r2z2")])
      assert.deepStrictEqual(yield* walk("a"), first)
      assert.notDeepEqual(yield* walk("b"), first)
    }))

  it.live("never meet one path three times in a row", () =>
    Effect.gen(function*() {
      const sandbox = yield* start({ ...manual, speed: 10_000, faults: 1 })
      for (let each = 0; each < 30; each++) yield* promise(() => get(sandbox, "/esi/status").catch(() => undefined))
      assert.strictEqual(
        sandbox.requests().map(({ fault }) => fault === undefined || fault === "outage" ? "-" : "f").join(""),
        "ff-".repeat(10)
      )
    }))

  it.live("are an outage now and then, of one upstream", () =>
    Effect.sync(() => {
      const accident = makeAccidents("outage", 1, 1)
      const ask = (upstream: "esi" | "r2z2", at: number) =>
        accident({ upstream, path: "/" + Math.random(), at } as Parameters<typeof accident>[0])?.name
      let at = 0
      while (ask("esi", at) !== "outage") at += 1000
      assert.notStrictEqual(ask("r2z2", at), "outage")
      while (ask("esi", at) === "outage") at += 1000
      assert.isAtLeast(at, 600_000)
    }))
})

describe("a body", () => {
  it.live("drips, or breaks off", () =>
    Effect.gen(function*() {
      const sandbox = yield* start(manual)
      const { killmail, path } = someMail()
      sandbox.knowToEsi(killmail)
      sandbox.intercept(({ count }) => count === 1 ? { dripMillis: 200 } : { resetWithin: true })
      const began = performance.now()
      const answer = yield* promise(() => get(sandbox, `/esi${path}`))
      const headersAfter = performance.now() - began
      assert.deepStrictEqual(yield* promise(() => answer.json()), killmail)
      assert.isBelow(headersAfter, 150)
      assert.isAbove(performance.now() - began, 190)
      const broken = yield* promise(() => get(sandbox, `/esi${path}`))
      assert.strictEqual(broken.status, 200)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.tryPromise(() => broken.text()))))
    }))
})
