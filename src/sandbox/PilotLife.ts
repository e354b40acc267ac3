/**
 * What a pilot does by the clock, so that ESI has something new to tell every 20 minutes: skills that are trained, mails that
 * come, orders that are filled, cancelled or expire, industry jobs and extractors that end. A pure function of pilot and time.
 */

/** In milliseconds, at true speed. */
const beat = 1_200_000
const day = 86_400_000

/** Skill points of each level of a skill of rank 1. */
const pointsOf = [0, 250, 1_415, 8_000, 45_255, 256_000] as const
/** So many skills are trained in turn, each to its next level. */
const skillsInTurn = 40
const firstSkill = 3_300
const queued = 10

/** Mails of a page. */
const mailsShown = 50
const mailsBefore = 5

const ores = [2_267, 2_268] as const
const planetTypes = ["barren", "gas"] as const

export const pilotLife = (characterId: number, begun: number, speed: number) => {
  const period = beat / speed
  const at = (number: number): number => begun + number * period
  const countAt = (now: number): number => Math.floor((now - begun) / period)
  /** What began within the last beats, and at most so many of them ago. */
  const since = (now: number, beats: number): ReadonlyArray<number> =>
    Array.from({ length: beats + 1 }, (_, back) => countAt(now) - back)

  const skills = (now: number) => {
    const trained = Math.max(0, countAt(now))
    const known = Array.from({ length: Math.min(trained, skillsInTurn) }, (_, skill) => {
      const level = levelOf(skill, trained)
      return {
        skill_id: firstSkill + skill,
        trained_skill_level: level,
        active_skill_level: level,
        skillpoints_in_skill: pointsOf[level]!
      }
    })
    return {
      skills: known,
      total_sp: known.reduce((sum, { skillpoints_in_skill: sp }) => sum + sp, 0),
      unallocated_sp: 0
    }
  }

  /** With the one that was finished last: it goes when the pilot logs in. */
  const skillQueue = (now: number) => {
    const first = Math.max(0, countAt(now) - 1)
    return Array.from({ length: queued }, (_, position) => {
      const number = first + position
      const level = Math.min(5, Math.floor(number / skillsInTurn) + 1)
      return {
        skill_id: firstSkill + number % skillsInTurn,
        finished_level: level,
        queue_position: position,
        start_date: iso(at(number)),
        finish_date: iso(at(number + 1)),
        training_start_sp: pointsOf[level - 1]!,
        level_start_sp: pointsOf[level - 1]!,
        level_end_sp: pointsOf[level]!
      }
    })
  }

  const mail = (now: number, before = Number.POSITIVE_INFINITY) =>
    since(now, 1_000)
      .filter((number) => number >= -mailsBefore && mailIdOf(number) < before)
      .slice(0, mailsShown)
      .map((number) => ({
        mail_id: mailIdOf(number),
        from: 90_000_000 + Math.abs(number),
        subject: `Fleet ${number + mailsBefore + 1}`,
        timestamp: iso(at(number)),
        is_read: number < countAt(now) - 1,
        labels: [1],
        recipients: [{ recipient_id: characterId, recipient_type: "character" }]
      }))

  const mailIdOf = (number: number): number => 370_000_000 + characterId % 10_000 * 1_000 + number + mailsBefore

  /** One of three is sold bit by bit, one is cancelled, and one expires. */
  const order = (number: number) => {
    const fate = (["filled", "cancelled", "expired"] as const)[Math.abs(number) % 3]!
    const ended = at(number + (fate === "filled" ? 4 : 3))
    const duration = fate === "expired" ? 1 : 90
    return {
      fate,
      ended,
      shown: (now: number) => ({
        order_id: 6_900_000_000 + characterId % 10_000 * 1_000 + number + 10,
        type_id: 34 + Math.abs(number) % 8,
        region_id: 10_000_002,
        location_id: 60_003_760,
        range: "region",
        price: 5 + Math.abs(number) % 7,
        volume_total: 1_000,
        volume_remain: fate === "filled" ? Math.max(0, 1_000 - 250 * Math.max(0, countAt(now) - number)) : 1_000,
        issued: iso(fate === "expired" ? ended - duration * day : at(number)),
        duration,
        is_corporation: false
      })
    }
  }

  const orders = (now: number) =>
    since(now, 4).map(order).filter(({ ended }) => ended > now).map(({ shown }) => shown(now))

  const orderHistory = (now: number) =>
    since(now, 100).map(order)
      .filter(({ ended, fate }) => ended <= now && fate !== "filled")
      .map(({ fate, shown }) => ({ ...shown(now), state: fate }))

  /** Three beats long; delivered one after that. */
  const industryJobs = (now: number) =>
    since(now, 3).map((number) => {
      const end = at(number + 3)
      return {
        job_id: 600_000_000 + characterId % 10_000 * 1_000 + number + 10,
        installer_id: characterId,
        facility_id: 60_003_760,
        station_id: 60_003_760,
        activity_id: 1,
        blueprint_id: 1_000_000_000_000 + characterId,
        blueprint_type_id: 691,
        blueprint_location_id: 60_003_760,
        output_location_id: 60_003_760,
        product_type_id: 587,
        runs: 10,
        cost: 118.5,
        duration: Math.max(1, Math.round(3 * period / 1000)),
        status: end > now ? "active" : "ready",
        start_date: iso(at(number)),
        end_date: iso(end)
      }
    })

  const planetIds = planetTypes.map((_, planet) => 40_000_000 + characterId % 10_000 * 10 + planet)

  /** The extractor runs for three beats, stands still for one, and is started again. */
  const extractor = (planet: number, now: number) => {
    const installed = at(Math.floor((countAt(now) - 2 * planet) / 4) * 4 + 2 * planet)
    return { installed, expires: installed + 3 * period }
  }

  const planets = (now: number) =>
    planetIds.map((planet_id, planet) => ({
      planet_id,
      solar_system_id: 30_000_142,
      planet_type: planetTypes[planet]!,
      owner_id: characterId,
      upgrade_level: 4,
      num_pins: 2,
      last_update: iso(extractor(planet, now).installed)
    }))

  const colony = (planetId: number, now: number) => {
    const planet = planetIds.indexOf(planetId)
    if (planet === -1) return undefined
    const { expires, installed } = extractor(planet, now)
    const place = { latitude: 1.55, longitude: 0.717 }
    const pin_id = 1_000_000_000_000 + planetId
    return {
      links: [],
      routes: [],
      pins: [
        { ...place, pin_id, type_id: 2_524 },
        {
          ...place,
          pin_id: pin_id + 1_000_000_000,
          type_id: 2_848,
          install_time: iso(installed),
          last_cycle_start: iso(installed),
          expiry_time: iso(expires),
          extractor_details: {
            cycle_time: 1_800,
            head_radius: 0.0387,
            heads: [{ head_id: 0, latitude: 1.1, longitude: 0.7 }],
            product_type_id: ores[planet]!,
            qty_per_cycle: 6_912
          }
        }
      ]
    }
  }

  return { skills, skillQueue, mail, orders, orderHistory, industryJobs, planets, colony }
}

const levelOf = (skill: number, trained: number): number =>
  Math.min(5, Math.floor((trained - skill - 1) / skillsInTurn) + 1)

const iso = (millis: number): string => new Date(millis).toISOString().slice(0, 19) + "Z"
