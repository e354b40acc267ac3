/** The HTTP interface as a contract: all groups of endpoints. What answers them is in Handlers.ts. */
import { HttpApi, HttpApiMiddleware, OpenApi } from "effect/http-api"
import { version } from "../Settings.ts"
import { AuthApi } from "./AuthApi.ts"
import { CharacterDataApi } from "./CharacterDataApi.ts"
import { EntitiesApi } from "./EntitiesApi.ts"
import { KillmailListsApi } from "./KillmailListsApi.ts"
import { KillmailsApi } from "./KillmailsApi.ts"
import { MeApi } from "./MeApi.ts"
import { NotificationsApi } from "./NotificationsApi.ts"
import { OwnKillmailsApi } from "./OwnKillmailsApi.ts"
import { withSharedResponses } from "./ResponseShapes.ts"
import { SettingsApi } from "./SettingsApi.ts"
import { StatisticsApi } from "./StatisticsApi.ts"
import { StreamApi } from "./StreamApi.ts"
import { SystemApi } from "./SystemApi.ts"
import { OwnWebhooksApi, WebhooksApi } from "./WebhooksApi.ts"

export class Api extends HttpApi.make("killmaild")
  .add(KillmailListsApi)
  .add(KillmailsApi)
  .add(EntitiesApi)
  .add(StatisticsApi)
  .add(StreamApi)
  .add(SystemApi)
  .add(AuthApi)
  .add(MeApi)
  .add(OwnKillmailsApi)
  .add(OwnWebhooksApi)
  .add(WebhooksApi)
  .add(CharacterDataApi)
  .add(SettingsApi)
  .add(NotificationsApi)
  .middleware(HttpApiMiddleware.ProblemDetails)
  // A field that we do not know is a mistake of whoever sends it, and is told.
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error" })
  .annotateMerge(OpenApi.annotations({
    title: "killmaild",
    version,
    description: "Your own copy of EVE Online's killmails. Errors are RFC 9457 problem details.",
    transform: withSharedResponses
  }))
{}
