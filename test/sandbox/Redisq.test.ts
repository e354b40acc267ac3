import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { publishedAt } from "../../src/sandbox/Calendar.ts"
import { clockwork } from "../../src/sandbox/Clockwork.ts"
import { packagesOf } from "../../src/sandbox/Packages.ts"
import { type Sandbox, type SandboxOptions, start } from "../../src/sandbox/Sandbox.ts"
import { get, rulesOf } from "./Visitor.ts"

const manual: SandboxOptions = { port: 0, speed: 100, seed: "tests", faults: 0, world: "manual" }

const listen = (sandbox: Sandbox, queue: string) =>
  Effect.promise(async () => {
    const answer = await get(sandbox, `/redisq/listen.php?queueID=${queue}&ttw=1`)
    const location = answer.headers.get("location")
    return location === null ? answer.json() : get(sandbox, location).then((object) => object.json())
  })

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve))
}

describe("RedisQ in the manual world", () => {
  it.live("redirects each queue to every package once, and then says that there is none", () =>
    Effect.gen(function*() {
      const sandbox = yield* start(manual)
      sandbox.publishRedisq({ killID: 1 })
      sandbox.publishRedisq({ killID: 2 })
      for (const queue of ["a", "b"]) {
        assert.deepStrictEqual(yield* listen(sandbox, queue), { package: { killID: 1 } })
        assert.deepStrictEqual(yield* listen(sandbox, queue), { package: { killID: 2 } })
        assert.deepStrictEqual(yield* listen(sandbox, queue), { package: null })
      }
      assert.deepStrictEqual(sandbox.violations(), [])
    }))

  it.live("gives an object once", () =>
    Effect.gen(function*() {
      const sandbox = yield* start(manual)
      sandbox.publishRedisq({ killID: 1 })
      const statuses = yield* Effect.promise(async () => {
        const found = await get(sandbox, "/redisq/listen.php?queueID=a")
        const object = found.headers.get("location")!
        return [found.status, (await get(sandbox, object)).status, (await get(sandbox, object)).status]
      })
      assert.deepStrictEqual(statuses, [302, 200, 404])
    }))

  it.live("holds the listener until a package comes", () =>
    Effect.gen(function*() {
      const sandbox = yield* start({ ...manual, speed: 1 })
      const [heard] = yield* Effect.all([
        listen(sandbox, "a"),
        Effect.promise(async () => {
          await until(() => sandbox.requests().length === 1)
          sandbox.publishRedisq({ killID: 9 })
        })
      ], { concurrency: 2 })
      assert.deepStrictEqual(heard, { package: { killID: 9 } })
    }))

  it.live("wants a queueID, and one listener at a time", () =>
    Effect.gen(function*() {
      const sandbox = yield* start({ ...manual, speed: 1 })
      const status = (query: string) => get(sandbox, `/redisq/listen.php${query}`).then((answer) => answer.status)
      assert.strictEqual(yield* Effect.promise(() => status("")), 429)
      const both = yield* Effect.promise(async () => {
        const first = status("?queueID=a")
        await until(() => sandbox.requests().length === 2)
        const second = await status("?queueID=a")
        sandbox.publishRedisq({ killID: 1 })
        return [await first, second]
      })
      assert.deepStrictEqual(both, [302, 429])
      assert.deepStrictEqual(rulesOf(sandbox), ["budget"])
    }))

  it.live("allows two listens a second", () =>
    Effect.gen(function*() {
      const sandbox = yield* start({ ...manual, speed: 1 })
      const statuses = yield* Effect.promise(async () => {
        sandbox.publishRedisq({ killID: 1 })
        const status = async (queue: string) => (await get(sandbox, `/redisq/listen.php?queueID=${queue}`)).status
        return [await status("a"), await status("b"), await status("c")]
      })
      assert.deepStrictEqual(statuses, [302, 302, 429])
      assert.deepStrictEqual(rulesOf(sandbox), ["budget"])
    }))
})

describe("RedisQ in the clock world", () => {
  it("tells R2Z2's mails a little out of order, some twice, in all three shapes", () => {
    const world = clockwork("tests", 1)
    const packages = packagesOf(world, "tests", false)
    const later = Math.ceil(publishedAt(40_000, 1))
    let position = packages.start(Math.ceil(publishedAt(38_000, 1)))
    const told: Array<{ killID: number; killmail?: object; zkb?: object; hash?: string }> = []
    for (let next = packages.take(position, later); next !== undefined; next = packages.take(position, later)) {
      told.push(JSON.parse(next.text).package)
      position = next.position
    }
    const published = Array.from(
      { length: 1_999 },
      (_, index) => world.file(world.first + 38_001 + index, later, false)
    )
      .flatMap((file) => file === "hole" || file.mail === undefined ? [] : [file.mail.killmail.killmail_id])
    const ids = told.map(({ killID }) => killID)
    assert.isTrue(published.slice(0, -5).every((id) => ids.includes(id)))
    assert.isAbove(ids.length, new Set(ids).size)
    assert.notDeepEqual([...new Set(ids)], [...new Set(published)].slice(0, new Set(ids).size))
    assert.isTrue(told.some(({ killmail }) => killmail !== undefined))
    assert.isTrue(told.some(({ killmail, zkb }) => killmail === undefined && zkb !== undefined))
    assert.isTrue(told.some(({ hash, zkb }) => hash !== undefined && zkb === undefined))
  })
})
