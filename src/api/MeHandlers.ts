/** What answers `/api/v1/me`. */
import { Effect, Option } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { AccessTokens } from "../accounts/AccessTokens.ts"
import { Settings } from "../Settings.ts"
import { CharacterData } from "../store/CharacterData.ts"
import { KillmailAlerts } from "../store/KillmailAlerts.ts"
import { KillmailLists } from "../store/KillmailLists.ts"
import { Notifications, notificationStatuses } from "../store/Notifications.ts"
import { Sessions } from "../store/Sessions.ts"
import { type User, type UserCharacter, Users } from "../store/Users.ts"
import { UserSettings } from "../store/UserSettings.ts"
import { Webhooks } from "../store/Webhooks.ts"
import { Api } from "./Api.ts"
import { Conflict, CurrentVisitor, NotFound } from "./ApiErrors.ts"
import { noCharacter, shownChange } from "./CharacterDataHandlers.ts"
import { shownAlert, shownNotification } from "./NotificationsHandlers.ts"
import { shownList } from "./OwnKillmailsHandlers.ts"
import { ownOrigin } from "./OwnOrigin.ts"
import { withoutSession } from "./SessionCookies.ts"
import { databaseAway, unavailable } from "./Unavailable.ts"
import { shownWebhook } from "./WebhooksHandlers.ts"

export const MeHandlers = HttpApiBuilder.group(
  Api,
  "me",
  Effect.fn(function*(handlers) {
    const settings = yield* Settings
    const users = yield* Users
    const sessions = yield* Sessions
    const tokens = yield* AccessTokens
    const lists = yield* KillmailLists
    const chosen = yield* UserSettings
    const characterData = yield* CharacterData
    const notifications = yield* Notifications
    const alerts = yield* KillmailAlerts
    const webhooks = yield* Webhooks

    const me = Effect.gen(function*() {
      const { userId } = yield* CurrentVisitor
      const user = yield* unavailable(users.find(userId))
      const characters = yield* unavailable(users.characters(userId))
      // A session without its user is gone with it, but for the moment in between.
      return shownUser(Option.getOrThrow(user), characters)
    })

    const ownSessions = Effect.gen(function*() {
      const { sessionId, userId } = yield* CurrentVisitor
      const rows = yield* unavailable(sessions.list(userId))
      return rows.map(({ created_at, expires_at, used_at, ...row }) => ({
        ...row,
        is_this: row.id === sessionId,
        created_at: created_at.toISOString(),
        used_at: used_at.toISOString(),
        expires_at: expires_at.toISOString()
      }))
    })

    /** The browser forgets its cookies, too. */
    const signedOut = Effect.fnUntraced(function*(response: HttpServerResponse.HttpServerResponse) {
      const origin = ownOrigin(settings, yield* HttpServerRequest.HttpServerRequest)
      return origin === undefined ? response : withoutSession(origin)(response)
    })

    return handlers.handleAll({
      me: () => me,
      export: Effect.fnUntraced(function*() {
        const { userId } = yield* CurrentVisitor
        const all = { statuses: notificationStatuses, before: undefined, limit: mostExported }
        return {
          user: yield* me,
          settings: yield* unavailable(chosen.find(userId)),
          sessions: yield* ownSessions,
          character_data: (yield* unavailable(characterData.all(userId))).map((row) => ({
            character_id: row.character_id,
            kind: row.kind,
            synced_at: row.synced_at?.toISOString() ?? null,
            data: row.data
          })),
          character_changes: (yield* unavailable(characterData.changes(userId, { limit: mostExported }))).map(
            shownChange
          ),
          notifications: (yield* unavailable(notifications.list(userId, all))).map(shownNotification),
          alerts: (yield* unavailable(alerts.list(userId))).map(shownAlert),
          webhooks: (yield* unavailable(webhooks.list(userId))).map(shownWebhook),
          killmail_lists: (yield* unavailable(lists.statuses({ userId }))).map(shownList)
        }
      }),
      leave: Effect.fnUntraced(
        function*() {
          const { userId } = yield* CurrentVisitor
          // Before, as the grants cannot be revoked without the tokens. Whether or not it can be reached, the user goes.
          const grants = yield* Effect.catch(tokens.revoke(userId), databaseAway)
          yield* unavailable(users.remove(userId))
          return yield* signedOut(HttpServerResponse.jsonUnsafe(left(grants)))
        },
        Effect.uninterruptible
      ),
      removeCharacter: Effect.fnUntraced(
        function*({ params }) {
          const { userId } = yield* CurrentVisitor
          const characters = yield* unavailable(users.characters(userId))
          if (!characters.some(({ character_id }) => character_id === params.id)) {
            return yield* noCharacter(params.id)
          }
          if (characters.length === 1) return yield* lastOne
          const grants = yield* Effect.catch(tokens.revoke(userId, params.id), databaseAway)
          if (!(yield* unavailable(users.removeCharacter(userId, params.id)))) return yield* lastOne
          return left(grants)
        },
        Effect.uninterruptible
      ),
      sessions: () => Effect.map(ownSessions, (data) => ({ data, next_cursor: null })),
      describeSession: Effect.fnUntraced(function*({ payload }) {
        const { sessionId } = yield* CurrentVisitor
        const { device_type, push_token } = payload
        yield* unavailable(sessions.describe(sessionId, {
          ...(device_type === undefined ? {} : { deviceType: device_type }),
          ...(push_token === undefined ? {} : { pushToken: push_token })
        }))
      }),
      revokeSession: Effect.fnUntraced(function*({ params }) {
        const { userId } = yield* CurrentVisitor
        if ((yield* unavailable(sessions.revoke(userId, params.id))) === 0) {
          return yield* new NotFound({ detail: "You have no such session." })
        }
      }),
      revokeSessions: Effect.fnUntraced(function*() {
        const { userId } = yield* CurrentVisitor
        yield* unavailable(sessions.revoke(userId))
        return yield* signedOut(HttpServerResponse.empty())
      })
    })
  })
)

/** Changes, and notifications, in an export: the newest. */
const mostExported = 10_000

const lastOne = new Conflict({
  detail: "It is your last character here: to leave for good, DELETE /api/v1/me."
})

const left = ({ revoked, unreached }: { readonly revoked: number; readonly unreached: number }) => ({
  grants_revoked: revoked,
  grants_unreached: unreached
})

const shownUser = ({ created_at, subscription_ends_at, ...user }: User, characters: ReadonlyArray<UserCharacter>) => ({
  ...user,
  created_at: created_at.toISOString(),
  subscription_ends_at: subscription_ends_at?.toISOString() ?? null,
  characters: characters.map((character) => ({
    character_id: character.character_id,
    name: character.name,
    added_at: character.added_at.toISOString(),
    scopes: character.scopes,
    token_refreshed_at: character.refreshed_at?.toISOString() ?? null,
    sign_in_again: character.dropped_because,
    synced_at: character.synced
  }))
})
