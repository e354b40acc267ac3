/**
 * The subscriptions of one client, apart from how it is spoken to. Each is replayed from where the client left off up to the
 * broadcaster's position, and then hears live; both happen in one instant, so nothing is lost, doubled or reordered at the
 * seam. One filter decides over both.
 */
import { Effect } from "effect"
import type { SqlError } from "effect/sql"
import type { Filter } from "../domain/Filter.ts"
import type { Announcement, LiveKillmails } from "./LiveKillmails.ts"

/** What a client is told, synchronously and in this order. */
export interface Client {
  /** From here on it goes: what comes after this sequence is told. */
  readonly begun: (id: string, sequence: number) => void
  /** One announcement, for these subscriptions. */
  readonly told: (ids: ReadonlyArray<string>, announcement: Announcement) => void
  readonly caughtUp: (id: string) => void
  /** There is no such sequence in this epoch, and no such subscription now. */
  readonly foreign: (id: string, sequence: number) => void
  /** Ends when there is room for more: a replay goes as fast as its reader. */
  readonly drained: Effect.Effect<void>
}

/** What is wanted, and after which sequence; without one, from now on. */
export interface Wanted {
  readonly filter: Filter
  readonly after: number | undefined
  /** Of `after`. */
  readonly epoch: string | undefined
}

export interface Subscriptions {
  /** `id` must be free. Ends when the replay has caught up, or the subscription has ended. */
  readonly begin: (id: string, wanted: Wanted) => Effect.Effect<void, SqlError.SqlError>
  readonly end: (id: string) => void
  readonly has: (id: string) => boolean
  readonly count: () => number
  /** Ends all of them. */
  readonly close: () => void
}

/** Whether a client has from another epoch, before a restore, what it wants to go on from. */
export const isForeign = Effect.fnUntraced(
  function*(live: LiveKillmails["Service"], { after, epoch }: Pick<Wanted, "after" | "epoch">) {
    if (epoch !== undefined && epoch !== (yield* live.epoch)) return true
    // Another replica may have told this client more than this one has told yet; the ledger knows what exists.
    return after !== undefined && after > live.position() && after > (yield* live.lastSequence)
  }
)

export const make = (live: LiveKillmails["Service"], client: Client): Subscriptions => {
  /** Those that hear live, each with the sequence it has, and those still replaying; ending ends either. */
  const hearing = new Map<string, number>()
  const replaying = new Map<string, symbol>()

  const membership = live.join((fitting, announcement) => {
    const { sequence, type } = announcement
    const isNew = (id: string) => type === "revalued" || sequence > hearing.get(id)!
    const ids = fitting.every(isNew) ? fitting : fitting.filter(isNew)
    if (ids.length > 0) client.told(ids, announcement)
  })

  /** Tells what was published after `from`, and hears live from the instant at which nothing is missing. */
  const catchUp = Effect.fnUntraced(function*(id: string, turn: symbol, from: number, filter: Filter) {
    let position = from
    // No effect may come between the check that ends this and `membership.add`: killmails are told in between.
    while (position < live.position()) {
      const page = yield* live.replay(position, filter)
      for (const announcement of page.announcements) {
        yield* client.drained
        if (replaying.get(id) !== turn) return
        client.told([id], announcement)
      }
      if (page.position <= position) break
      position = page.position
    }
    if (replaying.get(id) !== turn) return
    replaying.delete(id)
    hearing.set(id, position)
    membership.add(id, filter)
    client.caughtUp(id)
  })

  const begin = Effect.fnUntraced(function*(id: string, { after, epoch, filter }: Wanted) {
    const turn = Symbol(id)
    replaying.set(id, turn)
    const start = after ?? live.position()
    const foreign = yield* isForeign(live, { after, epoch })
    if (replaying.get(id) !== turn) return
    if (foreign) {
      replaying.delete(id)
      return client.foreign(id, start)
    }
    client.begun(id, start)
    yield* catchUp(id, turn, start, filter)
  })

  return {
    begin,
    end: (id) => {
      membership.remove(id)
      hearing.delete(id)
      replaying.delete(id)
    },
    has: (id) => hearing.has(id) || replaying.has(id),
    count: () => hearing.size + replaying.size,
    close: () => {
      membership.leave()
      hearing.clear()
      replaying.clear()
    }
  }
}
