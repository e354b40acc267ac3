/**
 * What the types of the sandbox are: real groups and categories of the types in `Gazetteer.ts` and `Hangar.ts`, and of some
 * that killmails never name. Levels, sizes and recipes follow from names and groups, and are not the game's.
 */
import { capsule, hullOf, pirates, ships } from "./Gazetteer.ts"
import { fittings, hangar, listOf, type Named } from "./Hangar.ts"
import { drawOf } from "./Random.ts"

export interface Group extends Named {
  readonly category: number
}

export interface Type extends Named {
  readonly group: Group
  readonly marketGroup: number | undefined
  /** 1 is Tech I, 2 Tech II, 4 Faction. */
  readonly metaGroup: number
  /** Attribute id and value. */
  readonly dogma: ReadonlyArray<readonly [attribute: number, value: number]>
}

/** What one run of a blueprint takes and makes. */
export interface Recipe {
  readonly blueprint: number
  readonly product: number
  readonly quantity: number
  readonly materials: ReadonlyArray<readonly [type: number, quantity: number]>
}

export const categories = listOf(`
  2 Celestial; 3 Station; 4 Material; 6 Ship; 7 Module; 8 Charge; 9 Blueprint; 11 Entity; 17 Commodity; 18 Drone
  20 Implant; 22 Deployable; 23 Starbase; 25 Asteroid; 32 Subsystem; 35 Decryptors; 46 Orbitals; 65 Structure
  66 Structure Module; 87 Fighter
`)

