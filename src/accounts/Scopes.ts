/**
 * What killmaild asks every pilot for, always all of it: EVE's SSO ends a character's older grant when a newer one has other
 * scopes.
 */
export const scopes = [
  "publicData",
  "esi-killmails.read_killmails.v1",
  "esi-killmails.read_corporation_killmails.v1",
  "esi-skills.read_skills.v1",
  "esi-skills.read_skillqueue.v1",
  "esi-mail.read_mail.v1",
  "esi-markets.read_character_orders.v1",
  "esi-industry.read_character_jobs.v1",
  "esi-planets.manage_planets.v1",
  "esi-characters.read_notifications.v1",
  "esi-characters.read_corporation_roles.v1",
  "esi-universe.read_structures.v1"
] as const
