/** What a killmail says, as one text: neither the order of keys nor that of attackers and items means anything. */
import { type Item, type Killmail, normaliseTime } from "../../src/domain/Killmail.ts"

const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => a < b ? -1 : 1))
      : inner)

const multiset = (values: ReadonlyArray<unknown>): ReadonlyArray<string> => values.map(canonical).toSorted()

const withInner = (item: Item): unknown =>
  item.items === undefined ? item : { ...item, items: multiset(item.items.map(withInner)) }

export const meaningOf = (
  { attackers, killmail_id, killmail_time, moon_id, solar_system_id, victim, war_id }: Killmail
) => {
  const { items, ...rest } = victim
  return canonical({
    killmail_id,
    killmail_time: normaliseTime(killmail_time),
    solar_system_id,
    moon_id,
    war_id,
    victim: rest,
    items: multiset((items ?? []).map(withInner)),
    attackers: multiset(attackers)
  })
}
