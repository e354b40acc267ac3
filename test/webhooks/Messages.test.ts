import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { KillmailRow } from "../../src/domain/Document.ts"
import type { Filter } from "../../src/domain/Filter.ts"
import { inboxes } from "../../src/sandbox/Inboxes.ts"
import { makeJudge } from "../../src/sandbox/Judge.ts"
import type { Ask } from "../../src/sandbox/Upstream.ts"
import { discordMessage } from "../../src/webhooks/DiscordMessage.ts"
import { cut, iskOf, reportOf } from "../../src/webhooks/KillmailReport.ts"
import { signedHeaders } from "../../src/webhooks/SignedMessage.ts"
import { slackMessage } from "../../src/webhooks/SlackMessage.ts"
import { makeSecret } from "../../src/webhooks/WebhookCipher.ts"
import { crowd } from "../support/Mails.ts"

const row: KillmailRow = {
  killmail_id: 137_259_365,
  killmail_time: "2026-11-20T09:14:03Z",
  solar_system_id: 30_002_187,
  war_id: null,
  moon_id: null,
  victim_character_id: 90_000_001,
  victim_corporation_id: 98_000_001,
  victim_alliance_id: 99_000_001,
  victim_faction_id: null,
  victim_ship_type_id: 587,
  victim_damage_taken: 1000,
  x: null,
  y: null,
  z: null,
  location_id: null,
  destroyed_value: 1e9,
  dropped_value: 234_567_890,
  fitted_value: 1e9,
  total_value: 1_234_567_890,
  unpriced_items: 0,
  points: 1,
  is_npc: false,
  is_solo: true,
  is_awox: false,
  labels: [],
  hash: "0".repeat(40),
  sequence: 1,
  attacker_count: 1,
  attackers: [{
    character_id: 90_000_002,
    corporation_id: 98_000_002,
    alliance_id: null,
    faction_id: null,
    ship_type_id: 602,
    weapon_type_id: null,
    damage_done: 1000,
    final_blow: true,
    security_status: 1
  }],
  items: []
}

const names = new Map([
  [90_000_001, "Victim *of* @everyone"],
  [98_000_001, "Corp <&> [x]"],
  [99_000_001, "Alliance"],
  [90_000_002, "Killer"],
  [98_000_002, "Killers"],
  [587, "Rifter"],
  [602, "Kestrel"],
  [30_002_187, "Amarr"],
  [10_000_043, "Domain"]
])
const facts = {
  type: () => undefined,
  system: () => ({ systemId: 30_002_187, name: "Amarr", security: 0.03, constellationId: 1, regionId: 10_000_043 })
}

const told = (filter: Filter = {}, more: Partial<KillmailRow> = {}, known: ReadonlyMap<number, string> = names) =>
  reportOf({ row: { ...row, ...more }, names: known, facts, filter, publicUrl: new URL("https://kb.example.org") })

const sideOf = (filter: Filter) => told(filter).side

/** What the sandbox's judge, who knows the services' limits, says of it. */
const faultsOf = (kind: "discord" | "slack", message: unknown) => {
  const judge = makeJudge()
  const { make, upstreams } = inboxes(judge, "test", 1)
  const path = make(kind)
  const ask = {
    upstream: kind,
    method: "POST",
    path: path.replace(`/${kind}`, ""),
    query: new URLSearchParams(),
    headers: {},
    body: JSON.stringify(message),
    client: "a test",
    at: Date.now(),
    stale: false,
    gone: new AbortController().signal
  } satisfies Ask
  void upstreams.find(({ name }) => name === kind)!.answer(ask)
  return judge.violations()
}

