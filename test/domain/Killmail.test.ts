import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { hashOf, Killmail, KillmailHash, normaliseTime, refFromUrl } from "../../src/domain/Killmail.ts"
import { mailOf } from "../support/Mails.ts"

const decode = Schema.decodeUnknownOption(Killmail)

/** A mail with nothing but what its hash covers. */
const mail = (victim: number | undefined, ship: number, finalBlow: number | undefined, time: string): Killmail => ({
  killmail_id: 1,
  killmail_time: time,
  solar_system_id: 30_000_142,
  victim: { ...(victim === undefined ? {} : { character_id: victim }), ship_type_id: ship, damage_taken: 1 },
  attackers: [
    { character_id: 93_000_001, damage_done: 9, final_blow: false, security_status: 0 },
    {
      ...(finalBlow === undefined ? {} : { character_id: finalBlow }),
      damage_done: 1,
      final_blow: true,
      security_status: 0
    }
  ]
})

describe("a killmail's hash", () => {
  it("is what CCP computed for real mails, also without a victim's or the last attacker's character", () => {
    assert.strictEqual(
      hashOf(mail(378_267_901, 638, 667_989_777, "2008-06-22T15:41:00Z")),
      "2be4d350260a9894b34917ccc4b2fe5a9f59325f"
    )
    assert.strictEqual(
      hashOf(mail(undefined, 35_832, 93_729_611, "2020-12-18T07:35:01Z")),
      "ebc380195003ff234e3bf47ffbef34aa2dec8105"
    )
    assert.strictEqual(
      hashOf(mail(648_255_243, 47_466, undefined, "2020-12-18T07:42:59Z")),
      "74e6079afa19ccb6a07b70ca71e160ef5a3bef1e"
    )
  })

  it("does not depend on fractions of a second, which EVE-KILL writes", () => {
    assert.strictEqual(
      hashOf(mail(378_267_901, 638, 667_989_777, "2008-06-22T15:41:00.999Z")),
      "2be4d350260a9894b34917ccc4b2fe5a9f59325f"
    )
  })

  it("changes with each of the four facts", () => {
    const facts = [378_267_901, 638, 667_989_777, "2008-06-22T15:41:00Z"] as const
    const [victim, ship, attacker, time] = facts
    const hashes = [
      mail(...facts),
      mail(victim + 1, ship, attacker, time),
      mail(victim, ship + 1, attacker, time),
      mail(victim, ship, attacker + 1, time),
      mail(victim, ship, attacker, "2008-06-22T15:41:01Z")
    ].map(hashOf)
    assert.strictEqual(new Set(hashes).size, hashes.length)
  })
})

describe("a killmail as ESI gives it", () => {
  it("decodes, and fields that ESI may add are left out", () => {
    const killmail = mailOf("decodes", 1)
    const longer = { ...killmail, new_field: 1, victim: { ...killmail.victim, another: "x" } }
    assert.deepStrictEqual(decode(longer), Option.some(killmail))
  })

  for (
    const [what, wrong] of [
      ["a time that does not exist", { killmail_time: "2026-02-30T12:00:00Z" }],
      ["the hour 24", { killmail_time: "2026-01-31T24:00:00Z" }],
      ["a time without a zone", { killmail_time: "2026-01-31T12:00:00" }],
      ["a time elsewhere", { killmail_time: "2026-01-31T12:00:00+01:00" }],
      ["an id of 0", { killmail_id: 0 }],
      ["a fraction for an id", { killmail_id: 1.5 }],
      ["an id that a number cannot hold", { killmail_id: 2 ** 53 }],
      ["text for an id", { killmail_id: "1" }],
      ["a null in place of a field", { war_id: null }],
      ["no attackers", { attackers: undefined }],
      ["a victim without a ship", { victim: { damage_taken: 1 } }]
    ] as const
  ) {
    it(`does not decode with ${what}`, () => {
      assert.isTrue(Option.isNone(decode({ ...mailOf("decodes", 1), ...wrong })))
    })
  }

  it("decodes with the last day of February of a leap year, and with milliseconds", () => {
    for (const killmail_time of ["2024-02-29T23:59:59Z", "2024-02-29T23:59:59.999Z"]) {
      assert.isTrue(Option.isSome(decode({ ...mailOf("decodes", 1), killmail_time })))
    }
  })
})

describe("a time", () => {
  it("loses its fraction, and nothing else", () => {
    assert.strictEqual(normaliseTime("2026-04-15T14:56:23.999Z"), "2026-04-15T14:56:23Z")
    assert.strictEqual(normaliseTime("2026-04-15T14:56:23Z"), "2026-04-15T14:56:23Z")
    assert.strictEqual(normaliseTime("2026-04-15T23:56:23+00:00"), "2026-04-15T23:56:23Z")
    // As Postgres' to_json gives it.
    assert.strictEqual(normaliseTime("2007-12-05T21:02:00+00:00"), "2007-12-05T21:02:00Z")
  })
})

describe("a killmail named by its URL", () => {
  const hash = "2be4d350260a9894b34917ccc4b2fe5a9f59325f"
  const ref = { killmail_id: 2_670_222, hash }

  for (
    const url of [
      `https://esi.evetech.net/killmails/2670222/${hash}`,
      `https://esi.evetech.net/killmails/2670222/${hash}/`,
      `https://esi.evetech.net/latest/killmails/2670222/${hash}/?datasource=tranquility`,
      `https://esi.evetech.net/v1/killmails/2670222/${hash.toUpperCase()}/#fragment`,
      `http://localhost:1234/esi/killmails/2670222/${hash}`
    ]
  ) {
    it(`is understood: ${url}`, () => assert.deepStrictEqual(refFromUrl(url), ref))
  }

  for (
    const url of [
      "",
      "https://zkillboard.com/kill/2670222/",
      `https://esi.evetech.net/killmails/2670222/${hash}0`,
      `https://esi.evetech.net/killmails/2670222/${hash.slice(1)}/`,
      `https://esi.evetech.net/killmails/-1/${hash}/`,
      `https://esi.evetech.net/killmails/9999999999999999/${hash}/`
    ]
  ) {
    it(`is not made up from "${url}"`, () => assert.isUndefined(refFromUrl(url)))
  }

  it("has a hash of 40 lower-case hex digits", () => {
    const isHash = Schema.is(KillmailHash)
    assert.isTrue(isHash(hash))
    for (const wrong of [hash.toUpperCase(), hash.slice(1), `${hash}a`, `${hash}\n`, `g${hash.slice(1)}`, 7]) {
      assert.isFalse(isHash(wrong))
    }
  })
})
