/**
 * A small New Eden on localhost: the outside services that killmaild uses, with their true protocols, limits and oddities,
 * and a judge that writes down every rule that a client breaks. It serves `killmaild demo`, `killmaild sandbox` and tests.
 */
import { Effect, Schema, type Scope } from "effect"
import { hashOf, type Killmail } from "../domain/Killmail.ts"
import { makeAccidents } from "./Accidents.ts"
import { type ArchiveMember, clockArchives, clockHistory, manualArchives } from "./Archives.ts"
import { type Census, censusOf } from "./Census.ts"
import { clockwork } from "./Clockwork.ts"
import { corpus } from "./Corpus.ts"
import { readCorpus } from "./CorpusFiles.ts"
import { esi } from "./Esi.ts"
import { evekill } from "./Evekill.ts"
import { eveKillFeed, type EveKillPublication, publishedEveKillFeed } from "./EveKillFeed.ts"
import { evekillSocket } from "./EvekillSocket.ts"
import { everef } from "./EveRef.ts"
import { makeScript, type Rule } from "./Faults.ts"
import { type Fcm, fcm } from "./Fcm.ts"
import { type ListedDay, manualHistory } from "./History.ts"
import { inboxes, type Message } from "./Inboxes.ts"
import { makeJudge, type Violation } from "./Judge.ts"
import { clockMarket, manualMarket } from "./Market.ts"
import { packagesOf, publishedPackages } from "./Packages.ts"
import { r2z2 } from "./R2z2.ts"
import { redisq } from "./Redisq.ts"
import { listen, type Request } from "./Server.ts"
import { type Sso, sso, ssoClient } from "./Sso.ts"
import { type Publication, type Stage, stage } from "./Stage.ts"
import { staticData } from "./StaticData.ts"
import { clockMap, type MapUsers, wanderer } from "./Wanderer.ts"
import { killboardOf, zkbApi } from "./ZkbApi.ts"

export interface SandboxOptions {
  /** 0 takes a free one. Always binds 127.0.0.1. */
  readonly port: number
  /** Multiplies every budget and divides windows, cache times, prescribed waits and retention; 1 is the true speed. */
  readonly speed: number
  /** The same seed, the same New Eden. */
  readonly seed: string
  /** Share of requests, 0 to 1, that meet an accident. */
  readonly faults: number
  /** A folder, or one file, of real mails to play instead of generated ones, in the world of the clock. */
  readonly corpus?: string
  /** `clock`: mails appear by the clock. `manual`: only what a test publishes. */
  readonly world: "clock" | "manual"
}

/** The sandbox cannot start: one sentence that says why. */
export class SandboxError extends Schema.TaggedError<SandboxError>()("SandboxError", { message: Schema.String }) {}

export interface Sandbox {
  readonly url: string
  /** Settings that point killmaild here. */
  readonly environment: Readonly<Record<string, string>>
  readonly violations: () => ReadonlyArray<Violation>
  /** The newest requests, at least 10,000. */
  readonly requests: () => ReadonlyArray<Request>
  /** What `GET /killmails/{id}/{hash}` answers; the hash is the mail's own unless another is given. */
  readonly knowToEsi: (killmail: Killmail, hash?: string) => void
  /** The manual world's next file; returns its sequence. A hole stays 404 for ever. */
  readonly publishR2z2: (publication: Publication) => number
  /** Another file in the place of one already published. */
  readonly rewriteR2z2: (sequence: number, publication: Publication) => void
  /** Files before this sequence are no longer kept. */
  readonly expireR2z2: (sequence: number) => void
  /** What `listen.php` answers next, to each queueID. */
  readonly publishRedisq: (package_: unknown) => void
  /** The next entry of EVE-KILL's feed, told on its sockets, too; or one with a number that was kept free; returns its number. */
  readonly publishEveKill: (publication: EveKillPublication) => number
  /** A number of EVE-KILL's feed whose entry is not to be seen yet. */
  readonly reserveEveKill: () => number
  /** EVE Ref's file of a day, or another in its place: what was paid in The Forge, ISK a unit by type. */
  readonly publishPrices: (day: string, averages: Readonly<Record<number, number>>) => void
  /** EVE Ref's archive of a day, or another in its place: any files. */
  readonly publishArchive: (day: string, members: ReadonlyArray<ArchiveMember>) => void
  /** zKillboard's list of a day that is over, or another in its place. */
  readonly publishHistory: (day: string, listed: ListedDay) => void
  /** All that zKillboard's API has. */
  readonly publishKillboard: (killmails: ReadonlyArray<Killmail>) => void
  /** What ESI answers about a type, ISK a unit by day. */
  readonly publishPriceHistory: (typeId: number, averages: Readonly<Record<string, number>>) => void
  /** What Wanderer remembers of its map from now on. */
  readonly publishMap: (users: MapUsers) => void
  /** Who is who, and how to change it. */
  readonly census: Census
  /** What becomes of what pilots allowed at the SSO. */
  readonly sso: Pick<Sso, "transfer" | "revokeAll">
  /** What devices were told, and what becomes of them. */
  readonly fcm: Pick<Fcm, "messages" | "unregister" | "expireTokens"> & {
    /** For `KILLMAILD_FCM_ACCOUNT`. */
    readonly account: () => string
  }
  /** Where webhooks may lead: `make` gives the address of another one. */
  readonly inboxes: {
    readonly make: (kind: "discord" | "slack" | "receiver") => string
    readonly received: (url: string) => ReadonlyArray<Message>
    readonly remove: (url: string) => void
  }
  /** Scripted faults; the newest rule that replies wins. */
  readonly intercept: (rule: Rule) => void
  /** The client died, or its connections did: what it was answered may be lost, and it may ask for all of it again. */
  readonly clientLost: () => void
  /** Tranquility, the game server, goes down for ESI, or comes up again. */
  readonly tranquility: (down: boolean) => void
}

