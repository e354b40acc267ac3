/** The role `jobs` on one page: which jobs there are, who handles them, and in which pools. */
import { Effect, Layer, type Redacted } from "effect"
import { AccessTokens } from "./accounts/AccessTokens.ts"
import { EncryptionKeys } from "./accounts/EncryptionKeys.ts"
import * as RefreshToken from "./accounts/RefreshToken.ts"
import { Sso } from "./accounts/Sso.ts"
import * as CharacterSync from "./character-data/Sync.ts"
import { refreshAlliances } from "./entities/RefreshAlliances.ts"
import { refreshCharacters } from "./entities/RefreshCharacters.ts"
import { refreshCorporations } from "./entities/RefreshCorporations.ts"
import { Esi } from "./esi/Esi.ts"
import { EsiCharacters } from "./esi/EsiCharacters.ts"
import { EsiEntities } from "./esi/EsiEntities.ts"
import { EsiMarkets } from "./esi/EsiMarkets.ts"
import { EsiOwnKillmails } from "./esi/EsiOwnKillmails.ts"
import { EsiUniverse } from "./esi/EsiUniverse.ts"
import { importDay } from "./history/ImportDay.ts"
import { Importer, mostThreads } from "./history/Importer.ts"
import { repairGaps } from "./history/RepairGaps.ts"
import * as Housekeeping from "./Housekeeping.ts"
import { Appraiser } from "./intake/Appraiser.ts"
import { ingestKillmail } from "./intake/IngestKillmail.ts"
import { Recorder } from "./intake/Recorder.ts"
import { noticeArrivals, revalueKillmails } from "./intake/RevalueKillmails.ts"
import { canary, release } from "./jobs/Canary.ts"
import * as JobRunner from "./jobs/JobRunner.ts"
import { syncMapActivity } from "./map-activity/SyncMapActivity.ts"
import { deliverPush } from "./notifications/DeliverPush.ts"
import { Fcm } from "./notifications/Fcm.ts"
import * as OwnKillmails from "./own-killmails/SyncUserKillmails.ts"
import { EveRef } from "./prices/EveRef.ts"
import { Prices } from "./prices/Prices.ts"
import * as RefreshPrices from "./prices/RefreshPrices.ts"
import { Settings } from "./Settings.ts"
import { learnStaticData } from "./static-data/LearnStaticData.ts"
import { refreshStaticData } from "./static-data/RefreshStaticData.ts"
import { StaticData } from "./static-data/StaticData.ts"
import * as CountKillmails from "./statistics/CountKillmails.ts"
import { isLostConnection } from "./store/Database.ts"
import { EveKill } from "./upstreams/EveKill.ts"
import { EveRefClient } from "./upstreams/EveRefClient.ts"
import { ZkbHistory } from "./upstreams/ZkbHistory.ts"
import { deliverWebhook } from "./webhooks/DeliverWebhook.ts"
import * as MatchKillmails from "./webhooks/MatchKillmails.ts"
import { WebhookClient } from "./webhooks/WebhookClient.ts"
import { WebhookSender } from "./webhooks/WebhookSender.ts"

const laterFor = (settings: Settings["Service"]) => [
  ...Housekeeping.handlers,
  ...RefreshPrices.handlers,
  refreshStaticData,
  learnStaticData,
  refreshCharacters,
  refreshCorporations,
  refreshAlliances,
  revalueKillmails,
  importDay,
  repairGaps,
  syncMapActivity(settings),
  ...RefreshToken.handlers
]

/** Short ones, of which there are many: an import of a day is not to hold them up. */
const ofPilots = [...OwnKillmails.handlers, ...CharacterSync.handlers, deliverPush]

type Handlers =
  | typeof ingestKillmail
  | typeof canary
  | typeof deliverWebhook
  | ReturnType<typeof laterFor>[number]
  | typeof ofPilots[number]

