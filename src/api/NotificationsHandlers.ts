/** What answers `/api/v1/me/notifications` and `/api/v1/me/alerts`. */
import { Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { readFilter } from "../domain/Filter.ts"
import { type KillmailAlert, KillmailAlerts, mostAlerts } from "../store/KillmailAlerts.ts"
import {
  type Notification,
  Notifications,
  type NotificationStatus,
  notificationStatuses
} from "../store/Notifications.ts"
import { Api } from "./Api.ts"
import { BadRequest, Conflict, CurrentVisitor, NotFound } from "./ApiErrors.ts"
import { usualLimit } from "./Shapes.ts"
import { unavailable } from "./Unavailable.ts"

export const NotificationsHandlers = HttpApiBuilder.group(
  Api,
  "notifications",
  Effect.fn(function*(handlers) {
    const notifications = yield* Notifications
    const alerts = yield* KillmailAlerts

    return handlers.handleAll({
      notifications: Effect.fnUntraced(function*({ query: { cursor, limit = usualLimit, status } }) {
        const { userId } = yield* CurrentVisitor
        const statuses = status === undefined ? notificationStatuses : status.split(",") as Array<NotificationStatus>
        // One more tells whether there is another page.
        const rows = yield* unavailable(notifications.list(userId, { statuses, before: cursor, limit: limit + 1 }))
        const data = rows.slice(0, limit)
        return { data: data.map(shownNotification), next_cursor: rows.length > limit ? data.at(-1)!.id : null }
      }),
      unread: Effect.fnUntraced(function*() {
        const { userId } = yield* CurrentVisitor
        return { unread: yield* unavailable(notifications.unread(userId)) }
      }),
      readAll: Effect.fnUntraced(function*() {
        const { userId } = yield* CurrentVisitor
        yield* unavailable(notifications.markRead(userId))
      }),
      read: Effect.fnUntraced(function*({ params }) {
        const { userId } = yield* CurrentVisitor
        if ((yield* unavailable(notifications.markRead(userId, params.id))) === 0) {
          return yield* new NotFound({ detail: "You have no such notification." })
        }
      }),
      alerts: Effect.fnUntraced(function*() {
        const { userId } = yield* CurrentVisitor
        const rows = yield* unavailable(alerts.list(userId))
        return { data: rows.map(shownAlert), next_cursor: null }
      }),
      createAlert: Effect.fnUntraced(function*({ payload: { filter, is_enabled = true, name } }) {
        const { userId } = yield* CurrentVisitor
        const wanted = { name, filter: yield* filterOf(filter), is_enabled }
        const created = yield* unavailable(alerts.create(userId, wanted))
        if (Option.isSome(created)) return shownAlert(created.value)
        return yield* new Conflict({ detail: `You have ${mostAlerts} alerts, which is as many as there may be.` })
      }),
      changeAlert: Effect.fnUntraced(function*({ params, payload: { filter, ...rest } }) {
        const { userId } = yield* CurrentVisitor
        const wanted = filter === undefined ? rest : { ...rest, filter: yield* filterOf(filter) }
        const changed = yield* unavailable(alerts.change(userId, params.id, wanted))
        return Option.isSome(changed) ? shownAlert(changed.value) : yield* noAlert
      }),
      removeAlert: Effect.fnUntraced(function*({ params }) {
        const { userId } = yield* CurrentVisitor
        if (!(yield* unavailable(alerts.remove(userId, params.id)))) return yield* noAlert
      })
    })
  })
)

const noAlert = new NotFound({ detail: "You have no such alert." })

const filterOf = (given: unknown) =>
  Effect.mapError(Effect.fromResult(readFilter(given)), (detail) => new BadRequest({ detail }))

export const shownNotification = ({ created_at, read_at, sent_at, ...row }: Notification) => ({
  ...row,
  created_at: created_at.toISOString(),
  sent_at: sent_at?.toISOString() ?? null,
  read_at: read_at?.toISOString() ?? null
})

export const shownAlert = ({ created_at, ...row }: KillmailAlert) => ({ ...row, created_at: created_at.toISOString() })
