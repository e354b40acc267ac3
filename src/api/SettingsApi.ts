/** The contract of `/api/v1/me/settings`: what a user chose. */
import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Id } from "../domain/Killmail.ts"
import { BadRequest, SignedIn, Unavailable } from "./ApiErrors.ts"

const told = (of: string) => Schema.Boolean.annotate({ description: `Whether to be told of ${of}` })

const fields = {
  theme: Schema.Literals(["system", "light", "dark"]),
  language: Schema.Literals(["en", "de", "fr", "ja", "ru", "zh", "ko", "es"]).annotate({
    description: "For pages; what devices are told is in English"
  }),
  default_character_id: Schema.NullOr(Id).annotate({ description: "One of the user's own" }),
  notify_skills: told("skills that are trained"),
  notify_orders: told("market orders that were filled or expired"),
  notify_industry: told("industry jobs that are done"),
  notify_planets: told("extractors that finished"),
  notify_mail: told("EVE mails that came"),
  notify_killmails: told("killmails that fit one of the user's alerts"),
  sharing: Schema.Literals(["private", "corporation", "alliance", "public"]).annotate({
    description: "Who may see what is the user's own, where a page offers it"
  })
}

export const Chosen = Schema.Struct(fields).annotate({ identifier: "UserSettings" })

const Change = Schema.Struct({
  theme: Schema.optionalKey(fields.theme),
  language: Schema.optionalKey(fields.language),
  default_character_id: Schema.optionalKey(fields.default_character_id),
  notify_skills: Schema.optionalKey(fields.notify_skills),
  notify_orders: Schema.optionalKey(fields.notify_orders),
  notify_industry: Schema.optionalKey(fields.notify_industry),
  notify_planets: Schema.optionalKey(fields.notify_planets),
  notify_mail: Schema.optionalKey(fields.notify_mail),
  notify_killmails: Schema.optionalKey(fields.notify_killmails),
  sharing: Schema.optionalKey(fields.sharing)
})

export class SettingsApi extends HttpApiGroup.make("settings")
  .add(
    HttpApiEndpoint.get("settings", "/", { success: Chosen, error: Unavailable })
      .annotateMerge(OpenApi.annotations({ summary: "What the user chose" })),
    HttpApiEndpoint.patch("changeSettings", "/", {
      payload: Change,
      success: Chosen,
      error: [BadRequest, Unavailable]
    })
      .annotateMerge(OpenApi.annotations({ summary: "Changes what is given, and nothing else; answers with all" }))
  )
  .middleware(SignedIn)
  .prefix("/api/v1/me/settings")
{}