/** Runs the jobs in this process. */
export const layer = (url: Redacted.Redacted, life: Omit<JobRunner.Life, "isLost">) =>
  Layer.unwrap(
    Effect.map(Settings, (settings) => {
      const { concurrency } = settings
      return JobRunner.layer<JobRunner.Services<Handlers>>(url, { ...life, isLost: isLostConnection }, [
        {
          handlers: [ingestKillmail, canary],
          concurrency,
          fetchAhead: Math.ceil(concurrency / 4),
          recorded: false,
          backfillRate: 500
        },
        // What is live is not to wait behind what was fetched before it.
        { handlers: [ingestKillmail], concurrency: 2, fetchAhead: 0, recorded: false },
        { handlers: laterFor(settings), concurrency: 4, fetchAhead: 0, recorded: true },
        // Slow receivers hold up nobody else; what became of each message is in `webhook_deliveries`.
        { handlers: [deliverWebhook], concurrency: 32, fetchAhead: 8, recorded: false },
        { handlers: ofPilots, concurrency: 4, fetchAhead: 0, recorded: true }
      ])
    })
  ).pipe(
    Layer.merge(MatchKillmails.layer),
    Layer.provide(WebhookSender.layer.pipe(Layer.provide([WebhookClient.layer, EncryptionKeys.layer]))),
    Layer.provide([Recorder.layer, Appraiser.layer, Importer.layer(url, life.applicationName)]),
    Layer.provide([Prices.layer, StaticData.layer]),
    Layer.provide(AccessTokens.layer.pipe(Layer.provide([Sso.layer, EncryptionKeys.layer]))),
    Layer.provide([
      Esi.layer,
      EsiUniverse.layer,
      EsiCharacters.layer,
      Fcm.layer,
      EsiEntities.layer,
      EsiMarkets.layer,
      EsiOwnKillmails.layer,
      EveRef.layer,
      EveRefClient.layer,
      EveKill.layer,
      ZkbHistory.layer
    ]),
    Layer.merge(release(life.applicationName)),
    Layer.merge(noticeArrivals),
    Layer.merge(CountKillmails.layer)
  )

const importing: JobRunner.Pool<JobRunner.Services<typeof importDay>> = {
  handlers: [importDay],
  concurrency: mostThreads,
  fetchAhead: 0,
  // Days that were read before take no time but this.
  pollMillis: 250,
  recorded: true
}

/** ESI answers two killmails a second: more at a time would only wait. */
const askers = 10

/**
 * Imports history in this process, beside whatever daemons there are; with `asksEsi` fetches killmails, too, as the lists
 * of some sources lack bodies.
 */
export const importsLayer = (
  url: Redacted.Redacted,
  life: Omit<JobRunner.Life, "isLost">,
  { asksEsi }: { readonly asksEsi: boolean }
) =>
  (asksEsi
    ? JobRunner.layer<JobRunner.Services<typeof importDay | typeof ingestKillmail>>(
      url,
      { ...life, isLost: isLostConnection },
      [importing, { handlers: [ingestKillmail], concurrency: askers, fetchAhead: 0, recorded: false }]
    ).pipe(
      Layer.provide([Recorder.layer, Appraiser.layer]),
      Layer.provide([Prices.layer, StaticData.layer]),
      Layer.provide(Esi.layer)
    )
    : JobRunner.layer(url, { ...life, isLost: isLostConnection }, [importing]))
    .pipe(
      Layer.provide([Importer.layer(url, life.applicationName), EveRefClient.layer, EveKill.layer, ZkbHistory.layer])
    )

/** Reads the lists of killmails of pilots who signed in, and what they name, in this process, beside whatever daemons there are. */
export const ownKillmailsLayer = (url: Redacted.Redacted, life: Omit<JobRunner.Life, "isLost">) =>
  JobRunner.layer<JobRunner.Services<typeof OwnKillmails.syncUserKillmails | typeof ingestKillmail>>(
    url,
    { ...life, isLost: isLostConnection },
    [
      {
        handlers: [OwnKillmails.syncUserKillmails],
        concurrency: OwnKillmails.readersAtOnce,
        fetchAhead: 0,
        recorded: true
      },
      { handlers: [ingestKillmail], concurrency: askers, fetchAhead: 0, recorded: false }
    ]
  ).pipe(
    Layer.provide([Recorder.layer, Appraiser.layer]),
    Layer.provide([Prices.layer, StaticData.layer]),
    Layer.provide(AccessTokens.layer.pipe(Layer.provide([Sso.layer, EncryptionKeys.layer]))),
    Layer.provide([Esi.layer, EsiOwnKillmails.layer])
  )
