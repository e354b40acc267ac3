import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Latch, Layer, Option, Scope } from "effect"
import { SqlError } from "effect/sql"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { maxBatch, Recorder } from "../../src/intake/Recorder.ts"
import { isBadRow } from "../../src/store/Database.ts"
import { KillmailStore, type NewKillmail, type Receipt, writers } from "../../src/store/KillmailStore.ts"
import { changed, mailOf, newKillmail } from "../support/Mails.ts"
import { withStores } from "../support/Stores.ts"
import { eventually } from "../support/TestDaemon.ts"

type Append = KillmailStore["Service"]["append"]

/** A store that counts: one sequence number a mail. */
const countingAppend = (): Append => {
  let last = 0
  return (batch) => Effect.sync(() => batch.map((): Receipt => ({ outcome: "stored", sequence: ++last })))
}

interface Bench {
  readonly recorder: Recorder["Service"]
  /** Batches as the store got them. */
  readonly batches: ReadonlyArray<ReadonlyArray<NewKillmail>>
  readonly mostAtOnce: () => number
  /** Lets the store answer; it is closed at first. */
  readonly gate: Latch.Latch
  /** Ends when that many calls of the store are waiting at the gate. */
  readonly atGate: (calls: number) => Effect.Effect<void>
  readonly close: Effect.Effect<void>
}

/** A recorder on a store behind a gate. */
const benchOn = Effect.fnUntraced(function*(append: Append) {
  const scope = yield* Effect.acquireRelease(Scope.make(), (scope) => Scope.close(scope, Exit.void))
  const gate = yield* Latch.make(false)
  const batches: Array<ReadonlyArray<NewKillmail>> = []
  const arrivals = new Set<() => void>()
  let inside = 0
  let mostAtOnce = 0
  const store = KillmailStore.of({
    knownHash: () => Effect.succeed(Option.none()),
    publicHash: () => Effect.succeed(Option.none()),
    append: (batch) =>
      Effect.suspend(() => {
        batches.push(batch)
        mostAtOnce = Math.max(mostAtOnce, ++inside)
        for (const arrived of arrivals) arrived()
        return gate.await.pipe(
          Effect.andThen(append(batch)),
          Effect.ensuring(Effect.sync(() => inside--))
        )
      })
  })
  const context = yield* Layer.build(Layer.provide(Recorder.layer, Layer.succeed(KillmailStore, store))).pipe(
    Scope.provide(scope)
  )
  const bench: Bench = {
    recorder: Context.get(context, Recorder),
    batches,
    mostAtOnce: () => mostAtOnce,
    gate,
    atGate: (calls) =>
      Effect.callback<void>((resume) => {
        const look = () => {
          if (inside < calls) return
          arrivals.delete(look)
          resume(Effect.void)
        }
        arrivals.add(look)
        look()
      }),
    close: Scope.close(scope, Exit.void)
  }
  return bench
})

const mail = (k: number): Killmail => mailOf("recorder", k)

/** Records each in a fiber of its own. */
const recordAll = (bench: Bench, mails: ReadonlyArray<Killmail>) =>
  Effect.forEach(
    mails,
    (mail) => Effect.forkChild(bench.recorder.record(newKillmail(mail)), { startImmediately: true })
  )

const numbered = (from: number, count: number): ReadonlyArray<Killmail> =>
  Array.from({ length: count }, (_, k) => mail(from + k))

/** Both writers are busy, so that whatever comes now gathers. */
const busy = Effect.fnUntraced(function*(bench: Bench) {
  const fibers: Array<Fiber.Fiber<Receipt, unknown>> = []
  for (let k = 0; k < writers; k++) {
    fibers.push(...(yield* recordAll(bench, [mail(k)])))
    yield* bench.atGate(k + 1)
  }
  return fibers
})

const exitsOf = <A, E>(fibers: ReadonlyArray<Fiber.Fiber<A, E>>) => Effect.forEach(fibers, Fiber.await)

const storedIn = (exits: ReadonlyArray<Exit.Exit<Receipt, unknown>>) =>
  exits.filter((exit) => Exit.isSuccess(exit) && exit.value.outcome === "stored").length

