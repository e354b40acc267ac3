/** What answers `/api/v1/me/settings`. */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { UserSettings } from "../store/UserSettings.ts"
import { Api } from "./Api.ts"
import { BadRequest, CurrentVisitor } from "./ApiErrors.ts"
import { unavailable } from "./Unavailable.ts"

export const SettingsHandlers = HttpApiBuilder.group(
  Api,
  "settings",
  Effect.fn(function*(handlers) {
    const settings = yield* UserSettings

    const chosen = Effect.gen(function*() {
      const { userId } = yield* CurrentVisitor
      return yield* unavailable(settings.find(userId))
    })

    return handlers.handleAll({
      settings: () => chosen,
      changeSettings: Effect.fnUntraced(function*({ payload }) {
        const { userId } = yield* CurrentVisitor
        if (!(yield* unavailable(settings.change(userId, payload)))) {
          const { default_character_id: got } = payload
          const detail = `default_character_id: got ${got}, wants one of your own characters, or null.`
          return yield* new BadRequest({ detail })
        }
        return yield* chosen
      })
    })
  })
)
