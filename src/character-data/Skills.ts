/** What a character knows, and what it trains. */
import { Effect, Schema } from "effect"
import { groupOf, isoOf, type Kind } from "./Kind.ts"

const Skills = Schema.Struct({
  skills: Schema.Array(Schema.Struct({
    skill_id: Schema.Int,
    trained_skill_level: Schema.Int,
    active_skill_level: Schema.Int,
    skillpoints_in_skill: Schema.Int
  })),
  total_sp: Schema.Int,
  unallocated_sp: Schema.optionalKey(Schema.Int)
})

const Queue = Schema.Array(Schema.Struct({
  skill_id: Schema.Int,
  finished_level: Schema.Int,
  queue_position: Schema.Int,
  /** Absent while training is paused. */
  start_date: Schema.optionalKey(Schema.String),
  finish_date: Schema.optionalKey(Schema.String),
  training_start_sp: Schema.optionalKey(Schema.Int),
  level_start_sp: Schema.optionalKey(Schema.Int),
  level_end_sp: Schema.optionalKey(Schema.Int)
}))

const Document = Schema.Struct({ ...Skills.fields, queue: Queue })
type Document = typeof Document.Type

const group = groupOf("char-detail")
const skillsRoute = { route: "/characters/{character_id}/skills", group, schema: Skills }
const queueRoute = { route: "/characters/{character_id}/skillqueue", group, schema: Queue }

export const skills: Kind<Document> = {
  name: "skills",
  scopes: ["esi-skills.read_skills.v1", "esi-skills.read_skillqueue.v1"],
  document: Document,
  read: Effect.fnUntraced(function*(ask, before) {
    const { body } = yield* ask(skillsRoute, before)
    const { body: queue } = yield* ask(queueRoute, before?.queue)
    return { ...body, queue }
  }),
  changes: (before, after, { since, until }) => {
    const earlier = trained(before, since)
    return [...trained(after, until)]
      .filter(([skill_id, { level }]) => level > (earlier.get(skill_id)?.level ?? 0))
      .map(([skill_id, { at = isoOf(until), level }]) => ({
        change: "skill_done",
        subject: `${skill_id}:${level}`,
        at,
        data: { skill_id, level, at }
      }))
  },
  ends: ({ queue }) => queue.flatMap(({ finish_date }) => finish_date ?? [])
}

/** Levels by skill. ESI's list is as of the pilot's last login; what was finished since stands in the queue. */
const trained = ({ queue, skills }: Document, now: number) => {
  const levels = new Map<number, { readonly level: number; readonly at?: string }>(
    skills.map(({ skill_id, trained_skill_level: level }) => [skill_id, { level }])
  )
  for (const { finish_date: at, finished_level: level, skill_id } of queue) {
    if (at === undefined || Date.parse(at) > now || level < (levels.get(skill_id)?.level ?? 0)) continue
    levels.set(skill_id, { level, at })
  }
  return levels
}
