/**
 * Who and what exists in the sandbox's New Eden: real ids with their real names (facts of EVE's static data, a hand-sized
 * choice of it), each list sorted by how often it is seen on real killmails, most often first.
 */
import { fittings, listOf, type Named } from "./Hangar.ts"

export interface System extends Named {
  /** As the game shows it, rounded to one decimal. */
  readonly security: number
}

const systemsOf = (table: string): ReadonlyArray<System> =>
  listOf(table).map(({ id, name }) => {
    const space = name.lastIndexOf(" ")
    return { id, name: name.slice(0, space), security: Number(name.slice(space)) }
  })

export const capsule: Named = { id: 670, name: "Capsule" }

export const ships = {
  small: listOf(`
  16240 Catalyst; 32880 Venture; 605 Heron; 608 Atron; 16242 Thrasher; 22456 Sabre; 35683 Hecate; 33468 Astero
  593 Tristan; 16238 Cormorant; 597 Punisher; 602 Kestrel; 49710 Kikimora; 11198 Stiletto; 585 Slasher
  11186 Malediction; 11393 Retribution; 603 Merlin; 32872 Algos; 42685 Sunesis; 584 Griffin; 34828 Jackdaw
  29248 Magnate; 16236 Coercer; 586 Probe; 594 Incursus; 11379 Hawk; 607 Imicus; 22464 Flycatcher
  17703 Imperial Navy Slicer; 11192 Buzzard; 587 Rifter; 17841 Federation Navy Comet; 32874 Dragoon; 12034 Hound
  3766 Vigil; 598 Breacher; 32876 Corax; 583 Condor; 12032 Manticore; 12038 Purifier; 589 Executioner
`),
  medium: listOf(`
  626 Vexor; 621 Caracal; 12005 Ishtar; 622 Stabber; 3756 Gnosis; 17715 Gila; 12015 Muninn; 16233 Prophecy
  24698 Drake; 623 Moa; 2006 Omen; 627 Thorax; 11993 Cerberus; 631 Scythe; 16229 Brutix; 629 Rupture
  29340 Osprey Navy Issue; 24700 Myrmidon; 24702 Hurricane; 29990 Loki; 29984 Tengu; 4310 Tornado; 47270 Vedmak
  17843 Vexor Navy Issue; 16227 Ferox; 11978 Scimitar; 620 Osprey; 16231 Cyclone; 12003 Zealot; 632 Blackbird
  624 Maller; 4302 Oracle; 11969 Arazu; 24696 Harbinger; 33153 Drake Navy Issue; 628 Arbitrator; 11987 Guardian
  17709 Omen Navy Issue; 29988 Proteus; 634 Exequror; 12019 Sacrilege; 33470 Stratios
`),
  large: listOf(`
  47466 Praxis; 639 Tempest; 638 Raven; 645 Dominix; 28665 Vargur; 17918 Rattlesnake; 644 Typhoon; 28710 Golem
  24690 Hyperion; 643 Armageddon; 28659 Paladin; 641 Megathron; 47271 Leshak; 17636 Raven Navy Issue
`),
  capital: listOf(`
  19720 Revelation; 23757 Archon; 23911 Thanatos; 23915 Chimera; 24483 Nidhoggur; 23919 Aeon; 11567 Avatar; 671 Erebus
  3764 Leviathan; 37604 Apostle
`),
  industrial: listOf(`
  17480 Procurer; 655 Epithal; 649 Tayra; 17478 Retriever; 657 Iteron Mark V; 650 Nereus; 19744 Sigil; 17476 Covetor
  22544 Hulk; 656 Miasmos; 648 Badger; 42244 Porpoise; 33697 Prospect; 653 Wreathe; 20183 Providence; 20185 Charon
  34328 Bowhead; 28844 Rhea; 28846 Nomad
`),
  tiny: listOf(`
  601 Ibis; 606 Velator; 672 Caldari Shuttle; 588 Reaper; 596 Impairor; 11134 Amarr Shuttle; 11129 Gallente Shuttle
  11132 Minmatar Shuttle
`),
  deployable: listOf(`
  33475 Mobile Tractor Unit; 12198 Mobile Small Warp Disruptor I; 12199 Mobile Medium Warp Disruptor I
  12200 Mobile Large Warp Disruptor I; 33474 Mobile Depot; 33477 Small Mobile Siphon Unit
  33476 Mobile Cynosural Inhibitor
`),
  structure: listOf(`
  35832 Astrahus; 35825 Raitaru; 35835 Athanor; 35833 Fortizar; 35826 Azbel; 35836 Tatara; 35841 Ansiblex Jump Bridge
  35840 Pharolux Cyno Beacon; 37534 Tenebrex Cyno Jammer; 2233 Customs Office; 35834 Keepstar
`),
  /** Starbases stand at a moon: their mails have `moon_id`. */
  starbase: listOf(`
  20061 Caldari Control Tower Medium; 20060 Amarr Control Tower Small; 12235 Amarr Control Tower
  16213 Caldari Control Tower; 12236 Gallente Control Tower; 16214 Minmatar Control Tower; 17621 Corporate Hangar Array
`)
}

