import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, References, Result } from "effect"
import { SqlError } from "effect/sql"
import type { Appraisal } from "../../src/domain/Judgement.ts"
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import { Esi } from "../../src/esi/Esi.ts"
import {
  EsiError,
  EsiHashMismatch,
  EsiNotFound,
  EsiPaused,
  type EsiReason,
  EsiUnavailable
} from "../../src/esi/EsiError.ts"
import { Appraiser } from "../../src/intake/Appraiser.ts"
import { hearingOf } from "../../src/intake/Hearing.ts"
import { ingestKillmail } from "../../src/intake/IngestKillmail.ts"
import { Recorder, RecorderClosed } from "../../src/intake/Recorder.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { mailOf, withVictim } from "../support/Mails.ts"

const mail = mailOf("ingest", 1)
const refused = (reason: EsiReason) => Effect.fail(new EsiError({ reason }))
const sqlError = (code?: string) =>
  new SqlError.SqlError({ reason: new SqlError.UnknownError({ cause: Object.assign(new Error("no"), { code }) }) })

interface World {
  readonly body?: unknown
  readonly known?: boolean
  readonly esi?: Effect.Effect<Killmail, EsiError>
  readonly record?: Effect.Effect<never, SqlError.SqlError | RecorderClosed>
}

/** Runs the job for `mail`; what became of it, whether ESI was asked, and which body was recorded. */
const ingest = Effect.fnUntraced(function*({ body, esi = Effect.succeed(mail), known = false, record }: World) {
  let asked = false
  let recorded: Killmail | undefined
  const { payload } = hearingOf("r2z2", "live", { killmail_id: mail.killmail_id, hash: hashOf(mail), body })
  const result = yield* Effect.result(ingestKillmail.run(payload, 1)).pipe(
    Effect.provide([
      Layer.mock(KillmailStore, { knownHash: () => Effect.succeed(known ? Option.some("") : Option.none()) }),
      Layer.mock(Appraiser, { appraise: () => Effect.succeed({} as Appraisal) }),
      Layer.mock(Esi, {
        killmail: () =>
          Effect.suspend(() => {
            asked = true
            return Effect.map(esi, (killmail) => ({ killmail, fromCache: false }))
          })
      }),
      Layer.mock(Recorder, {
        record: ({ killmail }) =>
          record ?? Effect.sync(() => {
            recorded = killmail
            return { outcome: "stored", sequence: 1 } as const
          })
      })
    ]),
    Effect.provideService(References.MinimumLogLevel, "None")
  )
  return { result, asked, recorded }
})

const failureOf = (world: World) =>
  Effect.map(ingest(world), ({ result }) => {
    assert.isTrue(Result.isFailure(result))
    return Result.isFailure(result) ? result.failure : assert.fail()
  })

describe("a job that ingests a killmail", () => {
  it.effect("stores the body that came along, and asks ESI nothing", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* ingest({ body: mail }), { asked: false, recorded: mail })
    }))

  it.effect("asks ESI in place of a body that does not fit the hash, or is another killmail's", () =>
    Effect.gen(function*() {
      const forged = withVictim(mail, { ship_type_id: 670 })
      for (
        const body of [forged, mailOf("ingest", 2), { ...mail, killmail_id: 7 }, { ...mail, attackers: undefined }]
      ) {
        assert.deepInclude(yield* ingest({ body }), { asked: true, recorded: mail })
      }
    }))

  it.effect("asks ESI nothing about a killmail that is known", () =>
    Effect.gen(function*() {
      assert.deepInclude(yield* ingest({ known: true }), { asked: false, recorded: undefined })
    }))

  it.effect("comes back later, at no attempt, when nobody can help it", () =>
    Effect.gen(function*() {
      const paused = new EsiPaused({ path: "/", bucket: "esi:killmail", waitMillis: 5000, why: "" })
      const worlds: ReadonlyArray<World> = [
        { esi: refused(paused) },
        { body: mail, record: Effect.fail(new RecorderClosed()) },
        // The connection, the server's end, a full disk, a deadlock, a month that is missing.
        ...[undefined, "08006", "57P01", "53100", "40P01", "23514"].map((code) => ({
          body: mail,
          record: Effect.fail(sqlError(code))
        }))
      ]
      for (const world of worlds) assert.strictEqual((yield* failureOf(world))._tag, "JobPostponed")
    }))

  it.effect("is tried again, and counts the attempt, when ESI does not serve it", () =>
    Effect.gen(function*() {
      const failure = yield* failureOf({ esi: refused(new EsiUnavailable({ path: "/", problem: "" })) })
      assert.deepInclude(failure, { _tag: "JobFailed", reason: "esi_unavailable" })
    }))

  it.effect("is refused for good when the killmail can never be stored", () =>
    Effect.gen(function*() {
      const worlds: ReadonlyArray<readonly [World, reason: string]> = [
        [{ esi: refused(new EsiNotFound({ path: "/" })) }, "not_found"],
        [{ esi: refused(new EsiHashMismatch({ path: "/" })) }, "hash_mismatch"],
        [{ esi: Effect.succeed({ ...mail, killmail_time: "2002-01-01T00:00:00Z" }) }, "implausible_time"],
        [{ body: mail, record: Effect.fail(sqlError("22003")) }, "bad_row"]
      ]
      for (const [world, reason] of worlds) {
        assert.deepInclude(yield* failureOf(world), { _tag: "JobRefused", reason })
      }
    }))
})
