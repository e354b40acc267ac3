/** Values that fit the parameters and bodies of the contract, so that questions find something. */
import type { Random } from "../../src/sandbox/Random.ts"
import type { Operation } from "./Contract.ts"
import * as Nonsense from "./Nonsense.ts"

/** What there is on the daemon, so that questions find something. */
export interface Facts {
  readonly token: string
  readonly killmails: ReadonlyArray<{ readonly id: number; readonly hash: string }>
  readonly characters: ReadonlyArray<number>
  readonly corporations: ReadonlyArray<number>
  readonly alliances: ReadonlyArray<number>
  readonly systems: ReadonlyArray<number>
  readonly ships: ReadonlyArray<number>
  readonly cursors: ReadonlyArray<string>
}

/** A value that the parameter may have in a query of this path; undefined where the fuzzer knows none. */
export const valueOf = (random: Random, facts: Facts, path: string, name: string): string | undefined => {
  const some = (from: ReadonlyArray<number>) => String(from.length === 0 ? random.whole(1, 1e9) : random.pick(from))
  const list = (from: ReadonlyArray<number>) => Array.from({ length: random.whole(1, 3) }, () => some(from)).join()
  const day = (from: number, to: number) =>
    `20${random.whole(from, to)}-${random.pick(["01", "06", "12"])}-${random.whole(10, 28)}`
  const flag = () => random.pick(["true", "false"])
  const whole = (low: number, high: number) => () => String(random.whole(low, high))
  const of: Readonly<Record<string, () => string | undefined>> = {
    id: () =>
      some(
        path.includes("/killmails/{id}")
          ? facts.killmails.map(({ id }) => id)
          : /corporations/.test(path)
          ? facts.corporations
          : /alliances/.test(path)
          ? facts.alliances
          : facts.characters
      ),
    entities: () => random.pick(["characters", "corporations", "alliances", "types", "systems", "regions"]),
    character: () => list(facts.characters),
    corporation: () => list(facts.corporations),
    alliance: () => list(facts.alliances),
    ship: () => list(facts.ships),
    system: () => list(facts.systems),
    faction: () => "500001",
    ship_group: () => "25,26",
    constellation: () => "20000020",
    region: () => "10000002",
    location: () => "40009077",
    war: () => "600000",
    label: () => random.pick(["pvp", "solo", "loc:lowsec"]),
    role: () => random.pick(["any", "victim", "attacker"]),
    security: () => random.pick(["highsec", "lowsec,nullsec", "wspace", "abyssal", "pochven"]),
    min_value: whole(0, 1e8),
    max_value: whole(1e8, 1e10),
    min_attackers: whole(0, 5),
    max_attackers: whole(5, 50),
    npc: flag,
    solo: flag,
    awox: flag,
    since: () => day(10, 19),
    until: () => day(20, 26),
    limit: whole(1, 100),
    cursor: () => facts.cursors.length === 0 ? undefined : random.pick(facts.cursors),
    include: () => random.pick(["items", "attackers", "items,attackers"]),
    kind: () => random.pick(["character", "corporation", "alliance", "type", "system", "region"]),
    by: () => random.pick(["kills", "losses", "isk_destroyed", "points"]),
    days: whole(1, 90),
    after: whole(0, 100),
    "last-event-id": whole(0, 100)
  }
  return of[name]?.()
}

/** Groups of which the fuzzer knows what to ask; of all others it knows what the contract says. */
export const familiar = /^(lists|killmails|entities|statistics|stream|system)\./

export const bodyOf = (random: Random, facts: Facts, { id }: Operation): unknown => {
  if (!familiar.test(id)) return Nonsense.json(random)
  const { hash, id: killmail_id } = random.pick(facts.killmails)
  return id === "entities.setGroup"
    ? { alts: random.chance(0.3) ? [] : [random.whole(2_000_000_000, 2_100_000_000)] }
    : random.pick([
      { killmail_id, hash },
      { url: `https://esi.evetech.net/latest/killmails/${killmail_id}/${hash}/?datasource=tranquility` }
    ])
}

/** Not JSON, or too much of it. */
export const brokenBody = (random: Random, whole: string): Buffer | string =>
  random.pick<() => Buffer | string>([
    () => "",
    () => whole.slice(0, random.whole(0, whole.length)),
    () => Nonsense.mangled(random, whole),
    () => Buffer.from(whole, "utf16le"),
    () => Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28]),
    () => "[".repeat(20_000),
    () => `{"url":"${"x".repeat(random.pick([10_000, 1_100_000]))}"}`,
    () => `{"__proto__":{"alts":[]},"alts":[1]}`,
    () => whole + whole,
    () => `\ufeff${whole}`,
    () => Nonsense.text(random)
  ])()
