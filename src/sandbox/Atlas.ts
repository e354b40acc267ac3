/**
 * Where the systems of `Gazetteer.ts` are: their real constellations and regions; and what is in them, which is invented:
 * suns, planets, moons, belts, gates to the next system of the list, stations. Metres from the sun.
 */
import { type System, systems as bySpace } from "./Gazetteer.ts"
import type { Named } from "./Hangar.ts"
import { type Random, randomOf } from "./Random.ts"

export interface Constellation extends Named {
  readonly region: number
}

interface Place {
  readonly id: number
  readonly x: number
  readonly y: number
  readonly z: number
}

/** Bodies are numbered as in the game: planets from the sun, moons and belts from their planet. */
interface Body extends Place {
  readonly orbit: number
  /** Of the planet, or of the planet that it belongs to. */
  readonly planetIndex: number
  readonly index: number
}

export interface Chart extends System {
  readonly constellation: Constellation
  /** Not rounded. */
  readonly trueSecurity: number
  readonly sun: number
  readonly planets: ReadonlyArray<Body>
  readonly moons: ReadonlyArray<Body>
  readonly belts: ReadonlyArray<Body>
  readonly gates: ReadonlyArray<Place & { readonly to: number; readonly toGate: number }>
  readonly stations: ReadonlyArray<Body>
}

