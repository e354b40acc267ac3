import { assert, describe, it } from "@effect/vitest"
import type { Attacker, Killmail } from "../../src/domain/Killmail.ts"
import { labelsOf } from "../../src/domain/Labels.ts"
import { factsOf, typeOf } from "../support/Facts.ts"
import { crowd } from "../support/Mails.ts"

const system = (systemId: number, regionId: number, security: number) => ({
  systemId,
  name: `System ${systemId}`,
  security,
  constellationId: 20_000_001,
  regionId
})
const facts = factsOf([typeOf(587), typeOf(11_567, { marketGroupIds: [813, 812, 1381, 4] })], [
  system(1, 10_000_002, 0.9),
  system(2, 10_000_070, -1),
  system(3, 11_000_004, -0.99),
  system(4, 11_000_033, -0.99),
  system(5, 10_001_000, -1),
  system(6, 12_000_001, -1)
])

const pilot: Attacker = { character_id: 2_100_000_001, damage_done: 1, final_blow: true, security_status: 0 }
const mail = (
  { attackers = [pilot], solar_system_id = 1, time = "12:00:00", victim = {} }: {
    readonly attackers?: ReadonlyArray<Attacker>
    readonly solar_system_id?: number
    readonly time?: string
    readonly victim?: Partial<Killmail["victim"]>
  }
): Killmail => ({
  killmail_id: 133_500_000,
  killmail_time: `2026-04-15T${time}Z`,
  solar_system_id,
  victim: { character_id: 2_100_000_009, ship_type_id: 587, damage_taken: 1, ...victim },
  attackers
})
const none = { npc: false, solo: false, awox: false }
const labels = (fields: Parameters<typeof mail>[0], flags = none, total?: bigint) =>
  labelsOf(mail(fields), flags, total, facts)

describe("a killmail's labels", () => {
  it("are in zKillboard's order", () => {
    assert.deepStrictEqual(
      labelsOf(
        mail({ victim: { ship_type_id: 11_567 } }),
        { npc: true, solo: false, awox: false },
        627_754_418_902n,
        facts
      ),
      ["tz:au", "cat:6", "#:1", "npc", "loc:highsec", "isk:5b+", "capital"]
    )
    assert.deepStrictEqual(labels({}, { npc: false, solo: true, awox: true }, 0n), [
      "tz:au",
      "cat:6",
      "solo",
      "pvp",
      "awox",
      "loc:highsec"
    ])
  })

  it("tell whose prime time it was", () => {
    const hours = Array.from({ length: 24 }, (_, hour) => labels({ time: `${String(hour).padStart(2, "0")}:59:59` })[0])
    assert.deepStrictEqual(
      ["tz:use", "tz:usw", "tz:au", "tz:ru", "tz:eu", "tz:use"].map((label) => label.slice(3)),
      hours.filter((label, hour) => label !== hours[hour - 1]).map((label) => label!.slice(3))
    )
    assert.deepStrictEqual([3, 4, 7, 8, 13, 14, 16, 17, 21, 22].map((hour) => hours[hour]), [
      "tz:use",
      "tz:usw",
      "tz:usw",
      "tz:au",
      "tz:au",
      "tz:ru",
      "tz:ru",
      "tz:eu",
      "tz:eu",
      "tz:use"
    ])
  })

  for (
    const [count, label] of [
      [1, "#:1"],
      [2, "#:2+"],
      [4, "#:2+"],
      [5, "#:5+"],
      [10, "#:10+"],
      [25, "#:25+"],
      [50, "#:50+"],
      [100, "#:100+"],
      [1000, "#:1000+"]
    ] as const
  ) {
    it(`have ${label} for ${count} attackers`, () => {
      assert.deepStrictEqual(labels({ attackers: crowd(count) }).filter((each) => each.startsWith("#")), [label])
    })
  }

  for (
    const [isk, label] of [
      [999_999_999, undefined],
      [1e9, "isk:1b+"],
      [5e9, "isk:5b+"],
      [1e10, "isk:10b+"],
      [1e11, "isk:100b+"],
      [1e12, "isk:1t+"]
    ] as const
  ) {
    it(`have ${label ?? "no band"} for ${isk} ISK`, () => {
      assert.strictEqual(labels({}, none, BigInt(isk) * 100n).find((each) => each.startsWith("isk")), label)
    })
  }

  it("tell where it was", () => {
    assert.deepStrictEqual(
      [1, 2, 3, 4, 5, 6, 7].map((solar_system_id) =>
        labels({ solar_system_id }).find((each) => each.startsWith("loc"))
      ),
      ["loc:highsec", "loc:pochven", "loc:w-space", "loc:drifter", "loc:zarzakh", "loc:abyssal", undefined]
    )
  })

  it("name the militia that won, and the war, where pilots of both are on the mail", () => {
    const fought = (loser: number, ...attackers: ReadonlyArray<Partial<Attacker>>) =>
      labels({ victim: { faction_id: loser }, attackers: attackers.map((fields) => ({ ...pilot, ...fields })) })
        .filter((label) => label.startsWith("fw"))
    assert.deepStrictEqual(fought(500_004, { faction_id: 500_001 }), ["fw:caldari", "fw:calgal"])
    assert.deepStrictEqual(fought(500_001, { faction_id: 500_004 }), ["fw:gallente", "fw:calgal"])
    assert.deepStrictEqual(fought(500_003, {}, { faction_id: 500_002 }), ["fw:minmatar", "fw:amamin"])
    assert.deepStrictEqual(fought(500_002, { faction_id: 500_003 }), ["fw:amarr", "fw:amamin"])
    assert.deepStrictEqual(fought(500_002, { faction_id: 500_001 }), [])
    assert.deepStrictEqual(fought(500_010, { faction_id: 500_001 }), [])
    const { character_id: _, ...rat } = pilot
    assert.deepStrictEqual(labels({ victim: { faction_id: 500_002 }, attackers: [{ ...rat, faction_id: 500_003 }] }), [
      "tz:au",
      "cat:6",
      "#:1",
      "pvp",
      "loc:highsec"
    ])
  })

  it("leave out what is not known", () => {
    assert.deepStrictEqual(labels({ solar_system_id: 99, victim: { ship_type_id: 99 }, attackers: [] }), [
      "tz:au",
      "pvp"
    ])
  })
})
