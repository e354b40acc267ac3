/** What answers for webhooks: the users' and the operator's, who differ in whose they are. */
import { Effect, Layer, Option, Redacted, type Result } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { randomUUID } from "node:crypto"
import { EncryptionKeys } from "../accounts/EncryptionKeys.ts"
import { readFilter } from "../domain/Filter.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { Settings } from "../Settings.ts"
import { KillmailReader } from "../store/KillmailReader.ts"
import { type Delivery, WebhookDeliveries } from "../store/WebhookDeliveries.ts"
import { type Owner, type Webhook, type WebhookFormat, Webhooks } from "../store/Webhooks.ts"
import { DeliverWebhook } from "../webhooks/DeliverWebhook.ts"
import { makeSecret, openWebhook, sealWebhook } from "../webhooks/WebhookCipher.ts"
import { type SendError, WebhookSender } from "../webhooks/WebhookSender.ts"
import { readWebhookUrl } from "../webhooks/WebhookUrl.ts"
import { Api } from "./Api.ts"
import { BadRequest, Conflict, CurrentVisitor, NotFound, Unavailable } from "./ApiErrors.ts"
import { databaseAway, unavailable } from "./Unavailable.ts"

/** A killmail is matched with the filter of each: so many are enough for one user, and for a corporation's own board. */
const mostOfUser = 20
const mostOfOperator = 200
/** Deliveries of one page, and of one replay. */
const pageSize = 100
const mostReplayed = 500

const makeAnswers = Effect.gen(function*() {
  const { webhookAllow } = yield* Settings
  const webhooks = yield* Webhooks
  const deliveries = yield* WebhookDeliveries
  const keys = yield* EncryptionKeys
  const sender = yield* WebhookSender
  const reader = yield* KillmailReader
  const queue = yield* JobQueue

  const found = (owner: Owner, id: string) =>
    Effect.flatMap(
      unavailable(webhooks.find(owner, id)),
      Option.match({
        onNone: () => Effect.fail(new NotFound({ detail: "You have no such webhook." })),
        onSome: Effect.succeed
      })
    )

  const currentKeys = Effect.catch(keys.all, ({ message }) =>
    Effect.andThen(
      Effect.logError(message),
      Effect.fail(new Unavailable({ detail: "Addresses cannot be stored now; the operator's log says more." }))
    ))

  const sealed = Effect.fnUntraced(function*(id: string, text: string, secret: Redacted.Redacted | null) {
    const url = yield* accepted(readWebhookUrl(text, webhookAllow))
    const [key] = yield* currentKeys
    return { ...sealWebhook(key, id, { url: Redacted.make(url.href), secret }), origin: url.origin }
  })

  const create = Effect.fnUntraced(function*(owner: Owner, payload: New) {
    const { is_enabled = true, filter = {}, format, name, url } = payload
    const id = randomUUID()
    const secret = format === "json" ? makeSecret() : null
    const webhook = {
      ...(yield* sealed(id, url, secret)),
      id,
      name,
      format,
      is_enabled,
      filter: yield* accepted(readFilter(filter))
    }
    const most = owner === null ? mostOfOperator : mostOfUser
    if (!(yield* unavailable(webhooks.create(owner, webhook, most)))) {
      return yield* new Conflict({ detail: `You have ${most} webhooks, which is all that you may have.` })
    }
    const made = Option.getOrThrow(yield* unavailable(webhooks.find(owner, id)))
    return { ...shownWebhook(made), secret: secret && Redacted.value(secret) }
  })

  const change = Effect.fnUntraced(function*(owner: Owner, id: string, { is_enabled, filter, name, url }: Change) {
    yield* found(owner, id)
    const read = filter === undefined ? undefined : yield* accepted(readFilter(filter))
    const target = url === undefined ? undefined : yield* sealed(id, url, yield* secretOf(id))
    yield* unavailable(webhooks.change(owner, id, {
      ...(name === undefined ? {} : { name }),
      ...(read === undefined ? {} : { filter: read }),
      ...(is_enabled === undefined ? {} : { is_enabled }),
      ...(target === undefined ? {} : { target })
    }))
    return shownWebhook(yield* found(owner, id))
  })

  /** It stays the same when the address changes. */
  const secretOf = Effect.fnUntraced(function*(id: string) {
    const kept = yield* unavailable(webhooks.sealed(id))
    const all = yield* currentKeys
    return Option.isNone(kept) ? null : yield* Effect.orDie(Effect.try(() => openWebhook(all, id, kept.value).secret))
  })

  const test = Effect.fnUntraced(function*(owner: Owner, id: string) {
    const { filter, format } = yield* found(owner, id)
    const kept = yield* unavailable(webhooks.sealed(id))
    const last = yield* unavailable(reader.lastSequence)
    const [newest] = yield* unavailable(reader.publishedAfter(last - 1, 1))
    if (newest === undefined || Option.isNone(kept)) {
      return yield* new Conflict({ detail: "There is no killmail yet that it could be told of; come back later." })
    }
    const target = { id, format, filter, sealed: kept.value }
    return yield* sender.send(target, newest.row, `test_${randomUUID()}`).pipe(
      Effect.map(({ answer, verdict }) => ({
        delivered: verdict._tag === "Delivered",
        status: answer.status,
        answer: answer.text.slice(0, 1000).toWellFormed()
      })),
      Effect.catch(notSent)
    )
  })

  const replay = Effect.fnUntraced(
    function*(owner: Owner, id: string, range: Range) {
      const { is_enabled, filter } = yield* found(owner, id)
      if (!is_enabled) return yield* new Conflict({ detail: "It is disabled: enable it first." })
      const upTo = Math.min(range.up_to, yield* unavailable(reader.lastSequence))
      const page = yield* unavailable(reader.publishedBetween(range.after, upTo, filter, mostReplayed))
      const due = yield* unavailable(deliveries.addAgain(page.map(({ row, sequence }) => ({
        webhook_id: id,
        sequence,
        killmail_id: row.killmail_id
      }))))
      yield* unavailable(queue.addAll(DeliverWebhook, due))
      return {
        deliveries: due.length,
        next_after: page.length === mostReplayed ? page.at(-1)!.sequence : null
      }
    }
  )

  const list = Effect.fnUntraced(function*(owner: Owner, id: string, cursor: string | undefined) {
    yield* found(owner, id)
    const rows = yield* unavailable(deliveries.list(id, cursor === undefined ? null : Number(cursor), pageSize))
    return {
      data: rows.map(shownDelivery),
      next_cursor: rows.length === pageSize ? String(rows.at(-1)!.sequence) : null
    }
  })

  return {
    list: (owner: Owner) =>
      Effect.map(unavailable(webhooks.list(owner)), (rows) => ({ data: rows.map(shownWebhook), next_cursor: null })),
    create,
    get: (owner: Owner, id: string) => Effect.map(found(owner, id), shownWebhook),
    change,
    remove: Effect.fnUntraced(function*(owner: Owner, id: string) {
      yield* found(owner, id)
      yield* unavailable(webhooks.remove(owner, id))
    }),
    test,
    replay,
    deliveries: list
  }
})

