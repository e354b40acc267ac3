/**
 * Modules, charges, drones and cargo: real type ids with their real names, sorted by how often killmails show them, most
 * often first. The tables of `Gazetteer.ts` are the other half.
 */

/** A type, system, faction or corporation of the game itself. */
export interface Named {
  readonly id: number
  readonly name: string
}

/** `id name; id name`, as the tables are written. */
export const listOf = (table: string): ReadonlyArray<Named> =>
  table.trim().split(/;|\n/).map((entry) => {
    const [, id, name] = /^\s*(\d+) (.+)$/.exec(entry)!
    return { id: Number(id), name: name!.trim() }
  })

export const hangar = {
  low: listOf(`
  2048 Damage Control II; 22291 Ballistic Control System II; 10190 Magnetic Field Stabilizer II
  4405 Drone Damage Amplifier II; 2605 Nanofiber Internal Structure II; 519 Gyrostabilizer II
  1405 Inertial Stabilizers II; 11269 Multispectrum Energized Membrane II; 1319 Expanded Cargohold II
  33076 Small Ancillary Armor Repairer; 2364 Heat Sink II; 1335 Reinforced Bulkheads II
  9944 Magnetic Field Stabilizer I; 4403 Reactive Armor Hardener; 1236 Overdrive Injector System II
  1999 Tracking Enhancer II; 3530 Medium Armor Repairer II; 3888 Co-Processor II; 5839 IFFA Compact Damage Control
  1447 Capacitor Power Relay II; 47257 Assault Damage Control II; 1541 Power Diagnostic System II
  28576 Mining Laser Upgrade II; 20353 1600mm Steel Plates II; 2046 Damage Control I
  33101 Medium Ancillary Armor Repairer; 5933 Counterbalanced Compact Gyrostabilizer; 1248 Capacitor Flux Coil II
  1306 Multispectrum Coating II; 47911 Entropic Radiation Sink II; 41034 AE-K Compact Drone Damage Amplifier
  5599 Type-D Restrained Nanofiber Structure
`),
  mid: listOf(`
  2281 Multispectrum Shield Hardener II; 3841 Large Shield Extender II; 5973 5MN Y-T8 Compact Microwarpdrive
  448 Warp Scrambler II; 21857 1MN Civilian Afterburner; 3244 Warp Disruptor II; 4027 Fleeting Compact Stasis Webifier
  527 Stasis Webifier II; 35658 5MN Quad LiF Restrained Microwarpdrive; 5445 Initiated Compact Warp Scrambler
  3831 Medium Shield Extender II; 33180 Scan Rangefinding Array I; 5971 5MN Cold-Gas Enduring Microwarpdrive
  2032 Cap Recharger II; 35659 50MN Y-T8 Compact Microwarpdrive; 35660 50MN Quad LiF Restrained Microwarpdrive
  8529 Large F-S9 Regolith Compact Shield Extender; 6160 F-90 Compact Sensor Booster; 22177 Relic Analyzer I
  22175 Data Analyzer I; 4025 X5 Enduring Stasis Webifier; 6001 1MN Y-S8 Compact Afterburner; 1952 Sensor Booster II
  35656 10MN Y-S8 Compact Afterburner; 5443 Faint Epsilon Scoped Warp Scrambler; 12058 10MN Afterburner II
  1978 Tracking Computer II; 3829 Medium Shield Extender I; 4833 Medium F-RX Compact Capacitor Booster
  6005 10MN Monopropellant Enduring Afterburner; 5975 50MN Cold-Gas Enduring Microwarpdrive; 434 5MN Microwarpdrive I
`),
  high: listOf(`
  3178 Light Neutron Blaster II; 1877 Rapid Light Missile Launcher II; 2410 Heavy Missile Launcher II
  10631 Rocket Launcher II; 3651 Civilian Miner; 17938 Core Probe Launcher I; 2404 Light Missile Launcher II
  25715 Heavy Assault Missile Launcher II; 564 Light Neutron Blaster I; 2969 720mm Howitzer Artillery II
  3146 Heavy Neutron Blaster II; 2873 125mm Gatling AutoCannon II; 25861 Salvager I; 9491 1400mm 'Scout' Artillery I
  11578 Covert Ops Cloaking Device II; 488 280mm Howitzer Artillery I; 3074 150mm Railgun II
  3033 Small Focused Beam Laser II; 3082 250mm Railgun II; 2889 200mm AutoCannon II; 23527 Drone Link Augmentor I
  11370 Prototype Cloaking Device I; 2913 425mm AutoCannon II; 2977 280mm Howitzer Artillery II
  8089 Arbalest Compact Light Missile Launcher; 7583 Regulated Light Neutron Phase Cannon I
  2897 220mm Vulcan AutoCannon II; 19739 Cruise Missile Launcher II; 3041 Small Focused Pulse Laser II
  3170 Light Ion Blaster II; 3520 Heavy Pulse Laser II; 12267 Medium Energy Neutralizer II; 3025 Heavy Beam Laser II
  2881 150mm Light AutoCannon II; 2420 Torpedo Launcher II; 8027 Prototype 'Arbalest' Rapid Light Missile Launcher
`),
  charge: listOf(`
  12612 Void S; 23009 Caldari Navy Antimatter Charge S; 21898 Republic Fleet EMP S; 12789 Void M
  23025 Caldari Navy Antimatter Charge M; 21896 Republic Fleet EMP M; 29011 Scan Resolution Script
  27361 Caldari Navy Scourge Light Missile; 222 Antimatter Charge S; 27387 Caldari Navy Mjolnir Light Missile
  12608 Hail S; 21894 Republic Fleet EMP L; 32006 Navy Cap Booster 400; 30488 Sisters Core Scanner Probe
  24495 Scourge Fury Light Missile; 12777 Hail M; 28999 Optimal Range Script; 30013 Core Scanner Probe I
  27381 Caldari Navy Nova Light Missile; 27441 Caldari Navy Scourge Heavy Missile; 2629 Scourge Fury Heavy Missile
  12614 Null S; 27371 Caldari Navy Inferno Light Missile; 24471 Scourge Rage Rocket
  23089 Imperial Navy Multifrequency M; 23071 Imperial Navy Multifrequency S; 21924 Republic Fleet Phased Plasma S
  32014 Navy Cap Booster 800; 27435 Caldari Navy Mjolnir Heavy Missile; 29009 Targeting Range Script; 12625 Barrage S
  29001 Tracking Speed Script
`),
  drone: listOf(`
  2488 Warrior II; 23707 Hornet EC-300; 2456 Hobgoblin II; 2205 Acolyte II; 2454 Hobgoblin I; 2185 Hammerhead II
  21640 Valkyrie II; 2175 Infiltrator II; 2466 Hornet II; 2486 Warrior I; 2464 Hornet I; 32787 Salvage Drone I
  2203 Acolyte I; 21638 Vespa II; 2195 Praetor II; 31874 Caldari Navy Vespa; 2436 Wasp II; 2446 Ogre II
  2183 Hammerhead I; 10246 Mining Drone I
`),
  rigSmall: listOf(`
  31213 Small Gravity Capacitor Upgrade I; 33890 Small Transverse Bulkhead I
  31159 Small Hyperspatial Velocity Optimizer I; 31788 Small Core Defense Field Extender I
  33892 Small Transverse Bulkhead II; 26929 Small Processor Overclocking Unit I; 31716 Small EM Shield Reinforcer I
  31358 Small Ancillary Current Router I; 31165 Small Hyperspatial Velocity Optimizer II
  31794 Small Core Defense Field Extender II; 30987 Small Trimark Armor Pump I; 31117 Small Cargohold Optimization I
`),
  rigMedium: listOf(`
  31790 Medium Core Defense Field Extender I; 31360 Medium Ancillary Current Router I
  31718 Medium EM Shield Reinforcer I; 31796 Medium Core Defense Field Extender II
  31372 Medium Capacitor Control Circuit I; 31724 Medium EM Shield Reinforcer II; 31055 Medium Trimark Armor Pump I
  31047 Medium Auxiliary Nano Pump I; 31059 Medium Trimark Armor Pump II; 33894 Medium Transverse Bulkhead I
  31366 Medium Ancillary Current Router II; 31378 Medium Capacitor Control Circuit II
`),
  rigLarge: listOf(`
  25894 Large Trimark Armor Pump I; 26088 Large Core Defense Field Extender I; 25948 Large Capacitor Control Circuit I
  26374 Large Capacitor Control Circuit II; 25896 Large Auxiliary Nano Pump I
  4397 Large Processor Overclocking Unit I; 34306 Large Higgs Anchor I; 26448 Large Core Defense Field Extender II
`),
  implant: listOf(`
  10212 Neural Boost - Standard; 10216 Ocular Filter - Standard; 10208 Memory Augmentation - Standard
  10221 Cybernetic Subprocessor - Standard; 13283 Limited Ocular Filter; 9899 Ocular Filter - Basic
  9941 Memory Augmentation - Basic; 13286 Limited Social Adaptation Chip; 9942 Neural Boost - Basic
  9943 Cybernetic Subprocessor - Basic; 27127 Inherent Implants 'Squire' Power Grid Management EG-601
  13261 Inherent Implants 'Squire' Power Grid Management EG-603; 9956 Social Adaptation Chip - Basic
  10225 Social Adaptation Chip - Standard; 27143 Zainou 'Gypsy' CPU Management EE-601
  13216 Zainou 'Gypsy' CPU Management EE-603; 3256 Inherent Implants 'Squire' Power Grid Management EG-602
  3265 Zainou 'Gypsy' CPU Management EE-602; 10228 Zainou 'Gnome' Shield Management SM-703
  13263 Zainou 'Gnome' Shield Operation SP-903
`),
  subsystem: listOf(`
  45601 Tengu Offensive - Accelerated Ejection Bay; 45626 Tengu Core - Augmented Graviton Reactor
  45589 Tengu Defensive - Covert Reconfiguration; 45633 Loki Core - Immobility Drivers
  45595 Loki Defensive - Covert Reconfiguration; 45608 Loki Offensive - Launcher Efficiency Configuration
  45621 Loki Propulsion - Wake Limiter; 45620 Loki Propulsion - Intercalated Nanofibers
  45614 Tengu Propulsion - Chassis Optimization; 45615 Tengu Propulsion - Fuel Catalyst
  45592 Proteus Defensive - Covert Reconfiguration; 45596 Loki Defensive - Augmented Durability
`),
  cargo: listOf(`
  15331 Metal Scraps; 53977 Noise-5 'Needlejack' Filament; 9826 Carbon; 53984 Signal-5 'Needlejack' Filament
  25600 Burned Logic Circuit; 25598 Tripped Power Circuit; 25599 Charred Micro Circuit
  48121 Triglavian Survey Database; 25601 Fried Interface Circuit; 25597 Damaged Artificial Neural Network
  33475 Mobile Tractor Unit; 56065 Glorification-1 'Devana' Filament; 56076 Border-5 'Pochven' Filament
  33474 Mobile Depot; 16273 Liquid Ozone; 34203 Augmentation Decryptor; 25617 Power Circuit; 25618 Micro Circuit
  25619 Logic Circuit; 25616 Artificial Neural Network; 25589 Malfunctioning Shield Emitter; 25620 Interface Circuit
  34204 Parity Decryptor; 47975 Crystalline Isogen-10
`),
  ore: listOf(`
  20 Kernite; 17459 Pyroxeres II-Grade; 17470 Veldspar II-Grade; 17463 Scordite II-Grade; 17464 Scordite III-Grade
  17455 Plagioclase II-Grade; 1226 Jaspet; 17452 Kernite II-Grade
`),
  fighter: listOf(`
  47139 Standup Firbolg I; 23061 Einherji I; 23059 Firbolg I; 40556 Templar II; 40347 Dromi I; 23057 Dragonfly I
`),
  service: listOf(`
  35894 Standup Cloning Center I; 45009 Standup Moon Drill I; 35899 Standup Reprocessing Facility I
  35878 Standup Manufacturing Plant I; 35891 Standup Research Lab I; 45537 Standup Composite Reactor I
`),
  fuel: listOf(`
  16274 Helium Isotopes; 17887 Oxygen Isotopes; 16272 Heavy Water; 17889 Hydrogen Isotopes; 16275 Strontium Clathrates
`),
  /** Only copies (`singleton` 2) are lost: originals stay at home. */
  blueprint: listOf(`
  33077 Small Ancillary Armor Repairer Blueprint; 41536 Zeugma Integrated Analyzer Blueprint; 17481 Procurer Blueprint
  941 Incursus Blueprint; 936 Executioner Blueprint; 16241 Catalyst Blueprint; 940 Tristan Blueprint; 684 Condor Blueprint
`),
  container: listOf(`
  3297 Small Standard Container; 3293 Medium Standard Container; 3296 Large Standard Container
  3467 Small Secure Container; 3466 Medium Secure Container; 3465 Large Secure Container; 11489 Giant Secure Container
  17364 Medium Audit Log Secure Container; 33003 Enormous Freight Container
`)
}

export const fittings: ReadonlyArray<Named> = Object.values(hangar).flat()
