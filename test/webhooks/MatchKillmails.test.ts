import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, type Scope } from "effect"
import { SqlClient } from "effect/sql"
import { randomUUID } from "node:crypto"
import type { Filter } from "../../src/domain/Filter.ts"
import type { Killmail } from "../../src/domain/Killmail.ts"
import { JobQueue } from "../../src/jobs/JobQueue.ts"
import { KillmailAlerts } from "../../src/store/KillmailAlerts.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { Maintenance } from "../../src/store/Maintenance.ts"
import { Notifications, notificationStatuses } from "../../src/store/Notifications.ts"
import { Users } from "../../src/store/Users.ts"
import { WebhookDeliveries } from "../../src/store/WebhookDeliveries.ts"
import { Webhooks } from "../../src/store/Webhooks.ts"
import { makeMatcher } from "../../src/webhooks/MatchKillmails.ts"
import { mailOf, newKillmail } from "../support/Mails.ts"
import { replicaOn, type Stores } from "../support/Stores.ts"
import { migratedDatabase } from "../support/TestDaemon.ts"

const more = Layer.mergeAll(
  KillmailAlerts.layer,
  Notifications.layer,
  Users.layer,
  WebhookDeliveries.layer,
  Webhooks.layer
)
type More = Layer.Success<typeof more>

/** One replica, beside others on the same database. */
const replica = (url: string) =>
  Effect.gen(function*() {
    const stores = yield* replicaOn(url)
    return yield* Layer.build(Layer.fresh(more).pipe(Layer.provideMerge(Layer.succeedContext(stores))))
  })

const withReplica = <A, E>(test: (url: string) => Effect.Effect<A, E, More | Stores | Scope.Scope>) =>
  Effect.gen(function*() {
    const { url } = yield* migratedDatabase
    return yield* Effect.provide(test(url), yield* replica(url))
  })

let count = 0
const nextMail = (): Killmail => mailOf("matching", count++)

const publish = (mails: ReadonlyArray<Killmail>, isAnnounced = true) =>
  KillmailStore.use(({ append }) => append(mails.map((mail) => newKillmail(mail, { isAnnounced }))))

const makeWebhook = Effect.fnUntraced(function*(filter: Filter = {}, owner: string | null = null) {
  const id = randomUUID()
  yield* Webhooks.use(({ create }) =>
    create(owner, {
      id,
      name: "a channel",
      format: "discord",
      origin: "https://discord.com",
      filter,
      is_enabled: true,
      key_id: "1",
      url: Buffer.from("sealed"),
      secret: null
    }, 100)
  )
  return id
})

const toldTo = (id: string) =>
  SqlClient.SqlClient.use((sql) =>
    Effect.map(
      sql<{ id: number }>`
        select killmail_id::float8 as id from webhook_deliveries where webhook_id = ${id}::uuid order by sequence`,
      (rows) => rows.map(({ id }) => id)
    )
  )
const jobs = SqlClient.SqlClient.use((sql) =>
  Effect.map(
    sql<{ key: string }>`select key from graphile_worker.jobs where task_identifier = 'deliver_webhook' order by key`,
    (rows) => rows.map(({ key }) => key)
  )
)
const progress = SqlClient.SqlClient.use((sql) =>
  Effect.map(sql<{ at: number }>`select sequence::int as at from matching_progress`, ([row]) => row!.at)
)
const told = (userId: string) =>
  Notifications.use(({ list }) => list(userId, { statuses: notificationStatuses, before: undefined, limit: 10 }))
const idOf = ({ killmail_id }: Killmail) => killmail_id

/** Until nothing is left. */
const matchAll = Effect.gen(function*() {
  const matchSome = yield* makeMatcher
  while (yield* matchSome);
})

