import { assert, describe, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { SqlClient } from "effect/sql"
import { hashOf, type Killmail } from "../../src/domain/Killmail.ts"
import { hearingOf } from "../../src/intake/Hearing.ts"
import { type Random, randomOf } from "../../src/sandbox/Random.ts"
import { FeedStore } from "../../src/store/FeedStore.ts"
import { KillmailStore } from "../../src/store/KillmailStore.ts"
import { WithheldKillmails } from "../../src/store/WithheldKillmails.ts"
import { connectEvents } from "../support/EventClient.ts"
import { graphqlClient } from "../support/GraphqlClient.ts"
import { mailOf, newKillmail, withVictim } from "../support/Mails.ts"
import { connectSocket } from "../support/SocketClient.ts"
import { stoppableDaemon } from "../support/StoppableDaemon.ts"
import { eventually, manualSandbox, migratedDatabase } from "../support/TestDaemon.ts"

interface Mail {
  readonly killmail: Killmail
  /** A list of its own names it. */
  readonly list: { readonly kind: "corporation"; readonly id: number }
  readonly heldBack: number | "always"
  isStored: boolean
  isPublic: boolean
}

/** R2Z2's history has a day from six hours after its end. */
const lastDay = new Date(Date.now() - 30 * 3_600_000).toISOString().slice(0, 10)

/** Of the end of that day, each of a victim who has lost nothing else. */
const makeMails = (random: Random, count: number): ReadonlyArray<Mail> =>
  Array.from({ length: count }, (_, k) => {
    const { killmail_time: _time, ...rest } = mailOf("surfaces", k)
    const victim = { character_id: 2_119_000_000 + k, corporation_id: 98_700_000 + k }
    return {
      killmail: withVictim({ ...rest, killmail_time: `${lastDay}T23:59:00Z` }, victim),
      list: { kind: "corporation" as const, id: victim.corporation_id },
      heldBack: random.pick([0, 48, 72, "always" as const]),
      isStored: false,
      isPublic: false
    }
  })

const refOf = ({ killmail }: Mail) => ({ killmail_id: killmail.killmail_id, hash: hashOf(killmail) })

const name = Effect.fnUntraced(function*(mail: Mail, list: Mail["list"], heldBack: number | "always" | null) {
  const sql = yield* SqlClient.SqlClient
  const { hash, killmail_id } = refOf(mail)
  yield* WithheldKillmails.use(({ holdBack }) => holdBack(list, heldBack))
  yield* sql`
    insert into own_killmails (kind, id, killmail_id, hash, was_known)
    values (${list.kind}, ${BigInt(list.id)}, ${BigInt(killmail_id)}, decode(${hash}, 'hex'), false)
    on conflict do nothing`
  yield* sql`select reconsider_withheld(array[${BigInt(killmail_id)}]::bigint[])`
})

/** Some are named by a feed before they are stored. */
const store = Effect.fnUntraced(function*(mail: Mail, isSighted = false) {
  yield* name(mail, mail.list, mail.heldBack)
  if (isSighted) {
    yield* SqlClient.SqlClient.use((sql) =>
      sql`
      insert into sightings (killmail_id, source) values (${BigInt(mail.killmail.killmail_id)}, 'evekill')`
    )
  }
  yield* KillmailStore.use(({ append }) => append([newKillmail(mail.killmail, { source: "esi_corporation" })]))
  mail.isStored = true
  mail.isPublic = mail.heldBack === 0 || isSighted
})

/** How a killmail that is held back becomes public; whether it does. */
const ways: ReadonlyArray<
  readonly [
    releases: boolean,
    (mail: Mail) => Effect.Effect<unknown, unknown, SqlClient.SqlClient | FeedStore | WithheldKillmails>
  ]
> = [
  [true, (mail) => FeedStore.use(({ hearFrom }) => hearFrom("evekill", [hearingOf("evekill", "live", refOf(mail))]))],
  [true, (mail) => FeedStore.use(({ hearByHand }) => hearByHand(hearingOf("manual", "user", refOf(mail))))],
  [true, ({ list }) => WithheldKillmails.use(({ holdBack }) => holdBack(list, 0))],
  [true, (mail) => name(mail, { kind: "corporation", id: mail.list.id + 100_000 }, 0)],
  [
    true,
    ({ killmail }) =>
      SqlClient.SqlClient.use((sql) =>
        sql`
        update killmail_ledger set visible_from = clock_timestamp()
        where killmail_id = ${BigInt(killmail.killmail_id)} and sequence is null`
      ).pipe(
        Effect.andThen(WithheldKillmails.use(({ publishDue }) => publishDue))
      )
  ],
  [false, (mail) => name(mail, { kind: "corporation", id: mail.list.id + 200_000 }, "always")],
  [false, (mail) => name(mail, { kind: "corporation", id: mail.list.id + 300_000 }, null)],
  [false, ({ list }) => WithheldKillmails.use(({ holdBack }) => holdBack(list, 71))],
  [
    false,
    (mail) =>
      FeedStore.use(({ hearByHand }) =>
        hearByHand(hearingOf("manual", "user", { ...refOf(mail), hash: "0".repeat(40) }))
      )
  ]
]

/** Whatever anybody can ask of killmails. */
const publicAnswers = (url: string, hidden: ReadonlyArray<Mail>, sequence: number) =>
  Effect.promise(async () => {
    const day = lastDay.replaceAll("-", "")
    const plain = [
      "/api/v1/killmails?limit=1000",
      "/api/v1/killmails?limit=1000&include=items,attackers",
      "/api/v1/top?kind=character",
      "/api/v1/days",
      "/api/v1/gaps",
      `/r2z2/history/${day}.json`,
      "/r2z2/history/totals.json",
      "/r2z2/ephemeral/sequence.json",
      "/redisq/listen.php?queueID=surfaces&ttw=1",
      ...Array.from({ length: sequence + 1 }, (_, number) => `/r2z2/ephemeral/${number}.json`)
    ].map((path) => fetch(url + path))
    const lists = ["application/x-ndjson", "text/csv"].map((accept) =>
      fetch(`${url}/api/v1/killmails`, { headers: { accept } })
    )
    const queries = [
      `{ killmails(limit: 100) { data { killmailId hash } } }`,
      ...hidden.map(({ killmail }) => `{ killmail(id: ${killmail.killmail_id}) { hash } }`)
    ].map((query) =>
      fetch(`${url}/graphql`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query })
      })
    )
    const own = hidden.flatMap(({ killmail: { victim } }) =>
      [
        `characters/${victim.character_id}`,
        `characters/${victim.character_id}/killmails`,
        `characters/${victim.character_id}/stats`,
        `corporations/${victim.corporation_id}/killmails`
      ].map((path) => fetch(`${url}/api/v1/${path}`))
    )
    const texts = (await Promise.all([...plain, ...lists, ...queries, ...own])).map(async (response) => ({
      url: response.url,
      text: await response.text()
    }))
    return await Promise.all(texts)
  })