describe.concurrent("the recorder", () => {
  it.live("stores in one transaction what has gathered, never more than allowed, by two writers at most", () =>
    Effect.gen(function*() {
      const bench = yield* benchOn(countingAppend())
      const first = yield* busy(bench)
      const rest = yield* recordAll(bench, numbered(10, 250))
      yield* bench.gate.open
      const exits = yield* exitsOf([...first, ...rest])
      assert.strictEqual(storedIn(exits), writers + 250)
      assert.deepStrictEqual(bench.batches.map((batch) => batch.length).toSorted((a, b) => b - a), [
        maxBatch,
        maxBatch,
        50,
        ...Array.from({ length: writers }, () => 1)
      ])
      assert.strictEqual(bench.mostAtOnce(), writers)
    }))

  it.live("gives each caller its own receipt", () =>
    Effect.gen(function*() {
      const bench = yield* benchOn((batch) =>
        Effect.succeed(batch.map(({ killmail }) => ({ outcome: "stored", sequence: killmail.killmail_id * 7 })))
      )
      yield* busy(bench)
      const mails = numbered(10, 30)
      const fibers = yield* recordAll(bench, mails)
      yield* bench.gate.open
      const receipts = yield* Effect.forEach(fibers, Fiber.join)
      assert.deepStrictEqual(
        receipts,
        mails.map(({ killmail_id }) => ({ outcome: "stored", sequence: killmail_id * 7 }))
      )
    }))

  it.live("stores six of seven mails of one batch when the seventh has a bad row, which alone fails", () =>
    withStores(() =>
      Effect.gen(function*() {
        const store = yield* KillmailStore
        const bench = yield* benchOn(store.append)
        yield* busy(bench)
        const mails = numbered(10, 7)
        const bad = changed(mails[4]!, { solar_system_id: 3_000_000_000 })
        const fibers = yield* recordAll(bench, mails.with(4, bad))
        yield* bench.gate.open
        const exits = yield* exitsOf(fibers)
        assert.strictEqual(bench.batches[writers]!.length, 7)
        assert.deepStrictEqual(
          exits.map((exit) => Exit.isSuccess(exit)),
          [true, true, true, true, false, true, true]
        )
        const error = yield* Effect.flip(Fiber.join(fibers[4]!))
        assert.isTrue(error._tag === "SqlError" && isBadRow(error))
        yield* eventually(
          (sql) => sql`select killmail_id::float8 as id from killmail_ledger`,
          (rows) => rows.length === 6 + writers
        )
        assert.isTrue(Option.isNone(yield* store.knownHash(bad.killmail_id)))
      })
    ))

  it.live("fails the whole batch, and asks only once, when Postgres is gone", () =>
    Effect.gen(function*() {
      const gone = new SqlError.SqlError({
        reason: new SqlError.ConnectionError({ cause: new Error("the socket closed") })
      })
      let down = true
      const counting = countingAppend()
      const bench = yield* benchOn((batch) => down ? Effect.fail(gone) : counting(batch))
      yield* busy(bench)
      const fibers = yield* recordAll(bench, numbered(10, 20))
      yield* bench.gate.open
      for (const fiber of fibers) assert.strictEqual((yield* Effect.flip(Fiber.join(fiber)))._tag, "SqlError")
      assert.deepStrictEqual(bench.batches.map((batch) => batch.length), [1, 1, 20])
      down = false
      assert.deepStrictEqual(yield* bench.recorder.record(newKillmail(mail(50))), { outcome: "stored", sequence: 1 })
    }))

  it.live("answers every caller when the store dies, and lives on", () =>
    Effect.gen(function*() {
      let deaths = 0
      const counting = countingAppend()
      const bench = yield* benchOn((batch) =>
        batch.length === 1 ? counting(batch) : Effect.die(new TypeError(`death ${++deaths}`))
      )
      yield* busy(bench)
      const fibers = yield* recordAll(bench, numbered(10, 40))
      yield* bench.gate.open
      for (const exit of yield* exitsOf(fibers)) {
        assert.isTrue(Exit.isFailure(exit) && Exit.hasDies(exit))
      }
      assert.strictEqual(deaths, 1)
      for (let k = 0; k < 2 * writers; k++) {
        assert.strictEqual((yield* bench.recorder.record(newKillmail(mail(100 + k)))).outcome, "stored")
      }
    }))

  it.live("that is closed with 150 mails waiting stores all of them, and takes no more", () =>
    Effect.gen(function*() {
      const bench = yield* benchOn(countingAppend())
      const first = yield* busy(bench)
      const rest = yield* recordAll(bench, numbered(10, 150))
      const closing = yield* Effect.forkChild(bench.close, { startImmediately: true })
      const late = yield* Effect.exit(bench.recorder.record(newKillmail(mail(1000))))
      assert.isTrue(Exit.isFailure(late))
      yield* bench.gate.open
      yield* Fiber.join(closing)
      assert.strictEqual(storedIn(yield* exitsOf([...first, ...rest])), writers + 150)
      assert.strictEqual(
        (yield* Effect.flip(bench.recorder.record(newKillmail(mail(1001)))))._tag,
        "RecorderClosed"
      )
    }))

  it.live("that is closed with more waiting than it takes in answers all, and what it stored is what it says", () =>
    Effect.gen(function*() {
      const bench = yield* benchOn(countingAppend())
      const first = yield* busy(bench)
      const rest = yield* recordAll(bench, numbered(10, 700))
      const closing = yield* Effect.forkChild(bench.close, { startImmediately: true })
      yield* bench.gate.open
      yield* Fiber.join(closing)
      const exits = yield* exitsOf([...first, ...rest])
      const closed = yield* Effect.forEach(rest, (fiber) =>
        Effect.match(Fiber.join(fiber), {
          onSuccess: () => 0,
          onFailure: (error) => error._tag === "RecorderClosed" ? 1 : assert.fail(String(error))
        }))
      const refused = closed.reduce((sum: number, one) => sum + one, 0)
      assert.strictEqual(storedIn(exits), bench.batches.flat().length)
      assert.strictEqual(storedIn(exits) + refused, 700 + writers)
    }))

  it.live("answers with the truth a caller that is told to stop while its mail is in a batch", () =>
    Effect.gen(function*() {
      const bench = yield* benchOn(countingAppend())
      const answered = yield* Deferred.make<Receipt>()
      const fiber = yield* Effect.forkChild(
        // As a job's handler does.
        bench.recorder.record(newKillmail(mail(1))).pipe(
          Effect.flatMap((receipt) => Deferred.succeed(answered, receipt)),
          Effect.uninterruptible
        ),
        { startImmediately: true }
      )
      yield* bench.atGate(1)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
      yield* bench.gate.open
      assert.deepStrictEqual(yield* Deferred.await(answered), { outcome: "stored", sequence: 1 })
      yield* Fiber.join(interrupting)
    }))
})
