/**
 * zKillboard's former RedisQ from one's own copy: a request waits for one killmail, and a queueID is handed each of them once.
 * A bot that was written for it works on `…/redisq/listen.php`.
 */
import { Deferred, Effect, Option, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { LiveKillmails } from "../broadcast/LiveKillmails.ts"
import { type KillmailRow, toEsi } from "../domain/Document.ts"
import { toZkb } from "../domain/Zkb.ts"
import { KillmailReader } from "../store/KillmailReader.ts"
import { RedisqQueues } from "../store/RedisqQueues.ts"
import { problem } from "./Problem.ts"
import { unavailable } from "./Unavailable.ts"

/** Seconds that a request may wait; the most, unless it says less. */
const mostSeconds = 10

const QueueId = Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(100), Schema.isPattern(/^[^\0]*$/))
const isQueueId = Schema.is(QueueId)

const packageOf = (row: KillmailRow | null) =>
  HttpServerResponse.jsonUnsafe({
    package: row === null ? null : { killID: row.killmail_id, killmail: toEsi(row), zkb: toZkb(row) }
  })

export const layer = HttpRouter.use(Effect.fnUntraced(function*(router) {
  const live = yield* LiveKillmails
  const reader = yield* KillmailReader
  const queues = yield* RedisqQueues
  const listening = new Set<string>()

  /** Until something is told that comes after this sequence. */
  const toldAfter = (sequence: number) =>
    Effect.scoped(Effect.gen(function*() {
      const told = yield* Deferred.make<void>()
      yield* Effect.acquireRelease(
        Effect.sync(() => live.listen(() => Deferred.doneUnsafe(told, Effect.void))),
        (stop) => Effect.sync(stop)
      )
      if (live.position() <= sequence) yield* Deferred.await(told)
    }))

  /**
   * The next one for the queue, or null when none comes in time; what another listener was handed meanwhile is not handed
   * again. Only waiting is cut short: what was taken from the queue is handed over.
   */
  const next = Effect.fnUntraced(function*(queueId: string, from: number, millis: number) {
    const deadline = Date.now() + millis
    for (let position = from;;) {
      const told = yield* Effect.timeoutOption(toldAfter(position), Math.max(0, deadline - Date.now()))
      if (Option.isNone(told)) return null
      const [publication] = yield* unavailable(reader.publishedAfter(position, 1))
      if (publication === undefined) return null
      if (yield* unavailable(queues.advance(queueId, position, publication.sequence))) return publication.row
      position = Option.getOrElse(yield* unavailable(queues.listen(queueId)), () => position)
    }
  })

  const listen = Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const query = URL.parse(request.url, "http://localhost")?.searchParams
    const queueId = query?.get("queueID") ?? ""
    if (!isQueueId(queueId)) return problem(429, "queueID: wants a name of 1 to 100 characters, your own.")
    if ((query?.get("filter") ?? "") !== "") {
      return problem(400, "filter: there is none here; /ws and /api/v1/stream have.")
    }
    if (listening.has(queueId)) return problem(429, `queueID: ${queueId} listens already, one request at a time.`)
    const seconds = Math.min(mostSeconds, Math.max(1, Number(query?.get("ttw") ?? mostSeconds) || mostSeconds))
    listening.add(queueId)
    return yield* Effect.gen(function*() {
      const position = yield* unavailable(queues.listen(queueId))
      if (Option.isNone(position)) return problem(429, "queueID: there are too many queues; try again later.")
      return packageOf(yield* next(queueId, position.value, seconds * 1000))
    }).pipe(Effect.ensuring(Effect.sync(() => listening.delete(queueId))))
  })

  yield* router.add("GET", "/redisq/listen.php", listen)
}))