const statusesOf = (url: string, { killmail: { killmail_id } }: Mail) =>
  Effect.promise(() =>
    Promise.all(
      ["", "/esi", "/valuation"].map(async (path) =>
        (await fetch(`${url}/api/v1/killmails/${killmail_id}${path}`)).status
      )
    )
  )

const assertHidden = Effect.fnUntraced(function*(url: string, mails: ReadonlyArray<Mail>, sequence: number) {
  const hidden = mails.filter(({ isPublic }) => !isPublic)
  const answers = yield* publicAnswers(url, hidden, sequence)
  for (const { text, url: asked } of answers) {
    for (const { hash, killmail_id } of hidden.map(refOf)) {
      assert.notInclude(text, String(killmail_id), asked)
      assert.notInclude(text, hash, asked)
    }
  }
  // They are the surfaces on which the others are.
  const listing = answers.filter(({ url }) => /\/api\/v1\/killmails|\/graphql|\/r2z2\/history\/\d/.test(url)).slice(
    0,
    6
  )
  for (const { text, url: asked } of listing) {
    for (const { killmail } of mails.filter(({ isPublic }) => isPublic)) {
      assert.include(text, String(killmail.killmail_id), asked)
    }
  }
  for (const mail of mails) {
    assert.deepStrictEqual(yield* statusesOf(url, mail), mail.isPublic ? [200, 200, 200] : [404, 404, 404])
  }
})

