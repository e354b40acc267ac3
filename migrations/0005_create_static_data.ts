/**
 * What the game itself is made of, as CCP's static data (the SDE) tell it, and which of their builds is here. Names are
 * English. There are no foreign keys: an import may lack what another row names.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  yield* sql`
    create table types (
      type_id integer primary key,
      name text not null,
      group_id integer not null,
      market_group_id integer,
      meta_group_id integer,
      published boolean not null
    )`
  yield* sql`
    create table groups (
      group_id integer primary key,
      name text not null,
      category_id integer not null
    )`
  yield* sql`
    create table categories (
      category_id integer primary key,
      name text not null
    )`
  yield* sql`
    create table market_groups (
      market_group_id integer primary key,
      name text not null,
      parent_group_id integer
    )`

  // Only the attributes that a rule reads (domain/StaticData.ts).
  yield* sql`
    create table type_dogma (
      type_id integer,
      attribute_id integer,
      value float8 not null,
      primary key (type_id, attribute_id)
    )`

  // What reprocessing one portion yields: CCP's typeMaterials. What building takes is in blueprint_materials.
  yield* sql`
    create table type_materials (
      type_id integer,
      material_type_id integer,
      quantity bigint not null,
      primary key (type_id, material_type_id)
    )`

  // Manufacturing alone: one run, without any research or bonus.
  yield* sql`
    create table blueprints (
      blueprint_type_id integer primary key,
      product_type_id integer not null,
      output_quantity bigint not null
    )`
  yield* sql`create index on blueprints (product_type_id)`
  yield* sql`
    create table blueprint_materials (
      blueprint_type_id integer,
      material_type_id integer,
      quantity bigint not null,
      primary key (blueprint_type_id, material_type_id)
    )`

  // Several may make the same: the one that is published, then the oldest.
  yield* sql`
    create function manufacturing_blueprint(product integer) returns integer
    language sql stable
    return (
      select blueprint_type_id
      from blueprints
      left join types on type_id = blueprint_type_id
      where product_type_id = product
      order by coalesce(published, false) desc, blueprint_type_id
      limit 1
    )`

  // security is the true one, -1 to 1.
  yield* sql`
    create table solar_systems (
      solar_system_id integer primary key,
      name text not null,
      constellation_id integer not null,
      region_id integer not null,
      security float8 not null
    )`
  yield* sql`
    create table constellations (
      constellation_id integer primary key,
      name text not null,
      region_id integer not null
    )`
  yield* sql`
    create table regions (
      region_id integer primary key,
      name text not null
    )`

  // Metres from the centre of the system, as positions of killmails are. group_id: 6 sun, 7 planet, 8 moon,
  // 9 asteroid belt, 10 stargate, 15 station.
  yield* sql`
    create table celestials (
      celestial_id integer primary key,
      solar_system_id integer not null,
      type_id integer not null,
      group_id integer not null,
      x float8 not null,
      y float8 not null,
      z float8 not null,
      name text
    )`
  yield* sql`create index on celestials (solar_system_id)`

  yield* sql`
    create table factions (
      faction_id integer primary key,
      name text not null
    )`
  yield* sql`
    create table npc_corporations (
      corporation_id integer primary key,
      name text not null,
      ticker text,
      faction_id integer
    )`

  // Which builds were imported; the last row is what is here. revision: the reading of them, raised when a newer
  // killmaild takes more out of the same build. missing: members that the archive did not have.
  yield* sql`
    create table static_data_imports (
      id integer generated always as identity primary key,
      build_number integer,
      released_at timestamptz,
      imported_at timestamptz not null default clock_timestamp(),
      revision integer not null,
      source text not null,
      missing text[] not null
    )`

  // Raised with every change, for those who keep a copy of what they read.
  yield* sql`
    create table static_data_version (
      singleton boolean primary key default true check (singleton),
      version integer not null
    )`
  yield* sql`insert into static_data_version (version) values (0)`

  // Types and systems that killmails name and nobody here knows: ESI is to be asked. unknown_at: ESI knows none such.
  yield* sql`
    create table static_data_requests (
      kind text check (kind in ('type', 'system')),
      id integer,
      requested_at timestamptz not null default now(),
      unknown_at timestamptz,
      primary key (kind, id)
    )`

  // Where in a ship or hangar an item was. CCP's static data have no such list any more; the last of it, and what came since.
  yield* sql`
    create table inventory_flags (
      flag_id integer primary key,
      name text not null,
      text text not null
    )`
  yield* sql`
    insert into inventory_flags
    select first + n, name || n, label || (n + 1)
    from (values
      (11, 8, 'LoSlot', 'Low power slot '),
      (19, 8, 'MedSlot', 'Medium power slot '),
      (27, 8, 'HiSlot', 'High power slot '),
      (92, 8, 'RigSlot', 'Rig power slot '),
      (125, 8, 'SubSystem', 'Subsystem slot '),
      (159, 5, 'FighterTube', 'Fighter tube '),
      (164, 8, 'StructureServiceSlot', 'Structure service slot ')
    ) slots(first, count, name, label), generate_series(0, count - 1) n`
  yield* sql`
    insert into inventory_flags
    select first + n - 1, name || n, label || n
    from (values
      (70, 16, 'Office Slot ', 'Office slot '),
      (115, 7, 'CorpSAG', 'Corporation hangar division ')
    ) slots(first, count, name, label), generate_series(1, count) n`
  yield* sql`
    insert into inventory_flags values
      (0, 'None', 'None'),
      (1, 'Wallet', 'Wallet'),
      (2, 'Offices', 'Offices'),
      (3, 'Wardrobe', 'Wardrobe'),
      (4, 'Hangar', 'Hangar'),
      (5, 'Cargo', 'Cargo'),
      (6, 'OfficeImpound', 'Impounded offices'),
      (7, 'Skill', 'Skill'),
      (8, 'Reward', 'Reward'),
      (35, 'Fixed Slot', 'Fixed slot'),
      (36, 'AssetSafety', 'Asset safety'),
      (56, 'Capsule', 'Capsule'),
      (57, 'Pilot', 'Pilot'),
      (61, 'Skill In Training', 'Skill in training'),
      (62, 'CorpMarket', 'Corporation market deliveries'),
      (63, 'Locked', 'Locked'),
      (64, 'Unlocked', 'Unlocked'),
      (86, 'Bonus', 'Bonus'),
      (87, 'DroneBay', 'Drone bay'),
      (88, 'Booster', 'Booster'),
      (89, 'Implant', 'Implant'),
      (90, 'ShipHangar', 'Ship hangar'),
      (91, 'ShipOffline', 'Ship offline'),
      (122, 'SecondaryStorage', 'Secondary storage'),
      (133, 'SpecializedFuelBay', 'Fuel bay'),
      (134, 'SpecializedOreHold', 'Ore hold'),
      (135, 'SpecializedGasHold', 'Gas hold'),
      (136, 'SpecializedMineralHold', 'Mineral hold'),
      (137, 'SpecializedSalvageHold', 'Salvage hold'),
      (138, 'SpecializedShipHold', 'Ship hold'),
      (139, 'SpecializedSmallShipHold', 'Small ship hold'),
      (140, 'SpecializedMediumShipHold', 'Medium ship hold'),
      (141, 'SpecializedLargeShipHold', 'Large ship hold'),
      (142, 'SpecializedIndustrialShipHold', 'Industrial ship hold'),
      (143, 'SpecializedAmmoHold', 'Ammunition hold'),
      (144, 'StructureActive', 'Structure active'),
      (145, 'StructureInactive', 'Structure inactive'),
      (146, 'JunkyardReprocessed', 'Reprocessed'),
      (147, 'JunkyardTrashed', 'Trashed'),
      (148, 'SpecializedCommandCenterHold', 'Command center hold'),
      (149, 'SpecializedPlanetaryCommoditiesHold', 'Planetary commodities hold'),
      (150, 'PlanetSurface', 'Planet surface'),
      (151, 'SpecializedMaterialBay', 'Material bay'),
      (152, 'DustCharacterDatabank', 'Dust character databank'),
      (153, 'DustCharacterBattle', 'Dust character battle'),
      (154, 'QuafeBay', 'Quafe bay'),
      (155, 'FleetHangar', 'Fleet hangar'),
      (156, 'HiddenModifiers', 'Hidden modifiers'),
      (157, 'StructureOffline', 'Structure offline'),
      (158, 'FighterBay', 'Fighter bay'),
      (172, 'StructureFuel', 'Structure fuel'),
      (173, 'Deliveries', 'Deliveries'),
      (174, 'CrateLoot', 'Crate loot'),
      (176, 'BoosterBay', 'Booster hold'),
      (177, 'SubsystemBay', 'Subsystem hold'),
      (179, 'FrigateEscapeBay', 'Frigate escape bay'),
      (180, 'StructureDeedBay', 'Structure deed bay'),
      (181, 'SpecializedIceHold', 'Ice hold'),
      (185, 'ColonyResourcesHold', 'Infrastructure hold'),
      (186, 'MoonMaterialBay', 'Moon material bay')`
})
