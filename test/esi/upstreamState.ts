/** Databases that hold only what migration 0004 makes. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import createUpstreamState from "../../migrations/0004_create_upstream_state.ts"
import { TestDatabase } from "../support/TestDatabase.ts"

export const upstreamState = TestDatabase.template(
  "upstream_state",
  (url) => createUpstreamState.pipe(Effect.provide(PgClient.layer({ url: Redacted.make(url) })))
)
