/** What answers the endpoints of Api.ts, group by group. */
import { Effect, Layer, Redacted } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AdminToken } from "./AdminToken.ts"
import { Api } from "./Api.ts"
import { Operator, Unauthorized } from "./ApiErrors.ts"
import { AuthHandlers } from "./AuthHandlers.ts"
import { CharacterDataHandlers } from "./CharacterDataHandlers.ts"
import { EntitiesHandlers } from "./EntitiesHandlers.ts"
import { KillmailListsHandlers } from "./KillmailListsHandlers.ts"
import { KillmailsHandlers } from "./KillmailsHandlers.ts"
import { MeHandlers } from "./MeHandlers.ts"
import * as Misunderstood from "./Misunderstood.ts"
import { NotificationsHandlers } from "./NotificationsHandlers.ts"
import { OwnKillmailsHandlers } from "./OwnKillmailsHandlers.ts"
import { SettingsHandlers } from "./SettingsHandlers.ts"
import * as SignedInPilots from "./SignedInPilots.ts"
import { StatisticsHandlers } from "./StatisticsHandlers.ts"
import { StreamHandlers } from "./StreamHandlers.ts"
import { SystemHandlers } from "./SystemHandlers.ts"
import * as WebhooksHandlers from "./WebhooksHandlers.ts"

const OperatorLive = Layer.effect(
  Operator,
  Effect.gen(function*() {
    const token = yield* AdminToken
    return Operator.of({
      bearer: (effect, { credential }) =>
        token.matches(Redacted.value(credential))
          ? effect
          : Effect.fail(new Unauthorized({ detail: "Wants the admin token: Authorization: Bearer …" }))
    })
  })
)

/** Every endpoint of the contract, with `/openapi.json`. */
export const layer = HttpApiBuilder.layer(Api, { openapiPath: "/openapi.json" }).pipe(
  Layer.provide([
    KillmailListsHandlers,
    KillmailsHandlers,
    EntitiesHandlers,
    StatisticsHandlers,
    StreamHandlers,
    SystemHandlers,
    AuthHandlers,
    MeHandlers,
    OwnKillmailsHandlers,
    CharacterDataHandlers,
    SettingsHandlers,
    NotificationsHandlers,
    WebhooksHandlers.layer
  ]),
  Layer.provide([OperatorLive, SignedInPilots.layer, Misunderstood.layer])
)
