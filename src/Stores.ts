/** The stores, on one database: what every process of the daemon needs. */
import { Layer } from "effect"
import { JobPools } from "./jobs/JobPools.ts"
import { JobQueue } from "./jobs/JobQueue.ts"
import { CachedData } from "./store/CachedData.ts"
import { CharacterData } from "./store/CharacterData.ts"
import { CharacterGroups } from "./store/CharacterGroups.ts"
import { EntityReader } from "./store/EntityReader.ts"
import { EntityStore } from "./store/EntityStore.ts"
import { FeedStore } from "./store/FeedStore.ts"
import { Gaps } from "./store/Gaps.ts"
import { Imports } from "./store/Imports.ts"
import { KillmailAlerts } from "./store/KillmailAlerts.ts"
import { KillmailLists } from "./store/KillmailLists.ts"
import { KillmailPilots } from "./store/KillmailPilots.ts"
import { KillmailReader } from "./store/KillmailReader.ts"
import { KillmailStore } from "./store/KillmailStore.ts"
import { Leases } from "./store/Leases.ts"
import { Listening } from "./store/Listening.ts"
import { Maintenance } from "./store/Maintenance.ts"
import { MapActivityStore } from "./store/MapActivityStore.ts"
import { Names } from "./store/Names.ts"
import { Notifications } from "./store/Notifications.ts"
import { PriceImports } from "./store/PriceImports.ts"
import { PriceStore } from "./store/PriceStore.ts"
import { RateLimits } from "./store/RateLimits.ts"
import { RedisqQueues } from "./store/RedisqQueues.ts"
import { Revaluations } from "./store/Revaluations.ts"
import { Sessions } from "./store/Sessions.ts"
import { StaticDataImports } from "./store/StaticDataImports.ts"
import { StaticDataStore } from "./store/StaticDataStore.ts"
import { StatisticsReader } from "./store/StatisticsReader.ts"
import { StatisticsStore } from "./store/StatisticsStore.ts"
import { Users } from "./store/Users.ts"
import { UserSettings } from "./store/UserSettings.ts"
import { UserTokens } from "./store/UserTokens.ts"
import { WebhookDeliveries } from "./store/WebhookDeliveries.ts"
import { Webhooks } from "./store/Webhooks.ts"
import { WithheldKillmails } from "./store/WithheldKillmails.ts"

export const stores = Layer.mergeAll(
  KillmailStore.layer,
  KillmailReader.layer,
  KillmailLists.layer,
  KillmailPilots.layer,
  WithheldKillmails.layer,
  FeedStore.layer,
  Leases.layer,
  RateLimits.layer,
  CachedData.layer,
  Listening.layer,
  Maintenance.layer,
  StaticDataImports.layer,
  StaticDataStore.layer,
  PriceImports.layer,
  PriceStore.layer,
  EntityStore.layer,
  EntityReader.layer,
  CharacterGroups.layer,
  Names.layer,
  RedisqQueues.layer,
  Revaluations.layer,
  MapActivityStore.layer,
  Imports.layer,
  Gaps.layer,
  StatisticsReader.layer,
  StatisticsStore.layer,
  Users.layer,
  UserTokens.layer,
  UserSettings.layer,
  Sessions.layer,
  Webhooks.layer,
  WebhookDeliveries.layer,
  Notifications.layer,
  CharacterData.layer,
  KillmailAlerts.layer,
  JobQueue.layer,
  JobPools.layer
)
