/** What users chose: how pages look, what they are told of, and with whom they share. */
import { Context, Effect, Layer } from "effect"
import { SqlClient, type SqlError } from "effect/sql"

export interface Chosen {
  readonly theme: "system" | "light" | "dark"
  readonly language: "en" | "de" | "fr" | "ja" | "ru" | "zh" | "ko" | "es"
  readonly default_character_id: number | null
  readonly notify_skills: boolean
  readonly notify_orders: boolean
  readonly notify_industry: boolean
  readonly notify_planets: boolean
  readonly notify_mail: boolean
  readonly notify_killmails: boolean
  readonly sharing: "private" | "corporation" | "alliance" | "public"
}

export class UserSettings extends Context.Service<UserSettings, {
  readonly find: (userId: string) => Effect.Effect<Chosen, SqlError.SqlError>
  /** False, and nothing is changed, when the default character is none of the user's. */
  readonly change: (userId: string, chosen: Partial<Chosen>) => Effect.Effect<boolean, SqlError.SqlError>
}>()("killmaild/store/UserSettings") {
  static readonly layer = Layer.effect(
    UserSettings,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      const find: UserSettings["Service"]["find"] = (userId) =>
        Effect.map(
          sql<{ chosen: Chosen }>`
            select to_jsonb(user_settings) - 'user_id' as chosen from user_settings where user_id = ${userId}::uuid`,
          ([row]) => row!.chosen
        )

      const change: UserSettings["Service"]["change"] = (userId, chosen) =>
        Effect.map(
          sql`
            update user_settings
            set (theme, language, default_character_id, notify_skills, notify_orders, notify_industry, notify_planets,
              notify_mail, notify_killmails, sharing) = (
                select theme, language, default_character_id, notify_skills, notify_orders, notify_industry, notify_planets,
                  notify_mail, notify_killmails, sharing
                from jsonb_populate_record(user_settings, ${JSON.stringify(chosen)}::jsonb)
              )
            where user_id = ${userId}::uuid
              and (
                ${chosen.default_character_id ?? null}::bigint is null
                or exists (
                  select from user_characters
                  where user_characters.user_id = ${userId}::uuid
                    and character_id = ${chosen.default_character_id ?? null}::bigint
                )
              )
            returning 1`,
          (rows) => rows.length === 1
        )

      return UserSettings.of({ find, change })
    })
  )
}