export type Hull = keyof typeof ships

export const hullOf = (typeId: number): Hull | undefined => hulls.get(typeId)

const hulls = new Map(
  (Object.keys(ships) as ReadonlyArray<Hull>).flatMap((hull) => ships[hull].map(({ id }) => [id, hull] as const))
)

export const systems = {
  highsec: systemsOf(`
  30002768 Uedama 0.5; 30000142 Jita 0.9; 30000129 Unpas 0.9; 30002971 Sasoutikh 0.6; 30001389 Isanamo 0.6
  30004127 Zimse 0.5; 30002053 Hek 0.8; 30002964 Esescama 0.6; 30002765 Sivala 0.6; 30000144 Perimeter 1.0
  30002187 Amarr 1.0; 30005216 Apanake 0.5; 30000153 Poinen 0.6; 30001391 Piekura 0.5; 30000140 Maurasi 0.9
  30002641 Aufay 0.5; 30000010 Chidah 0.5; 30002068 Nakugard 0.5; 30002970 Ohide 0.6; 30000160 Reisen 0.5
  30002972 Gheth 0.6; 30000147 Abagawa 0.6; 30002803 Juunigaishi 0.6; 30000156 Josameto 0.6; 30002203 Ziona 0.6
  30000125 Ahtulaima 0.6; 30002655 Vylade 0.8; 30002754 Alikara 0.7; 30000145 New Caldari 1.0; 30000180 Osmon 0.7
  30014971 Couster 0.9; 30011407 Akiainavas 0.7; 30011392 Jouvulen 0.9; 30000146 Saisio 0.7; 30042715 Trossere 0.9
  30001386 Saatuban 0.5; 30000143 Niyabainen 1.0; 30002049 Uttindar 0.5; 30002766 Iivinen 0.7; 30001363 Sobaseki 0.8
  30003525 Bagodan 0.7; 30002634 Balle 0.5; 30000154 Liekuri 0.6; 30002659 Dodixie 0.9; 30023410 Embod 1.0
  30001380 Vellaine 0.6; 30001387 Isikano 0.7; 30030141 Uitra 0.9; 30000119 Itamo 0.7; 30012505 Malukker 1.0
  30002790 Waskisen 0.7; 30003548 Barira 0.8; 30003794 Stacmon 0.6; 30000185 Airaken 0.5; 30005001 Arnon 0.8
`),
  lowsec: systemsOf(`
  30002813 Tama 0.3; 30005196 Ahbazon 0.4; 30002537 Amamake 0.4; 30004979 Heydieles 0.3; 30003792 Ostingele 0.2
  30004980 Fliet 0.3; 30002719 Miroitem 0.3; 30000186 Oijanen 0.4; 30004984 Abune 0.3; 30004280 Nalnifan 0.3
  30003467 Frulegur 0.4; 30005000 Old Man Star 0.3; 30000205 Obe 0.3; 30003886 Ashmarir 0.4; 30004982 Indregulle 0.2
  30002097 Klogori 0.3; 30002718 Rancer 0.4; 30005008 Aeschee 0.2; 30005195 Vecamia 0.4; 30005014 Isenan 0.3
  30004999 Ladistier 0.3; 30005320 Hevrice 0.4; 30045352 Nisuwa 0.3; 30004997 Vifrevaert 0.4; 30002809 Sujarento 0.3
  30045354 Reitsato 0.2; 30002807 Nagamanen 0.3; 30001446 Otsasai 0.3; 30002635 Decon 0.4; 30005035 Ami 0.4
  30000115 Bimener 0.3; 30005297 Ouelletta 0.4; 30000204 Ohkunen 0.4; 30045314 Kinakka 0.4; 30002723 Otou 0.3
  30004985 Deven 0.3; 30004977 Yvangier 0.4; 30003840 Anchauttes 0.3; 30002539 Siseide 0.3; 30002741 Horkkisen 0.4
  30001388 Mara 0.4; 30001681 Teshkat 0.4; 30000163 Akora 0.3; 30002980 Sosan 0.3; 30001447 Taisy 0.3
`),
  nullsec: systemsOf(`
  30002874 R1O-GN -0.1; 30000848 M-OEE8 -0.2; 30000240 4-HWWF -0.5; 30002593 68FT-6 -0.2; 30002005 5ZXX-K -0.2
  30002355 LXQ2-T -0.1; 30000999 N-RAEL -0.1; 30002001 Q-5211 -0.1; 30000250 P3EN-E -0.3; 30004590 B17O-R -0.1
  30001986 O-N8XZ -0.2; 30000294 1N-FJ8 -0.2; 30002844 Q-GICU -0.1; 30003125 A1-AUH -0.2; 30000492 O3-4MN -0.3
  30001199 3-OKDA -0.2; 30003217 7-UVMT -0.6; 30001957 F7-ICZ -0.3; 30001984 EC-P8R -0.4; 30004735 T5ZI-S -0.1
  30004576 APM-6K -0.1; 30001826 NEU-UD -0.7; 30001329 P-VYVL -0.1; 30000242 8TPX-N -0.4; 30004596 00GD-D -0.2
  30001269 H-PA29 -0.2; 30004046 F7C-H0 -0.1; 30000241 YMJG-4 -0.4; 30002840 MN9P-A -0.1; 30003114 0-O6XF -0.6
  30003683 O-CNPR -0.2; 30001768 8-AA98 -0.4; 30002002 R-2R0G -0.2; 30003277 PF-346 -0.4; 30003226 V-X0KM -0.3
  30001162 V-3YG7 -0.1; 30002440 BWF-ZZ -0.6; 30004644 V6-NY1 -0.6; 30004759 1DQ1-A -0.4; 30002851 O31W-6 -0.5
  30002589 9I-SRF -0.2; 30002588 H-64KI -0.2; 30001192 GJ0-OJ -0.1; 30004198 QT-EBC -0.1; 30003729 KBP7-G -0.3
  30001348 G9D-XW -0.3; 30002370 PX-IHN -0.1; 30004044 O-ZXUV -0.1; 30000843 J-ZYSZ -0.5; 30001158 SV5-8N -0.2
  30004643 57-KJB -0.3; 30002473 UBX-CC -0.1; 30003151 R-ARKN -0.3; 30000858 UMI-KK -0.2; 30001989 L-TS8S -0.2
`),
  wspace: systemsOf(`
  31000520 J150859 -1.0; 31001062 J154900 -1.0; 31001977 J101000 -1.0; 31000717 J221337 -1.0; 31001048 J172743 -1.0
  31000005 Thera -1.0; 31001333 J170376 -1.0; 31001100 J131802 -1.0; 31000909 J123303 -1.0; 31001795 J165943 -1.0
  31002063 J154846 -1.0; 31000414 J160715 -1.0; 31000838 J134306 -1.0; 31002074 J111150 -1.0; 31001148 J142400 -1.0
  31001559 J151940 -1.0; 31000505 J164130 -1.0; 31001998 J213055 -1.0; 31001669 J101145 -1.0; 31000439 J110656 -1.0
  31001191 J152741 -1.0; 31002520 J013123 -1.0; 31000776 J101719 -1.0; 31001056 J161455 -1.0
`),
  pochven: systemsOf(`
  30001445 Nalvula -1.0; 30002737 Konola -1.0; 30002411 Skarkon -1.0; 30005029 Vale -1.0; 30040141 Urhinichi -1.0
  30002079 Krirald -1.0
`),
  abyssal: systemsOf(`
  32000039 AD039 -1.0; 32000148 AD148 -1.0; 32000074 AD074 -1.0; 32000104 AD104 -1.0
`)
}

