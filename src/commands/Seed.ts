/** `killmaild seed`: a database with invented users in it, to develop against. */
import { Effect, Layer, Option, Redacted } from "effect"
import { Command } from "effect/cli"
import { SessionTokens } from "../accounts/SessionTokens.ts"
import { JobQueue } from "../jobs/JobQueue.ts"
import { DevelopmentData } from "../store/DevelopmentData.ts"
import { stores } from "./OnDatabase.ts"
import { json, print } from "./Output.ts"
import { refuse } from "./Refusal.ts"

/** FCM knows no such token: the first message makes that the device is forgotten. */
const device = { deviceType: "android", pushToken: "seed" } as const

const layers = Layer.mergeAll(DevelopmentData.layer, SessionTokens.layer).pipe(Layer.provideMerge(stores))

export const seed = Command.make("seed", { json }, (input) =>
  Effect.gen(function*() {
    const { open } = yield* SessionTokens
    const filled = yield* DevelopmentData.use(({ fill }) => fill((userId) => open(userId, device)))
    if (Option.isNone(filled)) {
      return yield* refuse(
        "seed: somebody signed in here already, wants a database without users, such as that of another KILLMAILD_DATA_DIR."
      )
    }
    const users = filled.value.map(({ session, ...user }) => ({
      ...user,
      access_token: Redacted.value(session.access),
      refresh_token: Redacted.value(session.refresh)
    }))
    const [pushes] = yield* JobQueue.use(({ stats }) => stats("deliver_push"))
    yield* print(input.json, { users, jobs: pushes?.waiting ?? 0 }, textOf(users))
  }).pipe(Effect.provide(layers))).pipe(
    Command.withDescription("Fill a database without users with invented ones, to develop against")
  )

interface Shown {
  readonly characters: ReadonlyArray<string>
  readonly access_token: string
}

const textOf = (users: ReadonlyArray<Shown>): string =>
  [
    "Two users with sessions, character data, notifications, an alert and the jobs that push:",
    ...users.map(({ access_token, characters }) =>
      `  ${characters.join(" and ")}: Authorization: Bearer ${access_token}`
    ),
    "The tokens are good for 15 minutes, and `--json` shows those that renew them. While the daemon runs:",
    `  curl http://127.0.0.1:8080/api/v1/me/notifications -H 'Authorization: Bearer ${users[0]!.access_token}'`,
    "The characters have no tokens of EVE's SSO: nothing is asked of ESI for them."
  ].join("\n")