/** Regions; deeper, their constellations with systems. */
const table = `
  10000001 Derelik
    20000002 Anares: 30000010
    20000016 Joas: 30000115
  10000002 The Forge
    20000017 Ruomo: 30000125 30000119
    20000018 Anttanen: 30000129 30030141
    20000020 Kimotoro: 30000142 30000144 30000140 30000145 30000143
    20000021 Okomon: 30000147 30000146
    20000022 Onirvura: 30000153 30000156 30000154
    20000023 Ihatalo: 30000160 30000163
    20000026 Aulari: 30000180 30000185 30000186
    20000029 Orpana: 30000205 30000204
  10000003 Vale of the Silent
    20000034 I89-EP: 30000240 30000242 30000241
    20000035 Z-DO53: 30000250
    20000041 DILJ-7: 30000294
  10000005 Detorid
    20000071 D-95MV: 30000492
  10000009 Insmother
    20000123 R-CL2W: 30000843
  10000010 Tribute
    20000124 1P-VL2: 30000848
    20000125 X-VN63: 30000858
  10000011 Great Wildlands
    20000146 I3-2J0: 30000999
  10000014 Catch
    20000169 UX3-N2: 30001162 30001158
    20000174 XR9-LP: 30001192
    20000175 9HXQ-G: 30001199
  10000015 Venal
    20000185 ST-0EZ: 30001269
    20000193 Y8HB-U: 30001329
    20000196 0HD-6C: 30001348
  10000016 Lonetrek
    20000199 Koichi: 30001363
    20000201 Okela: 30011392
    20000202 Kaala: 30001380
    20000203 Makiriemi: 30001389 30001391 30001386 30001387 30001388
    20000206 Karnola: 30011407
    20000212 Mito: 30001446 30001447
  10000020 Tash-Murkon
    20000249 Sukanan: 30001681
  10000021 Outer Passage
    20000262 U-IOR1: 30001768
    20000270 KPU3-3: 30001826
  10000022 Stain
    20000288 R-IZDC: 30001957
  10000023 Pure Blind
    20000292 YS-GOP: 30001986 30001984 30001989
    20000294 LY-FY6: 30002001 30002002
    20000295 U-7RBK: 30002005
  10000027 Etherium Reach
    20000345 8AO-5V: 30002355
    20000348 1VN-XC: 30002370
  10000029 Geminate
    20000358 IPS-QB: 30002440
    20000363 F-ZNNG: 30002473
  10000030 Heimatar
    20000367 Ortner: 30012505
    20000372 Hed: 30002537 30002539
  10000031 Impass
    20000380 ZYR-NF: 30002593 30002589 30002588
  10000032 Sinq Laison
    20000386 Disier: 30002641 30002634 30002635
    20000389 Coriault: 30002655 30002659
    20000398 Aeman: 30002719 30002718 30002723
    20000400 Ambrye: 30042715
  10000033 The Citadel
    20000401 Imurukka: 30002741
    20000403 Arekin: 30002754
    20000405 Caldari Border Zone: 30002765 30002766
    20000406 Kantanen: 30002768
    20000409 Suon: 30002790
    20000411 Tasen: 30002803
    20000412 Isoma: 30002813 30002809 30002807
  10000034 The Kalevala Expanse
    20000417 3NA-Z1: 30002844 30002840
    20000418 S4S-SD: 30002851
    20000422 P-B2NE: 30002874
  10000036 Devoid
    20000434 Ryra: 30002964
    20000435 Kisana: 30002971 30002970 30002972
    20000436 Jayai: 30002980
  10000039 Esoteria
    20000455 Q-2BI6: 30003114
    20000457 R2-BT6: 30003125
    20000460 E-ILCH: 30003151
  10000040 Oasa
    20000470 3RU-10: 30003217
    20000471 DOCS-O: 30003226
  10000041 Syndicate
    20000478 Z-6NQ6: 30003277
  10000042 Metropolis
    20000302 Barvigrard: 30002053 30002049
    20000305 Ani: 30002068
    20000309 Angils: 30002097
    20000497 Meinigefur: 30023410
    20000506 Hulf: 30003467
  10000043 Domain
    20000322 Throne Worlds: 30002187
    20000323 Mobit: 30002203
    20000514 Maddam: 30003525
    20000517 Maseend: 30003548
  10000046 Fade
    20000537 UWRZ-2: 30003683
  10000047 Providence
    20000544 XV7L-S: 30003729
  10000048 Placid
    20000553 Viriette: 30003792
    20000554 Fislipesnes: 30003794
    20000561 Amevync: 30003840
  10000049 Khanid
    20000567 Youledian: 30003886
  10000051 Cloud Ring
    20000591 Balenne: 30004046 30004044
  10000052 Kador
    20000603 Araz: 30004127
  10000053 Cobalt Edge
    20000614 I-WRVM: 30004198
  10000054 Aridia
    20000626 Leseasesh: 30004280
  10000058 Fountain
    20000668 Sphinx: 30004576
    20000670 Unicorn: 30004590
    20000671 Satyr: 30004596
    20000678 Minotaur: 30004644 30004643
  10000060 Delve
    20000692 SPNZ-Z: 30004735
    20000696 O-EIMK: 30004759
  10000064 Essence
    20000727 Crux: 30014971
    20000728 Patrie: 30004977
    20000729 Jeon: 30004979 30004980 30004984 30004982 30004985
    20000731 Vieres: 30005000 30004999 30004997
    20000732 Peccanouette: 30005001 30005008
    20000733 Arand: 30005014
  10000065 Kor-Azor
    20000736 Jatari: 30005035
  10000067 Genesis
    20000760 Nazdirer: 30005196 30005195
    20000763 Ekrin: 30005216
  10000068 Verge Vendor
    20000775 Woenckee: 30005297
    20000778 Obray: 30005320
  10000069 Black Rise
    20000782 Okakuola: 30045352 30045354
    20000783 Inolari: 30045314
  10000070 Pochven
    20000787 Krai Perun: 30001445 30002737 30002079
    20000788 Krai Svarog: 30002411 30040141
    20000789 Krai Veles: 30005029
  11000004 B-R00004
    21000026 B-C00026: 31000414
    21000029 B-C00029: 31000439
    21000326 B-C00326: 31002520
  11000005 B-R00005
    21000035 B-C00035: 31000505
    21000037 B-C00037: 31000520
  11000007 B-R00007
    21000056 B-C00056: 31000717
  11000008 B-R00008
    21000062 B-C00062: 31000776
    21000068 B-C00068: 31000838
  11000009 C-R00009
    21000080 C-C00080: 31000909
  11000011 C-R00011
    21000102 C-C00102: 31001048
    21000103 C-C00103: 31001056
    21000104 C-C00104: 31001062
  11000012 C-R00012
    21000110 C-C00110: 31001100
    21000117 C-C00117: 31001148
  11000013 C-R00013
    21000124 C-C00124: 31001191
  11000015 C-R00015
    21000146 C-C00146: 31001333
  11000019 D-R00019
    21000180 D-C00180: 31001559
  11000021 D-R00021
    21000197 D-C00197: 31001669
  11000022 D-R00022
    21000218 D-C00218: 31001795
  11000025 E-R00025
    21000244 E-C00244: 31001977
    21000247 E-C00247: 31001998
  11000026 E-R00026
    21000256 E-C00256: 31002063
    21000257 E-C00257: 31002074
  11000031 G-R00031
    21000324 G-C00324: 31000005
  12000001 ADR01
    22000005 ADC05: 32000039
  12000002 ADR02
    22000010 ADC10: 32000074
  12000003 ADR03
    22000013 ADC13: 32000104
  12000004 ADR04
    22000019 ADC19: 32000148
`