export type Space = keyof typeof systems

export const factions = listOf(`
  500001 Caldari State; 500002 Minmatar Republic; 500003 Amarr Empire; 500004 Gallente Federation; 500006 CONCORD Assembly
  500010 Guristas Pirates; 500011 Angel Cartel; 500012 Blood Raider Covenant; 500019 Sansha's Nation; 500020 Serpentis
  500021 Unknown; 500024 Drifters; 500025 Rogue Drones; 500026 Triglavian Collective; 500027 EDENCOM
`)

/** The four militias: the factions that capsuleers fight for. */
export const militias = factions.slice(0, 4)

/** Police and pirates that kill, the schools and the militias' corporations, which capsuleers are members of. */
export const npcCorporations = listOf(`
  1000166 Imperial Academy; 1000167 State War Academy; 1000168 Federal Navy Academy; 1000170 Republic Military School
  1000165 Hedion University; 1000169 Center for Advanced Studies; 1000171 Republic University; 1000172 Pator Tech School
  1000180 State Protectorate; 1000182 Tribal Liberation Force; 1000179 24th Imperial Crusade; 1000181 Federal Defense Union
  1000125 CONCORD; 1000043 Corporate Police Force; 1000127 Guristas; 1000124 Archangels; 1000134 Blood Raiders
  1000162 True Power; 1000135 Serpentis Corporation; 1000137 DED; 1000292 Veles Clade; 1000293 Perun Clade
  1000274 Vigilant Tyrannos
`)