interface New {
  readonly name: string
  readonly format: WebhookFormat
  readonly url: string
  readonly filter?: unknown
  readonly is_enabled?: boolean
}

type Change = Partial<Omit<New, "format">>

/** Sequences. */
interface Range {
  readonly after: number
  readonly up_to: number
}

const accepted = <A>(read: Result.Result<A, string>) =>
  Effect.mapError(Effect.fromResult(read), (detail) => new BadRequest({ detail }))

const nothing = (answer: string) => Effect.succeed({ delivered: false, status: null, answer })

const notSent = (error: SendError) => {
  switch (error._tag) {
    case "SqlError":
      return databaseAway(error)
    case "WebhookPaused":
    case "WebhookForbidden":
    case "WebhookUnreachable":
    case "WebhookUnreadable":
    case "EncryptionKeysUnavailable":
      return nothing(error.message)
  }
}

export const shownWebhook = ({ created_at, delivered_at, origin, ...webhook }: Webhook) => ({
  ...webhook,
  url: `${origin}/…`,
  created_at: created_at.toISOString(),
  delivered_at: delivered_at?.toISOString() ?? null
})

const shownDelivery = ({ created_at, ended_at, ...delivery }: Delivery) => ({
  ...delivery,
  created_at: created_at.toISOString(),
  ended_at: ended_at?.toISOString() ?? null
})

interface Named {
  readonly params: { readonly id: string }
}

/** The endpoints of one group, for whoever the owner is. */
const entries = <R>(owner: Effect.Effect<Owner, never, R>, answers: Effect.Success<typeof makeAnswers>) => ({
  list: () => Effect.flatMap(owner, answers.list),
  create: ({ payload }: { readonly payload: New }) => Effect.flatMap(owner, (owner) => answers.create(owner, payload)),
  get: ({ params }: Named) => Effect.flatMap(owner, (owner) => answers.get(owner, params.id)),
  change: ({ params, payload }: Named & { readonly payload: Change }) =>
    Effect.flatMap(owner, (owner) => answers.change(owner, params.id, payload)),
  remove: ({ params }: Named) => Effect.flatMap(owner, (owner) => answers.remove(owner, params.id)),
  test: ({ params }: Named) => Effect.flatMap(owner, (owner) => answers.test(owner, params.id)),
  replay: ({ params, payload }: Named & { readonly payload: Range }) =>
    Effect.flatMap(owner, (owner) => answers.replay(owner, params.id, payload)),
  deliveries: ({ params, query }: Named & { readonly query: { readonly cursor?: string } }) =>
    Effect.flatMap(owner, (owner) => answers.deliveries(owner, params.id, query.cursor))
})

const user = Effect.map(CurrentVisitor, ({ userId }): Owner => userId)
const operator = Effect.succeed<Owner>(null)

export const layer = Layer.merge(
  HttpApiBuilder.group(
    Api,
    "ownWebhooks",
    Effect.fn(function*(handlers) {
      return handlers.handleAll(entries(user, yield* makeAnswers))
    })
  ),
  HttpApiBuilder.group(
    Api,
    "webhooks",
    Effect.fn(function*(handlers) {
      return handlers.handleAll(entries(operator, yield* makeAnswers))
    })
  )
)
