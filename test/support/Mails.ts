/** Killmails for tests: of the sandbox's New Eden, and changed by hand. */
import type { Attacker, Item, Killmail } from "../../src/domain/Killmail.ts"
import { hashOf } from "../../src/domain/Killmail.ts"
import { killmailOf } from "../../src/sandbox/World.ts"
import type { NewKillmail } from "../../src/store/KillmailStore.ts"

/** Mail number `k` of a New Eden that is the test's own. */
export const mailOf = (seed: string, k: number): Killmail => killmailOf(seed, k).killmail

/** The same mail, with some fields replaced. */
export const changed = (killmail: Killmail, fields: Partial<Killmail>): Killmail => ({ ...killmail, ...fields })

/** The same mail, with some fields of its victim replaced. */
export const withVictim = (killmail: Killmail, fields: Partial<Killmail["victim"]>): Killmail => ({
  ...killmail,
  victim: { ...killmail.victim, ...fields }
})

/** So many attackers, all different, one of which fired last. */
export const crowd = (count: number): ReadonlyArray<Attacker> =>
  Array.from({ length: count }, (_, k) => ({
    character_id: 2_100_000_000 + k,
    corporation_id: 98_000_000 + k % 7,
    ship_type_id: 587,
    damage_done: k,
    final_blow: k === count - 1,
    security_status: k % 11 - 5.5
  }))

/** As a feed would hand it to the store. */
export const newKillmail = (killmail: Killmail, rest: Partial<NewKillmail> = {}): NewKillmail => ({
  killmail,
  hash: hashOf(killmail),
  source: "test",
  heardAt: new Date(),
  ...rest
})

const sorted = <A>(list: ReadonlyArray<A>): ReadonlyArray<A> =>
  list.toSorted((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)

const inOrder = <A extends object>(fields: A): A =>
  Object.fromEntries(Object.entries(fields).toSorted(([a], [b]) => a < b ? -1 : 1)) as A

const plainItem = (item: Item): Item =>
  inOrder(item.items === undefined ? item : { ...item, items: sorted(item.items.map(plainItem)) })

/** What two equal killmails have in common: the order of attackers and items, and of fields, says nothing. */
export const plain = (killmail: Killmail): Killmail => {
  // JSON has no -0.
  const { attackers, victim, ...rest }: Killmail = JSON.parse(JSON.stringify(killmail))
  return {
    ...rest,
    attackers: sorted(attackers.map(inOrder)),
    victim: { ...victim, items: sorted((victim.items ?? []).map(plainItem)) }
  }
}