export const schools = npcCorporations.slice(0, 8)

/** NPCs as attackers: their ship, and the faction or the corporation that the mail names. It never names both. */
export const pirates: ReadonlyArray<Named & { readonly faction?: number; readonly corporation?: number }> = [
  { id: 3885, name: "CONCORD Police Captain", corporation: 1000125 },
  { id: 47465, name: "Unstable Abyssal Depths", faction: 500021 },
  { id: 9970, name: "Caldari Police 3rd Lieutenant", corporation: 1000043 },
  { id: 1194, name: "Amarr Sentry Gun", faction: 500003 },
  { id: 3740, name: "Caldari Sentry Gun I", faction: 500001 },
  { id: 56148, name: "Devoted Knight", corporation: 1000162 },
  { id: 48091, name: "Harrowing Vedmak", corporation: 1000293 },
  { id: 24160, name: "Centus Tyrant", faction: 500019 },
  { id: 34495, name: "Drifter Battleship", faction: 500024 },
  { id: 48092, name: "Striking Damavik", corporation: 1000292 },
  { id: 11029, name: "Guristas Destructor", corporation: 1000127 },
  { id: 24140, name: "Corpus Pope", faction: 500012 },
  { id: 24129, name: "Gist Cherubim", faction: 500011 },
  { id: 11024, name: "Angel Impaler", corporation: 1000124 },
  { id: 24150, name: "Pith Usurper", faction: 500010 },
  { id: 23326, name: "Guristas Revolter", corporation: 1000127 }
]

/** The name of anything of the game itself, or nothing. */
export const gameNameOf = (id: number): string | undefined => gameNames.get(id)

/** True for type ids that the sandbox's `/universe/types/{id}` knows. */
export const isType = (id: number): boolean => typeIds.has(id)

const types: ReadonlyArray<Named> = [capsule, ...Object.values(ships).flat(), ...fittings, ...pirates]

export const typeIds: ReadonlySet<number> = new Set(types.map(({ id }) => id))

const gameNames = new Map(
  [...types, ...Object.values(systems).flat(), ...factions, ...npcCorporations].map(({ id, name }) => [id, name])
)