export const start: (options: SandboxOptions) => Effect.Effect<Sandbox, SandboxError, Scope.Scope> = Effect.fn(
  "Sandbox.start"
)(function*(options) {
  const { faults, port, seed, speed } = options
  if (!(speed > 0 && Number.isFinite(speed))) return yield* refuse(`speed is a number above 0, not ${speed}`)
  if (!(faults >= 0 && faults <= 1)) return yield* refuse(`faults is a share from 0 to 1, not ${faults}`)

  const manual = options.world === "manual" ? stage() : undefined
  const universe = manual ?? (options.corpus === undefined
    ? clockwork(seed, speed)
    : corpus(yield* attempt(() => readCorpus(options.corpus!)), speed))
  const published: Array<unknown> = []
  const packages = manual === undefined
    ? packagesOf(universe, seed, options.corpus !== undefined)
    : publishedPackages(published)

  const manualEveKill = publishedEveKillFeed()

  const judge = makeJudge()
  const script = makeScript()
  const accident = makeAccidents(seed, faults, speed)
  const manualSales = manualMarket()
  const manualKillmails = manualArchives()
  const manualDays = manualHistory()
  const market = manual === undefined ? clockMarket(seed) : manualSales
  let map: MapUsers = []
  let killboard: ReadonlyArray<Killmail> = []
  const census = censusOf(seed)
  const history = manual === undefined ? clockHistory(seed) : manualDays
  const processed = manual === undefined ? eveKillFeed(universe, seed) : manualEveKill.feed
  const killmails = manual === undefined ? killboardOf(universe) : () => killboard
  const signOn = sso(census, killmails, judge, seed, speed)
  const google = fcm(judge, speed)
  const channels = inboxes(judge, seed, speed)
  const ccp = esi(universe, census, market, judge, speed, signOn.holderOf)
  const upstreams = [
    ccp,
    r2z2(universe, history, judge, speed, seed),
    redisq(packages, judge, speed),
    evekill(processed, history, judge, speed),
    evekillSocket(processed, judge, speed),
    zkbApi(killmails, judge, speed),
    everef(market, manual === undefined ? clockArchives(seed) : manualKillmails, judge, speed),
    staticData(),
    wanderer(manual === undefined ? clockMap(seed, speed) : () => map, judge, speed),
    signOn,
    google,
    ...channels.upstreams
  ]
  const server = yield* Effect.acquireRelease(
    attempt(() =>
      listen(port, upstreams, judge, (ask) => script.replyTo(ask) ?? accident(ask), {
        "/sandbox/violations": judge.violations,
        "/sandbox/inboxes": channels.all
      })
    ),
    (running) => Effect.promise(running.close)
  )

  return {
    url: server.url,
    environment: Object.fromEntries([
      ...upstreams.flatMap(({ accept, environment }) =>
        environment === undefined
          ? []
          : [[environment[0], (accept === undefined ? server.url : server.url.replace("http", "ws")) + environment[1]]]
      ),
      ["KILLMAILD_WEBHOOK_ALLOW", new URL(server.url).host],
      ["KILLMAILD_SSO_CLIENT_ID", ssoClient.id]
    ]),
    violations: judge.violations,
    requests: server.requests,
    knowToEsi: (killmail, hash = hashOf(killmail)) => ccp.know(killmail, hash),
    publishR2z2: (publication) => onStage(manual).publish(publication),
    rewriteR2z2: (sequence, publication) => onStage(manual).rewrite(sequence, publication),
    expireR2z2: (sequence) => onStage(manual).expireBefore(sequence),
    publishRedisq: (package_) => {
      onStage(manual)
      published.push(package_)
    },
    publishEveKill: (publication) => {
      onStage(manual)
      return manualEveKill.publish(publication)
    },
    reserveEveKill: () => {
      onStage(manual)
      return manualEveKill.reserve()
    },
    publishPrices: (day, averages) => {
      onStage(manual)
      manualSales.publishDay(day, averages)
    },
    publishArchive: (day, members) => {
      onStage(manual)
      manualKillmails.publish(day, members)
    },
    publishHistory: (day, listed) => {
      onStage(manual)
      manualDays.publish(day, listed)
    },
    publishKillboard: (killmails) => {
      onStage(manual)
      killboard = killmails
    },
    publishPriceHistory: (typeId, averages) => {
      onStage(manual)
      manualSales.publishHistory(typeId, averages)
    },
    publishMap: (users) => {
      onStage(manual)
      map = users
    },
    census,
    sso: signOn,
    fcm: { ...google, account: () => google.accountFor(server.url) },
    inboxes: {
      make: (kind) => server.url + channels.make(kind),
      received: (url) => channels.received(new URL(url).pathname),
      remove: (url) => channels.remove(new URL(url).pathname)
    },
    intercept: script.add,
    clientLost: judge.forget,
    tranquility: ccp.tranquility
  }
})

const refuse = (message: string) => new SandboxError({ message: `the sandbox cannot start: ${message}` })

const attempt = <A>(run: () => Promise<A>): Effect.Effect<A, SandboxError> =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => refuse(cause instanceof Error ? cause.message : String(cause))
  })

const onStage = (manual: Stage | undefined): Stage => {
  if (manual === undefined) throw new Error("only the manual world can be published to")
  return manual
}