/** A webhook of the operator's, for every killmail. */
const tellEverything = (url: string, inbox: string) =>
  Effect.promise(async () => {
    const { status } = await fetch(`${url}/api/v1/webhooks`, {
      method: "POST",
      headers: { authorization: "Bearer operator", "content-type": "application/json" },
      body: JSON.stringify({ name: "all", format: "json", url: inbox, filter: {} })
    })
    assert.strictEqual(status, 201)
  })

const seed = Number(process.env["SURFACES_SEED"] ?? 1)
const steps = Number(process.env["SURFACES_STEPS"] ?? 16)

describe("killmails that are held back", () => {
  it.live(
    `are on no public surface until they are released, and then once (seed ${seed})`,
    () =>
      Effect.gen(function*() {
        const sandbox = yield* manualSandbox()
        const { url: databaseUrl } = yield* migratedDatabase
        const { context, url } = yield* stoppableDaemon(databaseUrl, sandbox, {
          KILLMAILD_FEEDS: "",
          KILLMAILD_SCHEDULE_SPEED: "100"
        })
        const events = yield* connectEvents(`${url}/api/v1/stream?after=0`)
        const socket = yield* connectSocket(url)
        socket.send({ action: "subscribe", id: "all", filter: {}, after: 0 })
        const graph = (yield* graphqlClient(url)).subscribe("subscription { killmail(after: 0) { killmailId } }")
        const inbox = sandbox.inboxes.make("receiver")
        yield* tellEverything(url, inbox)
        const random = randomOf("surfaces", seed)
        const mails = makeMails(random, 12)
        const sql = Context.get(context, SqlClient.SqlClient)
        const publications = () => mails.filter(({ isPublic }) => isPublic).length

        yield* Effect.gen(function*() {
          for (let step = 0; step < steps; step++) {
            const mail = random.pick(mails)
            if (!mail.isStored) yield* store(mail, random.chance(0.2))
            else {
              const [releases, act] = random.pick(ways)
              yield* act(mail)
              mail.isPublic ||= releases
            }
            yield* assertHidden(url, mails, publications())
          }
          yield* Effect.forEach(mails.filter(({ isStored }) => !isStored), (mail) => store(mail))
          yield* assertHidden(url, mails, publications())
        }).pipe(Effect.provide(context))

        // The statistics count what was told, and nothing else.
        const publicIds = mails.filter(({ isPublic }) => isPublic).map(({ killmail }) => killmail.killmail_id)
        yield* eventually(
          (sql) => sql<{ n: number }>`select coalesce(sum(killmails), 0)::int as n from killmails_by_day`,
          ([row]) => row!.n === publicIds.length
        ).pipe(Effect.provide(context))
        const [counted] = yield* sql<{ losses: number }>`
        select coalesce(sum(losses), 0)::int as losses from statistics
        where period = 'all' and kind = 'character' and id between 2119000000 and 2119999999`
        assert.strictEqual(counted!.losses, publicIds.length)

        yield* eventually(() => Effect.sync(() => events.events.length), (count) => count >= publicIds.length).pipe(
          Effect.provide(context)
        )
        const told = events.events.filter(({ event }) => event === "killmail")
        assert.sameMembers(told.map(({ data }) => data.killmail_id), publicIds)
        assert.deepStrictEqual(told.map(({ id }) => Number(id)), publicIds.map((_, index) => index + 1))
        const framed = socket.frames.filter(({ type }) => type === "killmail")
        const inOrder = told.map(({ data }) => data.killmail_id)
        assert.deepStrictEqual(framed.map(({ data }) => data!.killmail_id), inOrder)
        yield* graph.count(publicIds.length)
        assert.deepStrictEqual(graph.killmails.map(({ killmailId }) => killmailId), inOrder)
        const messages = yield* eventually(
          () => Effect.sync(() => sandbox.inboxes.received(inbox)),
          ({ length }) => length >= publicIds.length
        ).pipe(Effect.provide(context))
        assert.sameMembers(messages.map(({ body }) => JSON.parse(body).killmail_id), publicIds)
      }),
    120_000
  )
})
