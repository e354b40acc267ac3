/** What operations are answered with: the stores that they may read, and who asks. */
import type { Effect } from "effect"
import type { LiveKillmails } from "../../broadcast/LiveKillmails.ts"
import type { JobPools } from "../../jobs/JobPools.ts"
import type { JobQueue } from "../../jobs/JobQueue.ts"
import type { KillmailReader } from "../../store/KillmailReader.ts"
import type { KillmailSearch } from "../../store/KillmailSearch.ts"
import type { Loaders, LoaderStores } from "./Loaders.ts"

export interface Stores extends LoaderStores {
  readonly killmails: KillmailReader["Service"]
  readonly search: KillmailSearch["Service"]
  readonly queue: JobQueue["Service"]
  readonly pools: JobPools["Service"]
  readonly live: LiveKillmails["Service"]
}

/** What all operations share. */
export interface Backend {
  readonly stores: Stores
  /** Rejects with the error itself. The signal interrupts. */
  readonly run: <A, E>(effect: Effect.Effect<A, E>, options?: { readonly signal: AbortSignal }) => Promise<A>
  /** Runs on, whatever becomes of the operation. */
  readonly report: (effect: Effect.Effect<void>) => void
}

/** The context of one operation, which all its resolvers get; a type, as libraries want a record. */
export type Answering = {
  readonly stores: Stores
  readonly loaders: Loaders
  readonly run: <A, E>(effect: Effect.Effect<A, E>) => Promise<A>
  /** Whether the admin token was shown. */
  readonly isOperator: boolean
  /** Whether any field of the query is called `items`: without, reading a killmail is half the work. */
  readonly wantsItems: boolean
  /** The subscriber does not read. */
  readonly tooSlow: () => void
}