const lines = table.trim().replaceAll(/\n {6}\s*/g, " ").split("\n")

export const regions: ReadonlyArray<Named> = lines.flatMap((line) => {
  const [, id, name] = /^ {0,2}(\d+) ([^:]+)$/.exec(line) ?? []
  return id === undefined ? [] : [{ id: Number(id), name: name! }]
})

const parsed = (() => {
  let region = 0
  return lines.flatMap((line) => {
    const [, id, name, systems] = /^\s*(\d+) ([^:]+)(?:: ([\d ]+))?$/.exec(line)!
    if (systems !== undefined) return [{ id: Number(id), name: name!, region, systems: systems.split(" ").map(Number) }]
    region = Number(id)
    return []
  })
})()

export const constellations: ReadonlyArray<Constellation> = parsed.map(({ id, name, region }) => ({ id, name, region }))

const constellationOf = new Map(
  parsed.flatMap(({ systems, ...constellation }) => systems.map((system) => [system, constellation] as const))
)

const systems: ReadonlyArray<System> = Object.values(bySpace).flat().toSorted((a, b) => a.id - b.id)

/** Ids that a system may give out of each kind. */
const share = 100

/** Where the list ends it begins anew: gates lead round through all systems. */
const turn = (number: number): number => (number + systems.length) % systems.length
const gateId = (number: number, way: number): number => 50_000_000 + turn(number) * 2 + way

const chartOf = (system: System, number: number): Chart => {
  const random = randomOf("chart", system.id)
  const sun = { id: 40_000_000 + number * share, x: 0, y: 0, z: 0 }
  let next = sun.id + 1
  const body = (around: Place, planetIndex: number, index: number, distance: number): Body => ({
    id: next++,
    orbit: around.id,
    planetIndex,
    index,
    ...near(random, around, distance)
  })
  const planets = Array.from(
    { length: random.whole(1, 4) },
    (_, index) => body(sun, index + 1, index + 1, 5e10 * 3 ** index)
  )
  const aroundPlanets = (most: number, distance: number) =>
    planets.flatMap((planet) =>
      Array.from(
        { length: random.whole(0, most) },
        (_, index) => body(planet, planet.planetIndex, index + 1, distance * (index + 1))
      )
    )
  const moons = aroundPlanets(3, 4e8)
  const belts = aroundPlanets(1, 9e8)
  const gate = (way: 0 | 1, step: number) => ({
    id: gateId(number, way),
    ...near(random, sun, 2e12),
    to: systems[turn(number + step)]!.id,
    toGate: gateId(number + step, 1 - way)
  })
  return {
    ...system,
    constellation: constellationOf.get(system.id)!,
    trueSecurity: system.security === -1 ? -0.99 : system.security + 0.09 * (random.next() - 0.5),
    sun: sun.id,
    planets,
    moons,
    belts,
    gates: system.id < 31_000_000 ? [gate(0, -1), gate(1, 1)] : [],
    // In high security there is one, at the first moon.
    stations: moons.slice(0, system.security >= 0.45 ? 1 : 0).map((moon) => ({
      ...body(moon, moon.planetIndex, moon.index, 1e7),
      id: 60_000_000 + number
    }))
  }
}

const near = (random: Random, { x, y, z }: Place, distance: number) => {
  const angle = 2 * Math.PI * random.next()
  return {
    x: x + distance * Math.cos(angle),
    y: y + distance * 0.1 * (random.next() - 0.5),
    z: z + distance * Math.sin(angle)
  }
}

/** All systems, by id. */
export const charts: ReadonlyMap<number, Chart> = new Map(
  systems.map((system, number) => [system.id, chartOf(system, number)])
)