/** `group category name: types`; a line that begins deeper goes on. */
const table = `
  6 2 Sun: 45041
  7 2 Planet: 11
  8 2 Moon: 14
  9 2 Asteroid Belt: 15
  10 2 Stargate: 16
  12 2 Cargo Container: 3293 3296 3297
  15 3 Station: 1531
  18 4 Mineral: 34 35 36 37 38 39 40
  25 6 Frigate: 583 584 585 586 587 589 593 594 597 598 602 603 605 607 608 3766 17703 17841 29248 32880 33468
  26 6 Cruiser: 620 621 622 623 624 626 627 628 629 631 632 634 2006 17709 17715 17843 29340 33470 47270
  27 6 Battleship: 638 639 641 643 644 645 17636 17918 24690 47271 47466
  28 6 Hauler: 648 649 650 653 655 656 657 19744
  29 6 Capsule: 670
  30 6 Titan: 671 3764 11567
  31 6 Shuttle: 672 11129 11132 11134
  38 7 Shield Extender: 3829 3831 3841 8529
  43 7 Capacitor Recharger: 2032
  46 7 Propulsion Module: 434 5971 5973 5975 6001 6005 12058 21857 35656 35658 35659 35660
  52 7 Warp Scrambler: 448 3244 5443 5445
  53 7 Energy Weapon: 3025 3033 3041 3520
  54 7 Mining Laser: 3651
  55 7 Projectile Weapon: 488 2873 2881 2889 2897 2913 2969 2977 9491
  59 7 Gyrostabilizer: 519 5933
  60 7 Damage Control: 2046 2048 5839 47257
  62 7 Armor Repair Unit: 3530
  65 7 Stasis Web: 527 4025 4027
  71 7 Energy Neutralizer: 12267
  74 7 Hybrid Weapon: 564 3074 3082 3146 3170 3178 7583
  76 7 Capacitor Booster: 4833
  77 7 Shield Hardener: 2281
  78 7 Reinforced Bulkhead: 1335
  83 8 Projectile Ammo: 21894 21896 21898 21924
  85 8 Hybrid Charge: 222 23009 23025
  86 8 Frequency Crystal: 23071 23089
  87 8 Capacitor Booster Charge: 32006 32014
  98 7 Armor Coating: 1306
  99 11 Sentry Gun: 1194 3740
  100 18 Combat Drone: 2175 2183 2185 2195 2203 2205 2436 2446 2454 2456 2464 2466 2486 2488 21638 21640 31874
  101 18 Mining Drone: 10246
  105 9 Frigate Blueprint: 684 936 940 941
  110 9 Titan Blueprint: 11568 1002 3765
  182 11 Police Drone: 9970
  205 7 Heat Sink: 2364
  211 7 Tracking Enhancer: 1999
  212 7 Sensor Booster: 1952 6160
  213 7 Tracking Computer: 1978
  237 6 Corvette: 588 596 601 606
  280 17 General: 9826
  285 7 CPU Enhancer: 3888
  301 11 Concord Drone: 3885
  302 7 Magnetic Field Stabilizer: 9944 10190
  324 6 Assault Frigate: 11379 11393
  326 7 Energized Armor Membrane: 11269
  329 7 Armor Plate: 20353
  330 7 Cloaking Device: 11370 11578
  340 2 Secure Cargo Container: 3465 3466 3467 11489
  358 6 Heavy Assault Cruiser: 11993 12003 12005 12015 12019
  361 22 Mobile Warp Disruptor: 12198 12199 12200
  365 23 Control Tower: 12235 12236 16213 16214 20060 20061
  367 7 Ballistic Control System: 22291
  372 8 Advanced Autocannon Ammo: 12608 12625 12777
  377 8 Advanced Blaster Charge: 12612 12614 12789
  384 8 Light Missile: 27361 27371 27381 27387
  385 8 Heavy Missile: 27435 27441
  419 6 Combat Battlecruiser: 3756 16227 16229 16231 16233 24696 24698 24700 24702 33153
  420 6 Destroyer: 16236 16238 16240 16242 32872 32874 32876 42685 49710
  423 4 Ice Product: 16272 16273 16274 16275 17887 17889
  448 2 Audit Log Secure Container: 17364
  456 25 Jaspet: 1226
  457 25 Kernite: 20 17452
  458 25 Plagioclase: 17455
  459 25 Pyroxeres: 17459
  460 25 Scordite: 17463 17464
  462 25 Veldspar: 17470
  463 6 Mining Barge: 17476 17478 17480
  471 23 Corporate Hangar Array: 17621
  477 9 Mining Barge Blueprint: 17481
  479 8 Scanner Probe: 30013 30488
  481 7 Scan Probe Launcher: 17938
  485 6 Dreadnought: 19720
  487 9 Destroyer Blueprint: 16241
  506 7 Missile Launcher Cruise: 19739
  507 7 Missile Launcher Rocket: 10631
  508 7 Missile Launcher Torpedo: 2420
  509 7 Missile Launcher Light: 2404 8089
  510 7 Missile Launcher Heavy: 2410
  511 7 Missile Launcher Rapid Light: 1877 8027
  513 6 Freighter: 20183 20185 34328
  526 17 Commodities: 15331
  537 9 Dreadnought Blueprint: 19721
  538 7 Data Miners: 22175 22177
  541 6 Interdictor: 22456 22464
  543 6 Exhumer: 22544
  546 7 Mining Upgrade: 28576
  547 6 Carrier: 23757 23911 23915 24483
  550 11 Asteroid Angel Cartel Frigate: 11024
  562 11 Asteroid Guristas Frigate: 11029
  580 11 Asteroid Guristas BattleCruiser: 23326
  594 11 Deadspace Angel Cartel Battleship: 24129
  603 11 Deadspace Blood Raiders Battleship: 24140
  612 11 Deadspace Guristas Battleship: 24150
  621 11 Deadspace Sansha's Nation Battleship: 24160
  639 18 Electronic Warfare Drone: 23707
  643 9 Carrier Blueprint: 23758 23912 23916 24484
  645 7 Drone Damage Modules: 4405 41034
  647 7 Drone Control Range Module: 23527
  648 8 Advanced Rocket: 24471
  649 2 Freight Container: 33003
  653 8 Advanced Light Missile: 24495
  655 8 Advanced Heavy Missile: 2629
  659 6 Supercarrier: 23919
  741 20 Cyber Engineering: 3256 3265 13216 13261 27127 27143
  745 20 Cyber Learning: 9899 9941 9942 9943 9956 10208 10212 10216 10221 10225 13283 13286
  749 20 Cyber Shields: 10228 13263
  754 4 Salvaged Materials: 25589 25597 25598 25599 25600 25601 25616 25617 25618 25619 25620
  762 7 Inertial Stabilizer: 1405
  763 7 Nanofiber Internal Structure: 2605 5599
  764 7 Overdrive Injector System: 1236
  765 7 Expanded Cargohold: 1319
  766 7 Power Diagnostic System: 1541
  767 7 Capacitor Power Relay: 1447
  768 7 Capacitor Flux Coil: 1248
  771 7 Missile Launcher Heavy Assault: 25715
  773 7 Rig Armor: 25894 25896 30987 31047 31055 31059 33890 33892 33894
  774 7 Rig Shield: 26088 26448 31716 31718 31724 31788 31790 31794 31796
  781 7 Rig Core: 4397 25948 26374 26929 31358 31360 31366 31372 31378
  782 7 Rig Navigation: 31117 31159 31165
  830 6 Covert Ops: 11192
  831 6 Interceptor: 11186 11198
  832 6 Logistics: 11978 11987
  833 6 Force Recon Ship: 11969
  834 6 Stealth Bomber: 12032 12034 12038
  873 17 Capital Construction Components: 21009 21017
  900 6 Marauder: 28659 28665 28710
  902 6 Jump Freighter: 28844 28846
  907 8 Tracking Script: 28999 29001
  910 8 Sensor Booster Script: 29009 29011
  914 9 Capital Construction Blueprints: 21010 21018
  917 9 Data Miner Blueprint: 41536
  941 6 Industrial Command Ship: 42244
  954 32 Defensive Subsystem: 45589 45592 45595 45596
  956 32 Offensive Subsystem: 45601 45608
  957 32 Propulsion Subsystem: 45614 45615 45620 45621
  958 32 Core Subsystem: 45626 45633
  963 6 Strategic Cruiser: 29984 29988 29990
  1013 9 Supercarrier Blueprints: 23920
  1025 46 Orbital Infrastructure: 2233
  1122 7 Salvager: 25861
  1150 7 Armor Resistance Shift Hardener: 4403
  1159 18 Salvage Drone: 32787
  1199 7 Ancillary Armor Repairer: 33076 33101
  1200 9 Fueled Armor Repairer Blueprint: 33077
  1201 6 Attack Battlecruiser: 4302 4310
  1223 7 Scanning Upgrade: 33180
  1233 7 Rig Scanning: 31213
  1246 22 Mobile Depot: 33474
  1247 22 Mobile Siphon Unit: 33477
  1249 22 Mobile Cyno Inhibitor: 33476
  1250 22 Mobile Tractor Unit: 33475
  1283 6 Expedition Frigate: 33697
  1304 35 Generic Decryptor: 34203 34204
  1305 6 Tactical Destroyer: 34828 35683
  1308 7 Rig Anchor: 34306
  1310 11 Drifter Battleship: 34495
  1321 66 Structure Citadel Service Module: 35894
  1322 66 Structure Resource Processing Service Module: 35899 45537
  1404 65 Engineering Complex: 35825 35826
  1406 65 Refinery: 35835 35836
  1408 65 Upwell Jump Bridge: 35841
  1415 66 Structure Engineering Service Module: 35878 35891
  1537 87 Support Fighter: 40347
  1538 6 Force Auxiliary: 37604
  1652 87 Light Fighter: 23057 23059 23061 40556
  1657 65 Citadel: 35832 35833 35834
  1718 9 Force Auxiliary Blueprint: 41582
  1887 66 Structure Moon Drilling Service Module: 45009
  1971 2 Abyssal Hazards: 47465
  1982 11 Abyssal Spaceship Entities: 48091 48092 56148
  1988 7 Entropic Radiation Sink: 47911
  1995 17 Triglavian Data: 48121
  1996 4 Abyssal Materials: 47975
  2016 65 Upwell Cyno Jammer: 37534
  2017 65 Upwell Cyno Beacon: 35840
  4041 17 Jump Filaments: 53977 53984
  4087 17 Triglavian Space Filaments: 56065 56076
  4777 87 Structure Light Fighter: 47139
`

