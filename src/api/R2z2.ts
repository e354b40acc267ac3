/**
 * zKillboard's R2Z2 from one's own copy: numbered files, here one a publication, and the lists of days. A bot that was written
 * for it works on `…/r2z2` in place of `https://r2z2.zkillboard.com`.
 */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { LiveKillmails } from "../broadcast/LiveKillmails.ts"
import { toEsi } from "../domain/Document.ts"
import { toZkb } from "../domain/Zkb.ts"
import { KillmailDays } from "../store/KillmailDays.ts"
import { KillmailReader, type Publication } from "../store/KillmailReader.ts"
import { problem } from "./Problem.ts"
import { unavailable } from "./Unavailable.ts"

/** Milliseconds after midnight from which the list of the day before is there. */
const dayIsOver = 6 * 3_600_000

const fileOf = ({ row, sequence, storedAt }: Publication) => ({
  killmail_id: row.killmail_id,
  hash: row.hash,
  esi: toEsi(row),
  zkb: toZkb(row),
  uploaded_at: Math.floor(storedAt.getTime() / 1000),
  sequence_id: sequence
})

/** An existing day that is over, written as `2026-11-20`. */
const dayIn = (digits: string): string | undefined => {
  const day = digits.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3")
  const millis = Date.parse(day)
  if (Number.isNaN(millis) || new Date(millis).toISOString().slice(0, 10) !== day) return undefined
  return millis + 86_400_000 + dayIsOver <= Date.now() ? day : undefined
}

/** The name of a file, without `.json`, if it is made of so many digits. */
const digitsIn = (file: string | undefined, digits: RegExp): string | undefined =>
  file !== undefined && digits.test(file) ? file.slice(0, -".json".length) : undefined

const notThere = problem(404, "There is no such file, or not yet.")

export const layer = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const live = yield* LiveKillmails
  const reader = yield* KillmailReader
  const days = yield* KillmailDays

  // The broadcaster's position, not the ledger's end: what a socket would have told by now.
  const sequence = Effect.sync(() => HttpServerResponse.jsonUnsafe({ sequence: live.position() }))

  const numbered = Effect.gen(function*() {
    const { file } = yield* HttpRouter.params
    const number = digitsIn(file, /^\d{1,15}\.json$/)
    if (number === undefined || Number(number) < 1) return notThere
    const [publication] = yield* unavailable(reader.publishedAfter(Number(number) - 1, 1))
    return publication?.sequence === Number(number)
      ? HttpServerResponse.jsonUnsafe(fileOf(publication), { headers: { "cache-control": "public, max-age=60" } })
      : notThere
  })

  const history = Effect.gen(function*() {
    const { file } = yield* HttpRouter.params
    if (file === "totals.json") return HttpServerResponse.jsonUnsafe(yield* unavailable(days.totals))
    const day = dayIn(digitsIn(file, /^\d{8}\.json$/) ?? "")
    const hashes = day === undefined ? "{}" : yield* unavailable(days.hashesOf(day))
    return hashes === "{}" ? notThere : HttpServerResponse.text(hashes, { contentType: "application/json" })
  })

  yield* router.add("GET", "/r2z2/ephemeral/sequence.json", sequence)
  yield* router.add("GET", "/r2z2/ephemeral/:file", numbered)
  yield* router.add("GET", "/r2z2/history/:file", history)
}))
