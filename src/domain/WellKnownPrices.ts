/**
 * Prices that the market does not tell, or tells wrongly: the facts that zKillboard and EVE-KILL keep by hand. They fill
 * `custom_prices`, where an operator's own rows win. ISK a unit. Pure.
 */
import type { CustomPrice, Day } from "./Market.ts"

/** A row of `custom_prices`. Both days are included; null is without end. */
export interface WellKnownPrice extends CustomPrice {
  readonly type_id: number
  readonly valid_from: Day | null
  readonly valid_until: Day | null
}

/** Whole groups, by group id: what such a thing costs does not depend on which it is. */
export const groupPrices: ReadonlyMap<number, CustomPrice> = new Map([
  [29, { price: 10_000, reason: "capsule" }],
  [4513, { price: 200, reason: "Mordunium, an ore" }],
  [4759, { price: 200, reason: "Griemeer, an ore" }]
])

const billion = 1_000_000_000

/** In billions, for all days. */
const rareHulls: ReadonlyArray<readonly [typeId: number, name: string, billions: number]> = [
  [635, "Opux Luxury Yacht", 500],
  [2834, "Utu", 80],
  [2836, "Adrestia", 150],
  [3516, "Malice", 80],
  [3518, "Vangel", 100],
  [9860, "Polaris Legatus Frigate", 1000],
  [11011, "Guardian-Vexor", 500],
  [11019, "Cockroach", 1000],
  [11375, "Erinye", 80],
  [11936, "Apocalypse Imperial Issue", 750],
  [11938, "Armageddon Imperial Issue", 750],
  [11942, "Silver Magnate", 100],
  [13202, "Megathron Federate Issue", 750],
  [25560, "Opux Dragoon Yacht", 500],
  [26840, "Raven State Issue", 2500],
  [26842, "Tempest Tribal Issue", 750],
  [32209, "Mimir", 100],
  [32788, "Cambion", 100],
  [32790, "Etana", 100],
  [33395, "Moracha", 500],
  [33397, "Chremoas", 200],
  [33673, "Whiptail", 100],
  [33675, "Chameleon", 150],
  [35779, "Imp", 120],
  [35781, "Fiend", 150],
  [42245, "Rabisu", 200],
  [42246, "Caedes", 120],
  [45530, "Virtuoso", 150],
  [45531, "Victor", 230],
  [48635, "Tiamat", 230],
  [48636, "Hydra", 150],
  [60764, "Laelaps", 230],
  [60765, "Raiju", 150],
  [74141, "Geri", 120],
  [74316, "Bestla", 150],
  [77726, "Cybele", 230],
  [78414, "Shapash", 150],
  [85062, "Sidewinder", 200],
  [85229, "Cobra", 250],
  [85236, "Python", 1250],
  [89807, "Anhinga", 450],
  [89808, "Skua", 230]
]

/** In billions, for all days. */
const rareFactionHulls: ReadonlyArray<readonly [typeId: number, name: string, billions: number]> = [
  [42124, "Vehement", 45],
  [42125, "Vendetta", 120],
  [42126, "Vanquisher", 650],
  [42242, "Dagon", 60],
  [42243, "Chemosh", 70],
  [45645, "Loggerhead", 35],
  [45647, "Caiman", 60],
  [45649, "Komodo", 550],
  [47512, "'Moreau' Fortizar", 60],
  [47514, "'Horizon' Fortizar", 60],
  [78576, "Azariel", 750],
  [87381, "Sarathiel", 45],
  [88001, "Babaroga", 10]
]

/** What drops from sites in plenty while its market is made up: worth nothing. */
const manipulated: ReadonlyArray<readonly [typeId: number, name: string]> = [
  [12478, "Khumaak"],
  [34556, "Sentinel Element"],
  [34557, "Barbican Element"],
  [34558, "Vidette Element"],
  [34559, "Conflux Element"],
  [34560, "Redoubt Element"],
  [36902, "Coalesced Element"],
  [44264, "Pulsar Flare Firework"],
  [44265, "Wings of Victory Firework"]
]

const always = { valid_from: null, valid_until: null }

export const wellKnownPrices: ReadonlyArray<WellKnownPrice> = [
  ...rareHulls.map(([type_id, name, billions]) => ({
    ...always,
    type_id,
    price: billions * billion,
    reason: `${name}: a prize or a gift of which few exist`
  })),
  ...rareFactionHulls.map(([type_id, name, billions]) => ({
    ...always,
    type_id,
    price: billions * billion,
    reason: `${name}: hardly ever traded on the market`
  })),
  ...manipulated.map(([type_id, name]) => ({
    ...always,
    type_id,
    price: 0.01,
    reason: `${name}: its market is manipulated`
  })),
  { ...always, type_id: 55_511, price: 30_000_000, reason: "Vorton Arc Extension: its market is manipulated" },
  ...turned(3514, "Revenant", 100, "2023-12-01", "2023-12-02", 250),
  ...turned(11_940, "Gold Magnate", 500, "2020-01-25", "2020-01-26", 3400),
  ...turned(42_241, "Molok", 350, "2019-07-01", "2019-07-02", 650)
]

/** A hull that was worth something else, in billions, up to a day. */
function turned(
  type_id: number,
  name: string,
  before: number,
  valid_until: Day,
  valid_from: Day,
  after: number
): ReadonlyArray<WellKnownPrice> {
  const reason = `${name}: hardly ever traded on the market`
  return [
    { type_id, valid_from: null, valid_until, price: before * billion, reason },
    { type_id, valid_from, valid_until: null, price: after * billion, reason }
  ]
}
