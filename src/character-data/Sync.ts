/**
 * Keeps what ESI tells of pilots' characters: `sync_skills`, `sync_mail`, `sync_orders`, `sync_industry` and `sync_planets`, one
 * job a character, which `queue_character_data` adds for whom it is due. Each kind says in a file of its own what it asks and what
 * a change means; all else they have in common.
 */
import { Clock, Effect, Metric, Option, Schema } from "effect"
import { explainToken } from "../accounts/AccessTokens.ts"
import { explainEsi } from "../esi/ExplainEsi.ts"
import * as Job from "../jobs/Job.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { handle } from "../jobs/JobRunner.ts"
import { Settings } from "../Settings.ts"
import { CharacterData } from "../store/CharacterData.ts"
import { askerFor } from "./Asking.ts"
import { industry } from "./Industry.ts"
import type { AskError, Kind } from "./Kind.ts"
import { mail } from "./Mail.ts"
import { orders } from "./Orders.ts"
import { dueIn } from "./Pace.ts"
import { planets } from "./Planets.ts"
import { skills } from "./Skills.ts"

/** Between two looks for what is due. */
const lookMillis = 30_000
/** Of one kind, in one look: what is left comes with the next. */
const mostAtOnce = 5000
/** Of one kind, over all replicas: each asks ESI a few questions. */
const syncsAtOnce = 2
/** A sync that came to no good end is due again after this. */
const patienceMillis = 15 * 60_000

const changesTotal = Metric.counter("killmaild_character_changes_total", {
  description: "Changes that ESI told of pilots' characters, by kind: skills, mail, orders, industry, planets",
  incremental: true
})

const payload = Schema.Struct({ character_id: Schema.Int })
type Payload = typeof payload.Type

const jobOf = (name: string) =>
  Job.make<Payload>({ name, payload, key: ({ character_id }) => `${name}:${character_id}`, tier: "repair" })

const syncOf = <D>(kind: Kind<D>) => {
  const job = jobOf(`sync_${kind.name}`)
  const decode = Schema.decodeUnknownOption(kind.document)
  const encode = Schema.encodeSync(kind.document)

  const sync = Effect.fnUntraced(function*(characterId: number) {
    const { scheduleSpeed } = yield* Settings
    const store = yield* CharacterData
    const begun = yield* store.begin(characterId, kind.name, patienceMillis / scheduleSpeed)
    if (Option.isNone(begun)) return { outcome: "no token" }
    const known = begun.value
    if (!kind.scopes.every((scope) => known.scopes.includes(scope))) return { outcome: "no scope" }
    // What an earlier version kept and this one cannot read is asked for anew.
    const before = Option.getOrUndefined(decode(known.data))
    const { answers, ask, kept } = yield* askerFor(characterId, known.answers)
    const after = yield* kind.read(ask, before)
    const now = yield* Clock.currentTimeMillis
    const since = known.synced_at?.getTime() ?? now
    const changes = before === undefined ? [] : kind.changes(before, after, { characterId, since, until: now })
    const pace = { answers: answers(), ends: kind.ends(after), now, scheduleSpeed, unseenMillis: known.unseen_millis }
    const data = encode(after) as Schema.Json
    const noted = yield* store.keep(characterId, kind.name, {
      known,
      synced_at: new Date(now),
      data,
      answers: pace.answers,
      changes,
      dueMillis: dueIn(pace)
    })
    yield* Metric.update(Metric.withAttributes(changesTotal, { kind: kind.name }), noted)
    kept()
    return { outcome: "synced", changes: noted }
  })

  return {
    handler: handle(job, ({ character_id }) =>
      sync(character_id).pipe(
        // Its owner is told at /api/v1/me, and an operator has nothing to do about it.
        Effect.catchTag("TokenGone", () => Effect.succeed({ outcome: "no token" })),
        Effect.mapError(explain),
        Effect.interruptible
      )),
    addDue: Effect.gen(function*() {
      const due = yield* CharacterData.use((store) => store.due(kind.name, kind.scopes, mostAtOnce))
      const payloads = due.map((character_id) => ({ character_id }))
      if (due.length > 0) yield* JobQueue.use(({ addAll }) => addAll(job, payloads, { atOnce: syncsAtOnce }))
      return due.length
    })
  }
}

const syncs = [syncOf(skills), syncOf(mail), syncOf(orders), syncOf(industry), syncOf(planets)]

const queueCharacterData = handle(
  Job.make({
    name: "queue_character_data",
    payload: Schema.Struct({}),
    key: () => "queue_character_data",
    tier: "repair",
    every: lookMillis
  }),
  () =>
    Effect.forEach(syncs, ({ addDue }) => addDue).pipe(
      Effect.map((counts) => ({ due: counts.reduce((sum, count) => sum + count, 0) })),
      Effect.mapError(explain),
      Effect.interruptible
    )
)

export const handlers = [queueCharacterData, ...syncs.map(({ handler }) => handler)]

const explain = (error: AskError): Job.JobError => error._tag === "EsiError" ? explainEsi(error) : explainToken(error)
