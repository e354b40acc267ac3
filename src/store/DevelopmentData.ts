/** Invented pilots with all that users have, to develop against without EVE's SSO. Not for where real ones sign in. */
import { Context, Effect, Layer, Option } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { CachedData } from "./CachedData.ts"
import { KillmailAlerts } from "./KillmailAlerts.ts"
import { type NotificationKind, Notifications } from "./Notifications.ts"
import { Users } from "./Users.ts"
import { UserSettings } from "./UserSettings.ts"

export interface DevelopmentUser<A> {
  readonly user_id: string
  readonly characters: ReadonlyArray<string>
  readonly session: A
}

const trader = { characterId: 2_129_999_001, name: "Seed Trader", ownerHash: "seed 1" }
const industrialist = { characterId: 2_129_999_002, name: "Seed Industrialist", ownerHash: "seed 1" }
const hunter = { characterId: 2_129_999_003, name: "Seed Hunter", ownerHash: "seed 2" }

export class DevelopmentData extends Context.Service<DevelopmentData, {
  /**
   * Two users with three characters and a session each; what ESI would tell of these, settings, notifications with the jobs that
   * push them, an alert and cached data: all or nothing. None, and nothing is written, where there is a user already.
   */
  readonly fill: <A>(
    openSession: (userId: string) => Effect.Effect<A, SqlError.SqlError>
  ) => Effect.Effect<Option.Option<ReadonlyArray<DevelopmentUser<A>>>, SqlError.SqlError>
}>()("killmaild/store/DevelopmentData") {
  static readonly layer = Layer.effect(
    DevelopmentData,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient
      const users = yield* Users
      const settings = yield* UserSettings
      const notifications = yield* Notifications
      const alerts = yield* KillmailAlerts
      const cache = yield* CachedData

      const fillData = (characterId: number, kind: string, data: object) =>
        sql`
          insert into character_data (character_id, kind, data, synced_at, changed_at, due_at)
          values (${BigInt(characterId)}, ${kind}, ${JSON.stringify(data)}::jsonb, now(), now() - interval '1 hour',
            now() + interval '1 hour')`

      const fill: DevelopmentData["Service"]["fill"] = Effect.fnUntraced(function*(openSession) {
        // Nobody signs in meanwhile.
        yield* sql`lock table users in share row exclusive mode`
        if ((yield* sql`select from users limit 1`).length > 0) return Option.none()
        const first = Option.getOrThrow(yield* users.welcome(trader, null))
        yield* users.welcome(industrialist, first)
        const second = Option.getOrThrow(yield* users.welcome(hunter, null))
        yield* sql`
          update users
          set email = 'trader@example.org', tier = 'premium', subscription_status = 'active',
            subscription_ends_at = now() + interval '1 month'
          where id = ${first}::uuid`
        const sessions = [yield* openSession(first), yield* openSession(second)] as const
        yield* settings.change(first, { theme: "dark", default_character_id: trader.characterId })

        yield* fillData(trader.characterId, "skills", skills(new Date()))
        yield* fillData(trader.characterId, "orders", { orders: [order], history: [], gone: [] })
        yield* fillData(trader.characterId, "mail", { headers: [mail(trader.characterId)] })
        yield* fillData(industrialist.characterId, "industry", { jobs: [job(industrialist.characterId)] })
        yield* fillData(industrialist.characterId, "planets", { planets: [] })

        yield* notifications.add([
          tell(first, trader.characterId, "skill_done", { skill_id: 3300, level: 4 }),
          tell(first, trader.characterId, "order_filled", order)
        ])
        yield* notifications.markRead(first)
        yield* notifications.add([
          tell(first, industrialist.characterId, "job_done", job(industrialist.characterId)),
          tell(first, trader.characterId, "mail_received", mail(trader.characterId)),
          tell(second, null, "killmail_matched", {
            alert: "Losses in Jita",
            killmail_id: 1,
            solar_system_id: 30_000_142,
            ship_type_id: 670,
            total_value: 1_250_000_000
          })
        ])
        yield* alerts.create(second, { name: "Losses in Jita", filter: { system: [30_000_142] }, is_enabled: true })
        yield* cache.put({ key: "seed", text: "{}", millis: 3_600_000 })
        return Option.some([
          { user_id: first, characters: [trader.name, industrialist.name], session: sessions[0] },
          { user_id: second, characters: [hunter.name], session: sessions[1] }
        ])
      }, (transaction) => sql.withTransaction(transaction))

      return DevelopmentData.of({ fill })
    })
  )
}

const tell = (user_id: string, character_id: number | null, kind: NotificationKind, data: object) => ({
  user_id,
  character_id,
  kind,
  subject: `seed ${kind}`,
  data: { ...data, at: new Date().toISOString() }
})

const iso = (time: Date, hours: number): string =>
  new Date(time.getTime() + hours * 3_600_000).toISOString().slice(0, 19) + "Z"

const skills = (now: Date) => ({
  skills: [{ skill_id: 3300, trained_skill_level: 4, active_skill_level: 4, skillpoints_in_skill: 45_255 }],
  total_sp: 45_255,
  queue: [
    { skill_id: 3300, finished_level: 5, queue_position: 0, start_date: iso(now, -1), finish_date: iso(now, 100) }
  ]
})

const order = {
  order_id: 6_900_000_001,
  type_id: 34,
  region_id: 10_000_002,
  location_id: 60_003_760,
  range: "region",
  price: 5.01,
  volume_total: 1_000_000,
  volume_remain: 250_000,
  issued: "2026-11-01T12:00:00Z",
  duration: 90,
  is_corporation: false
}

const mail = (characterId: number) => ({
  mail_id: 370_000_001,
  from: hunter.characterId,
  subject: "Fleet on Friday",
  timestamp: "2026-11-20T19:00:00Z",
  is_read: false,
  labels: [1],
  recipients: [{ recipient_id: characterId, recipient_type: "character" }]
})

const job = (characterId: number) => ({
  job_id: 600_000_001,
  installer_id: characterId,
  facility_id: 60_003_760,
  station_id: 60_003_760,
  activity_id: 1,
  blueprint_id: 1_000_000_000_001,
  blueprint_type_id: 691,
  blueprint_location_id: 60_003_760,
  output_location_id: 60_003_760,
  runs: 10,
  duration: 36_000,
  status: "ready",
  start_date: "2026-11-20T06:00:00Z",
  end_date: "2026-11-20T16:00:00Z",
  product_type_id: 587
})
