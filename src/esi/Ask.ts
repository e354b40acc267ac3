/** One question to ESI: repeated while its answer may be another, and held back while Tranquility is down. */
import { Effect, Random } from "effect"
import type { EsiAnswer } from "./EsiAnswer.ts"
import { EsiClient, type EsiRequest } from "./EsiClient.ts"
import { EsiError, EsiPaused, type EsiReason } from "./EsiError.ts"
import { Tranquility, tranquilityBucket } from "./Tranquility.ts"

/** 2 quick retries: what lasts longer is the job's to repeat. */
const retries = 2
const backoffMillis = 200

export const makeAsk = Effect.gen(function*() {
  const client = yield* EsiClient
  const tranquility = yield* Tranquility

  /** Fails with the answer's problem when that is not a passing one, or did not pass. */
  return Effect.fnUntraced(
    function*<A>(request: EsiRequest, decode: (answer: EsiAnswer) => Effect.Effect<A, EsiError>) {
      const { path } = request
      const whileDown = (waitMillis: number) => {
        const why = "Tranquility is down."
        return new EsiError({ reason: new EsiPaused({ path, bucket: tranquilityBucket, waitMillis, why }) })
      }
      let failures = 0
      while (true) {
        const outcome = yield* client.send(request).pipe(
          Effect.flatMap(decode),
          Effect.map((value) => ({ value })),
          Effect.catchTag("EsiError", Effect.succeed)
        )
        if ("value" in outcome) return outcome.value
        const { reason } = outcome
        if (reason._tag === "EsiPaused" && reason.bucket === tranquilityBucket) {
          const wait = yield* tranquility.check({ suspected: false })
          if (wait > 0) return yield* whileDown(wait)
        } else if (!isPassing(reason)) {
          return yield* outcome
        } else if (failures < retries) {
          yield* Effect.sleep(backoffMillis * 2 ** failures * (1 + (yield* Random.next)))
          failures += 1
        } else {
          const wait = looksLikeDowntime(reason) ? yield* tranquility.check({ suspected: true }) : 0
          return yield* wait > 0 ? whileDown(wait) : outcome
        }
      }
    }
  )
})

/** May be gone at the next try. */
const isPassing = (reason: EsiReason): boolean => reason._tag === "EsiUnavailable" || reason._tag === "EsiUndecodable"

const looksLikeDowntime = (reason: EsiReason): boolean =>
  reason._tag === "EsiUnavailable" && (reason.status === undefined || (reason.status >= 502 && reason.status <= 504))
