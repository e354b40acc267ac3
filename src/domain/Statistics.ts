/** What statistics count, and of whom. */

/** `type` is the ship that was flown or lost. */
export const statisticsKinds = ["character", "corporation", "alliance", "type", "system", "region"] as const
export type StatisticsKind = typeof statisticsKinds[number]

/** Each killmail counts once for an entity, however many of its pilots took part. Of systems and regions it is a kill. */
export interface Counts {
  readonly kills: number
  readonly losses: number
  /** Losses to NPCs alone. */
  readonly npc_losses: number
  readonly solo_kills: number
  readonly solo_losses: number
  readonly final_blows: number
  /** Of the kills. */
  readonly points: number
  readonly damage_done: number
  readonly damage_taken: number
  /** ISK, the whole value of each kill. */
  readonly isk_destroyed: number
  readonly isk_lost: number
}

export const counters = [
  "kills",
  "losses",
  "npc_losses",
  "solo_kills",
  "solo_losses",
  "final_blows",
  "points",
  "damage_done",
  "damage_taken",
  "isk_destroyed",
  "isk_lost"
] as const satisfies ReadonlyArray<keyof Counts>
export type Counter = typeof counters[number]