export const marketGroups: ReadonlyArray<Named & { readonly parent?: number }> = [
  { id: 2, name: "Blueprints & Reactions" },
  { id: 4, name: "Ships" },
  { id: 9, name: "Ship Equipment" },
  { id: 11, name: "Ammunition & Charges" },
  { id: 24, name: "Implants & Boosters" },
  { id: 157, name: "Drones" },
  { id: 475, name: "Manufacture & Research" },
  { id: 477, name: "Structures" },
  { id: 1381, name: "Capital Ships", parent: 4 }
]

/** By category: where its types are sold. */
const marketGroupOf: Readonly<Record<number, number>> = {
  4: 475,
  6: 4,
  7: 9,
  8: 11,
  9: 2,
  17: 475,
  18: 157,
  20: 24,
  65: 477,
  66: 477,
  87: 157
}

const others = listOf(`
  34 Tritanium; 35 Pyerite; 36 Mexallon; 37 Isogen; 38 Nocxium; 39 Zydrine; 40 Megacyte; 45041 Sun K3 (Yellow Small)
  11 Planet (Temperate); 14 Moon; 15 Asteroid Belt; 16 Stargate (Caldari System); 1531 Caldari Trading Station
  21009 Capital Propulsion Engine; 21010 Capital Propulsion Engine Blueprint; 21017 Capital Armor Plates
  21018 Capital Armor Plates Blueprint; 11568 Avatar Blueprint; 1002 Erebus Blueprint; 3765 Leviathan Blueprint
  19721 Revelation Blueprint; 23758 Archon Blueprint; 23912 Thanatos Blueprint; 23916 Chimera Blueprint
  24484 Nidhoggur Blueprint; 23920 Aeon Blueprint; 41582 Apostle Blueprint
`)

