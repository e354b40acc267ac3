import { assert, describe, it } from "@effect/vitest"
import { industry } from "../../src/character-data/Industry.ts"

type Document = Parameters<typeof industry.changes>[0]
type IndustryJob = Document["jobs"][number]

const noon = Date.parse("2026-11-21T12:00:00Z")
const at = (minutes: number) => new Date(noon + minutes * 60_000).toISOString()
const between = { characterId: 1, since: noon, until: noon + 600_000 }

const job = (job_id: number, end_date: string, status = "active"): IndustryJob => ({
  job_id,
  installer_id: 1,
  facility_id: 60_003_760,
  station_id: 60_003_760,
  activity_id: 1,
  blueprint_id: 1,
  blueprint_type_id: 691,
  blueprint_location_id: 60_003_760,
  output_location_id: 60_003_760,
  runs: 1,
  duration: 60,
  status,
  start_date: at(-60),
  end_date
})
const changes = (before: ReadonlyArray<IndustryJob>, after: ReadonlyArray<IndustryJob>) =>
  industry.changes({ jobs: before }, { jobs: after }, between).map(({ change }) => change)

describe("an industry job", () => {
  it("is done once, when its time is over, whatever ESI still says of it", () => {
    assert.deepStrictEqual(changes([job(1, at(5))], [job(1, at(5))]), ["job_done"])
    assert.deepStrictEqual(changes([job(1, at(-5))], [job(1, at(-5), "ready")]), [])
    assert.deepStrictEqual(changes([job(1, at(50))], [job(1, at(50))]), [])
  })

  it("that is paused is not done", () => {
    assert.deepStrictEqual(changes([job(1, at(5))], [job(1, at(5), "paused")]), [])
  })

  it("is delivered, or was cancelled before its end", () => {
    assert.deepStrictEqual(changes([job(1, at(-5))], []), ["job_delivered"])
    assert.deepStrictEqual(changes([job(1, at(5))], []), ["job_done", "job_delivered"])
    assert.deepStrictEqual(changes([job(1, at(50))], []), ["job_cancelled"])
  })

  it("is told when it is started", () => {
    assert.deepStrictEqual(changes([], [job(1, at(50))]), ["job_started"])
  })
})
