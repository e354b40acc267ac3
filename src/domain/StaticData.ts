/** What the rules of this folder need to know of EVE's static data. Sources: CCP's SDE, or ESI for ids newer than it. */

/** A type: a hull, a module, a charge, anything that can be lost or fly. */
export interface TypeFacts {
  readonly typeId: number
  readonly name: string
  readonly groupId: number
  readonly categoryId: number
  /** The market group and all groups above it; empty for what the market does not trade. */
  readonly marketGroupIds: ReadonlyArray<number>
  /** 15 is Abyssal: mutated modules and drones, but also the filaments and mutaplasmids that the market trades. */
  readonly metaGroupId: number | null
  /** Dogma attributes by attribute id, as far as a rule reads them (633 meta level, 1211 heat damage, 1547 rig size, …). */
  readonly dogma: ReadonlyMap<number, number>
  /** What its manufacturing blueprint needs for one run, unresearched, and how many units a run makes. */
  readonly manufacturing: {
    readonly outputQuantity: number
    readonly materials: ReadonlyArray<{ readonly typeId: number; readonly quantity: number }>
  } | null
}

export interface SystemFacts {
  readonly systemId: number
  readonly name: string
  /** True security status, -1 to 1, not rounded. */
  readonly security: number
  readonly constellationId: number
  readonly regionId: number
}

/** Unknown ids are absent: newer than the static data, or the data not imported yet. */
export interface StaticFacts {
  readonly type: (typeId: number) => TypeFacts | undefined
  readonly system: (systemId: number) => SystemFacts | undefined
}