const parsed = table.trim().replaceAll(/\n {4}\s*/g, " ").split("\n").map((line) => {
  const [, id, category, name, types] = /^\s*(\d+) (\d+) (.+): ([\d ]+)$/.exec(line)!
  return { group: { id: Number(id), category: Number(category), name: name! }, types: types!.split(" ").map(Number) }
})

export const groups: ReadonlyArray<Group> = parsed.map(({ group }) => group)

const groupOf = new Map(parsed.flatMap(({ group, types }) => types.map((type) => [type, group] as const)))

const capitals = new Set(ships.capital.map(({ id }) => id))
const sizes = { tiny: 1, small: 1, medium: 2, large: 3, industrial: 2, capital: 4 } as const

const techLevel = 422
const metaLevel = 633
const heatDamage = 1211
const rigSize = 1547

const typeOf = ({ id, name }: Named): Type => {
  const group = groupOf.get(id)!
  const isTech2 = name.endsWith(" II")
  const isFaction = /Navy|Fleet|Sisters/.test(name)
  const hull = hullOf(id)
  const dogma: Array<readonly [number, number]> = [[techLevel, isTech2 ? 2 : 1]]
  if (group.category === 7) {
    dogma.push([
      metaLevel,
      isTech2 ? 5 : isFaction ? 8 : name.endsWith(" I") ? 0 : 1 + Math.floor(4 * drawOf("meta", id))
    ])
    if (overheats.has(id)) dogma.push([heatDamage, 2])
  }
  if (hull !== undefined && hull in sizes) dogma.push([rigSize, sizes[hull as keyof typeof sizes]])
  return {
    id,
    name,
    group,
    marketGroup: capitals.has(id) ? 1381 : marketGroupOf[group.category],
    metaGroup: isTech2 ? 2 : isFaction ? 4 : 1,
    dogma
  }
}

const overheats = new Set([...hangar.mid, ...hangar.high].map(({ id }) => id))

/** Each once, by id. */
export const types: ReadonlyMap<number, Type> = new Map(
  [capsule, ...Object.values(ships).flat(), ...fittings, ...pirates, ...others]
    .toSorted((a, b) => a.id - b.id)
    .map((named) => [named.id, typeOf(named)])
)

const minerals = [34, 35, 36, 37, 38, 39, 40]

/** A blueprint is called after what it makes. Capitals are built of components, all else of minerals. */
export const recipes: ReadonlyArray<Recipe> = [...types.values()].flatMap(({ id, name }) => {
  const product = [...types.values()].find((type) => `${type.name} Blueprint` === name)?.id
  if (product === undefined) return []
  const size = 1 + Math.floor(9 * drawOf("recipe", id))
  const materials = capitals.has(product)
    ? [[21009, 10 * size], [21017, 25 * size]] as const
    : minerals.map((mineral, index) => [mineral, Math.ceil(20_000 * size / 5 ** index)] as const)
  return [{ blueprint: id, product, quantity: 1, materials }]
})