describe("what is published", () => {
  it.live("is told to whom it fits, in order, each with a job, and not what was before or is history", () =>
    withReplica(() =>
      Effect.gen(function*() {
        const [before, mine, other, past] = [nextMail(), nextMail(), nextMail(), nextMail()]
        yield* publish([before])
        const all = yield* makeWebhook()
        const some = yield* makeWebhook({ corporation: [mine.victim.corporation_id!], role: "victim" })
        const matchSome = yield* makeMatcher
        yield* publish([past], false)
        yield* publish([mine])
        yield* publish([other])
        assert.isTrue(yield* matchSome)
        assert.isFalse(yield* matchSome)
        assert.deepStrictEqual(yield* toldTo(all), [mine, other].map(idOf))
        assert.deepStrictEqual(yield* toldTo(some), [mine.killmail_id])
        assert.lengthOf(yield* jobs, 3)
        // Whatever is changed counts from then on, without a word to the matcher.
        yield* Webhooks.use(({ change }) => change(null, all, { is_enabled: false }))
        const late = yield* makeWebhook()
        const next = nextMail()
        yield* publish([next])
        yield* matchSome
        assert.deepStrictEqual(yield* toldTo(late), [next.killmail_id])
        assert.lengthOf(yield* toldTo(all), 2)
      })
    ))

  it.live("is told once: when the jobs cannot be added nothing is, and all of it is the next time", () =>
    withReplica(() =>
      Effect.gen(function*() {
        const id = yield* makeWebhook()
        const mails = [nextMail(), nextMail()]
        yield* publish(mails)
        const before = yield* progress
        const queue = yield* JobQueue
        const broken = { ...queue, addAll: () => Effect.die("the process died") }
        const died = yield* Effect.exit(Effect.provideService(matchAll, JobQueue, broken))
        assert.strictEqual(died._tag, "Failure")
        assert.deepStrictEqual([yield* toldTo(id), yield* jobs, yield* progress], [[], [], before])
        yield* matchAll
        assert.deepStrictEqual((yield* toldTo(id)).toSorted(), mails.map(idOf).toSorted())
        assert.lengthOf(yield* jobs, 2)
      })
    ))

  it.live(
    "is told once by two replicas that are at it together, page after page",
    () =>
      withReplica((url) =>
        Effect.gen(function*() {
          const id = yield* makeWebhook()
          const mails = Array.from({ length: 450 }, nextMail)
          yield* publish(mails)
          const another = yield* replica(url)
          yield* Effect.all([matchAll, Effect.provide(matchAll, another)], { concurrency: 2 })
          yield* matchAll
          assert.sameMembers([...(yield* toldTo(id))], mails.map(idOf))
          assert.lengthOf(yield* jobs, mails.length)
        })
      ),
    60_000
  )

  it.live("is skipped for a webhook that too many wait for already", () =>
    withReplica(() =>
      Effect.gen(function*() {
        const [full, free] = [yield* makeWebhook(), yield* makeWebhook()]
        const sql = yield* SqlClient.SqlClient
        yield* sql`
          insert into webhook_deliveries (webhook_id, sequence, killmail_id)
          select ${full}::uuid, -number, number from generate_series(1, 999) number`
        yield* publish([nextMail(), nextMail()])
        yield* matchAll
        const rows = yield* sql<{ status: string; error: string | null }>`
          select status, error from webhook_deliveries
          where webhook_id = ${full}::uuid and sequence > 0 order by sequence`
        assert.deepStrictEqual(rows.map(({ status }) => status), ["waiting", "skipped"])
        assert.strictEqual(rows[1]!.error, "too many are waiting")
        assert.lengthOf(yield* toldTo(free), 2)
        assert.lengthOf(yield* jobs, 3)
      })
    ))

  it.live("is forgotten a week after it was told", () =>
    withReplica(() =>
      Effect.gen(function*() {
        const kept = yield* makeWebhook()
        const mails = [nextMail(), nextMail()]
        yield* publish(mails)
        yield* matchAll
        const { settle } = yield* WebhookDeliveries
        const sql = yield* SqlClient.SqlClient
        const [first] = yield* sql<{ sequence: number }>`select min(sequence)::int as sequence from webhook_deliveries`
        yield* settle({ webhook_id: kept, sequence: first!.sequence }, {
          status: "delivered",
          httpStatus: 204,
          error: null
        })
        yield* sql`update webhook_deliveries set ended_at = ended_at - interval '8 days'`
        assert.strictEqual((yield* (yield* Maintenance).cleanUp).webhook_deliveries, 1)
        assert.lengthOf(yield* toldTo(kept), 1)
      })
    ))

  it.live("notifies each user once whose alerts it fits, as far as they want to be told", () =>
    withReplica(() =>
      Effect.gen(function*() {
        const { welcome } = yield* Users
        const alerts = yield* KillmailAlerts
        const [alice, bob] = yield* Effect.forEach(
          [90_000_001, 90_000_002],
          (characterId) => Effect.map(welcome({ characterId, name: "", ownerHash: "" }, null), Option.getOrThrow)
        )
        const mail = nextMail()
        for (const name of ["by system", "again"]) {
          yield* alerts.create(alice!, { name, filter: { system: [mail.solar_system_id] }, is_enabled: true })
        }
        yield* alerts.create(bob!, { name: "all", filter: {}, is_enabled: true })
        const sql = yield* SqlClient.SqlClient
        const matchSome = yield* makeMatcher
        yield* publish([mail])
        yield* matchSome
        yield* sql`update user_settings set notify_killmails = false where user_id = ${bob!}::uuid`
        yield* publish([nextMail()])
        yield* matchSome
        const [notification, ...others] = yield* told(alice!)
        assert.isTrue(others.every(({ data }) => data["killmail_id"] !== mail.killmail_id))
        const { killmail_id, killmail_time, solar_system_id } = mail
        assert.deepInclude(notification!.data, { killmail_id, killmail_time, solar_system_id })
        assert.deepStrictEqual((yield* told(bob!)).map(({ data }) => data["killmail_id"]), [mail.killmail_id])
      })
    ))
})
