import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Killmail } from "../../src/domain/Killmail.ts"
import type { KillmailSummary } from "../../src/domain/Summary.ts"
import { ApiDaemon } from "../support/ApiDaemon.ts"
import { changed, mailOf, withVictim } from "../support/Mails.ts"

const pilot = 2_122_585_718
const alliance = 99_000_001
/** More than a stream reads at a time. */
const total = 1100

/** Killmails of an hour, of which every tenth is the pilot's loss. */
const mails: ReadonlyArray<Killmail> = Array.from({ length: total }, (_, k) => {
  const mail = changed(mailOf("lists", k), {
    killmail_time: new Date(Date.UTC(2026, 0, 31, 23, 30) + (k >> 1) * 7000).toISOString().slice(0, 19) + "Z"
  })
  return k % 10 === 0 ? withVictim(mail, { character_id: pilot, alliance_id: alliance }) : mail
})
const newestFirst = mails.toSorted((a, b) =>
  Date.parse(b.killmail_time) - Date.parse(a.killmail_time) || b.killmail_id - a.killmail_id
)
const ids = (killmails: ReadonlyArray<{ readonly killmail_id: number }>) => killmails.map((each) => each.killmail_id)
const losses = newestFirst.filter(({ victim }) => victim.character_id === pilot)

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

const ask = (path: string, accept?: string) =>
  Effect.flatMap(ApiDaemon, ({ url }) =>
    Effect.promise(async (): Promise<Answer> => {
      const response = await fetch(`${url}/api/v1/${path}`, accept === undefined ? {} : { headers: { accept } })
      return { status: response.status, headers: response.headers, text: await response.text() }
    }))

const pageOf = ({ status, text }: Answer) => {
  assert.strictEqual(status, 200, text)
  return JSON.parse(text) as { readonly data: ReadonlyArray<KillmailSummary>; readonly next_cursor: string | null }
}

/** The newest killmail. */
const one = (query: string) => Effect.map(ask(`killmails?limit=1${query}`), (answer) => pageOf(answer).data[0]!)

const detailOf = ({ status, text }: Answer) => [status, (JSON.parse(text) as { readonly detail: string }).detail]

layer(ApiDaemon.layer(mails, Effect.void), { excludeTestServices: true, timeout: 60_000 })(
  "a list of killmails",
  (it) => {
    it.effect("is newest first, and its cursor leads through all of it", () =>
      Effect.gen(function*() {
        const first = pageOf(yield* ask("killmails"))
        assert.deepStrictEqual(ids(first.data), ids(newestFirst.slice(0, 50)))
        const seen: Array<number> = []
        let cursor: string | null = ""
        while (cursor !== null) {
          const page: typeof first = pageOf(
            yield* ask(`killmails?limit=399${cursor === "" ? "" : `&cursor=${cursor}`}`)
          )
          seen.push(...ids(page.data))
          cursor = page.next_cursor
        }
        assert.deepStrictEqual(seen, ids(newestFirst))
      }))

    it.effect("leaves out items and attackers, unless they are asked for", () =>
      Effect.gen(function*() {
        const [mail] = newestFirst
        const plain = yield* one("")
        assert.notProperty(plain, "attackers")
        assert.notProperty(plain.victim, "items")
        assert.strictEqual(plain.attacker_count, mail!.attackers.length)
        assert.deepStrictEqual(plain.final_blow, mail!.attackers.find(({ final_blow }) => final_blow) ?? null)
        const whole = yield* one("&include=items,attackers")
        assert.deepStrictEqual(whole.attackers, mail!.attackers)
        assert.deepStrictEqual(whole.victim.items, mail!.victim.items)
        assert.notProperty((yield* one("&include=attackers")).victim, "items")
      }))

    it.effect("holds what fits the filter", () =>
      Effect.gen(function*() {
        const system = newestFirst[7]!.solar_system_id
        const inSystem = newestFirst.filter(({ solar_system_id }) => solar_system_id === system)
        assert.deepStrictEqual(ids(pageOf(yield* ask(`killmails?limit=1000&system=${system}`)).data), ids(inSystem))
        const both = pageOf(yield* ask(`killmails?limit=1000&character=${pilot},1&role=victim&until=2026-02-01`)).data
        assert.deepStrictEqual(ids(both), ids(losses.filter((mail) => mail.killmail_time < "2026-02-01")))
      }))

    it.effect("of a character or alliance holds its own", () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(ids(pageOf(yield* ask(`characters/${pilot}/killmails?limit=1000`)).data), ids(losses))
        assert.deepStrictEqual(ids(pageOf(yield* ask(`alliances/${alliance}/killmails?limit=1000`)).data), ids(losses))
        assert.deepStrictEqual(pageOf(yield* ask(`characters/${pilot}/killmails?role=attacker`)).data, [])
        assert.deepStrictEqual(pageOf(yield* ask("corporations/98999999/killmails")), { data: [], next_cursor: null })
      }))

    it.effect("comes as lines of JSON or CSV, then all of it", () =>
      Effect.gen(function*() {
        const lines = yield* ask("killmails", "application/x-ndjson")
        assert.match(lines.headers.get("content-type")!, /^application\/x-ndjson/)
        const read = lines.text.trimEnd().split("\n").map((line) => JSON.parse(line) as KillmailSummary)
        assert.deepStrictEqual(ids(read), ids(newestFirst))
        const table = yield* ask(`killmails?character=${pilot}`, "text/html;q=0.5, text/csv")
        assert.match(table.headers.get("content-type")!, /^text\/csv/)
        const [header, ...rows] = table.text.trimEnd().split("\r\n")
        assert.match(header!, /^killmail_id,killmail_time,hash,/)
        assert.deepStrictEqual(rows.map((row) => Number(row.split(",")[0])), ids(losses))
        const [short] = (yield* ask("killmails?limit=3", "text/csv")).text.trimEnd().split("\r\n").slice(4)
        assert.isUndefined(short)
        const empty = yield* ask("killmails?character=1", "text/csv")
        assert.strictEqual(empty.text, header + "\r\n")
        assert.strictEqual((yield* ask("killmails?character=1", "application/x-ndjson")).text, "")
      }))

    it.effect("is refused in one sentence that names what is wrong", () =>
      Effect.gen(function*() {
        for (const query of ["limit=0", "limit=1001", "limit=x", "include=all", "npc=maybe", "cursor=x", "region=-1"]) {
          const [status, detail] = detailOf(yield* ask(`killmails?${query}`))
          assert.strictEqual(status, 400, query)
          assert.include(String(detail), query.split("=")[0]!)
        }
        for (const name of ["sort", "toString", "constructor", "__proto__"]) {
          const [status, detail] = detailOf(yield* ask(`killmails?${name}=value`))
          assert.strictEqual(status, 400, name)
          assert.match(String(detail), new RegExp(`^There is no filter "${name}"; there are`))
        }
        assert.strictEqual((yield* ask("killmails", "image/png")).status, 406)
        assert.strictEqual((yield* ask("characters/x/killmails")).status, 400)
      }))
  }
)
