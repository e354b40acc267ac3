/** A notification as a device is told of it: a title and a line, and the facts as an app reads them. Pure. */
import type { Notification, NotificationKind } from "../store/Notifications.ts"

/** As FCM wants it, without the device's token; values of `data` are texts. */
export interface PushMessage {
  readonly notification: { readonly title: string; readonly body: string }
  readonly data: Readonly<Record<string, string>>
  readonly android: {
    readonly priority: "HIGH"
    readonly ttl: string
    readonly notification: { readonly tag: string }
  }
  readonly apns: { readonly headers: Readonly<Record<string, string>> }
}

/** A message that came to no device within a day is of no use to anybody. */
export const usefulMillis = 86_400_000

/** Characters of the facts; Google takes 4096 bytes in all. What is longer an app asks us for. */
const mostFacts = 2000

const titles: Readonly<Record<NotificationKind, string>> = {
  skill_done: "Skill trained",
  order_filled: "Market order filled",
  order_expired: "Market order expired",
  job_done: "Industry job done",
  extractor_finished: "Extractor finished",
  mail_received: "EVE mail received",
  killmail_matched: "Killmail"
}

/** `names` are of ids in its data, as far as they are known. */
export const pushMessageOf = (
  { character_id, data, id, kind }: Pick<Notification, "id" | "character_id" | "kind" | "data">,
  names: ReadonlyMap<number, string>
): PushMessage => {
  const nameOf = (field: string): string => names.get(Number(data[field])) ?? String(data[field] ?? "")
  const lines: Readonly<Record<NotificationKind, () => string>> = {
    skill_done: () => `${nameOf("skill_id")} ${String(data["level"])}`,
    order_filled: () => nameOf("type_id"),
    order_expired: () => nameOf("type_id"),
    job_done: () => nameOf(data["product_type_id"] === null ? "blueprint_type_id" : "product_type_id"),
    extractor_finished: () => nameOf("planet_id"),
    mail_received: () => String(data["subject"] ?? "").slice(0, 100),
    killmail_matched: () =>
      `${String(data["alert"])}: ${nameOf("ship_type_id")} in ${nameOf("solar_system_id")}, ${
        iskIn(data["total_value"])
      }`
  }
  const pilot = character_id === null ? undefined : names.get(character_id)
  const line = lines[kind]()
  const facts = JSON.stringify(data)
  return {
    notification: { title: titles[kind], body: pilot === undefined ? line : `${pilot}: ${line}` },
    data: { notification_id: id, kind, facts: facts.length <= mostFacts ? facts : "{}" },
    // One that is told twice, as a process died before it was noted, takes its own place on the device.
    android: { priority: "HIGH", ttl: `${usefulMillis / 1000}s`, notification: { tag: id } },
    apns: { headers: { "apns-priority": "10", "apns-collapse-id": id } }
  }
}

/** `1.2bn ISK`, as pilots say it. */
const iskIn = (value: unknown): string => {
  const isk = Number(value)
  const [divisor, unit] = isk >= 1e9 ? [1e9, "bn"] : isk >= 1e6 ? [1e6, "m"] : [1e3, "k"]
  return `${(isk / divisor).toFixed(1)}${unit} ISK`
}