describe("a message about a killmail", () => {
  it("says who lost what, where, to whom, and what it was worth", () => {
    const { embeds: [embed] } = discordMessage(told({ alliance: [99_000_001] }))
    assert.strictEqual(embed!.title, "Victim \\*of\\* \\@everyone lost a Rifter in Amarr")
    assert.strictEqual(
      embed!.description,
      "**[Victim \\*of\\* \\@everyone](https://zkillboard.com/character/90000001/)** " +
        "([Corp \\<&\\> \\[x\\]](https://zkillboard.com/corporation/98000001/), " +
        "[Alliance](https://zkillboard.com/alliance/99000001/)) lost a **Rifter**.\n" +
        "Final blow by **[Killer](https://zkillboard.com/character/90000002/)** " +
        "([Killers](https://zkillboard.com/corporation/98000002/)) in a **Kestrel**."
    )
    assert.deepStrictEqual(embed!.fields.map(({ value }) => value), ["1.23B ISK", "1", "Amarr \\(0.1\\), Domain"])
    assert.strictEqual(embed!.author.name, "Loss · solo")
    assert.strictEqual(embed!.footer?.text, "https://kb.example.org/api/v1/killmails/137259365")
  })

  it("is coloured by whom the filter names", () => {
    assert.strictEqual(sideOf({ alliance: [99_000_001] }), "loss")
    assert.strictEqual(sideOf({ corporation: [98_000_002] }), "kill")
    assert.strictEqual(sideOf({ corporation: [98_000_002], role: "attacker" }), "kill")
    assert.strictEqual(sideOf({ character: [90_000_001, 90_000_002] }), "loss")
    for (const filter of [{}, { system: [30_002_187] }, { ship: [587] }, { min_value: 1 }]) {
      assert.strictEqual(sideOf(filter), "neither")
    }
  })

  it("escapes what Slack would read as something else", () => {
    const text = JSON.stringify(slackMessage(told()))
    assert.include(text, "Corp &lt;&amp;&gt; [x]")
    assert.include(text, "<https://zkillboard.com/kill/137259365/|")
    assert.include(text, "1.23B ISK")
  })

  it("keeps the services' limits, whatever the names are, and is told without them, too", () => {
    const longest = new Map([...names].map(([id, name]) => [id, `${name}${"😀@*_<>&".repeat(700)}`]))
    const emptiest: Partial<KillmailRow> = {
      victim_character_id: null,
      victim_corporation_id: null,
      victim_alliance_id: null,
      total_value: null,
      attackers: [],
      attacker_count: 0
    }
    for (const known of [names, longest, new Map<number, string>()]) {
      for (const more of [{}, emptiest, { attackers: crowd(5000).map((one) => ({ ...row.attackers[0]!, ...one })) }]) {
        assert.deepStrictEqual(faultsOf("discord", discordMessage(told({}, more, known))), [])
        assert.deepStrictEqual(faultsOf("slack", slackMessage(told({}, more, known))), [])
      }
    }
  })

  it("is about whoever is there: a structure's corporation, or nobody but its type", () => {
    assert.match(told({}, { victim_character_id: null }).title, /^Corp .* lost a Rifter/)
    assert.strictEqual(told({}, {}, new Map()).title, "#90000001 lost a #587 in #30002187")
  })

  it("has numbers that people read, and is cut between characters", () => {
    assert.deepStrictEqual([0, 999, 1e6, 12_345_678_901].map(iskOf), ["0 ISK", "999 ISK", "1M ISK", "12.35B ISK"])
    assert.strictEqual(cut("abc", 3), "abc")
    assert.strictEqual(cut("ab😀d", 4), "ab…")
  })

  it("is signed as Standard Webhooks' own example is", () => {
    const secret = Redacted.make("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    const headers = signedHeaders("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330_000, "{\"test\": 2432232314}", secret)
    assert.strictEqual(headers["webhook-timestamp"], "1614265330")
    assert.strictEqual(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
  })

  it("is taken for genuine by what docs/webhooks.md shows, unless anything of it was changed or it is old", async () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/webhooks.md"), "utf8")
    const code = /```js\n([^]+?)```/.exec(page)![1]!
    const { isGenuine } = await import(`data:text/javascript,${encodeURIComponent(code)}`)
    const secret = makeSecret()
    const [body, now] = ["{\"killmail_id\":1}", Date.now()]
    const headers = signedHeaders("killmail_1", now, body, secret)
    assert.isTrue(isGenuine(headers, body, Redacted.value(secret)))
    assert.isFalse(isGenuine(headers, `${body} `, Redacted.value(secret)))
    assert.isFalse(isGenuine(headers, body, Redacted.value(makeSecret())))
    assert.isFalse(isGenuine({ ...headers, "webhook-id": "killmail_2" }, body, Redacted.value(secret)))
    assert.isFalse(isGenuine(signedHeaders("killmail_1", now - 600_000, body, secret), body, Redacted.value(secret)))
  })
})
