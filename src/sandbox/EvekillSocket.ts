/**
 * EVE-KILL's WebSocket in the dialects of its two programs: Shrike's at `/ws/killmails`, and that of Thessia, which came
 * before, at `/killmails`. Best effort: nothing is repeated, and whoever breaks a rule is cut off.
 */
import type { WebSocket } from "ws"
import { hashOf, type Killmail } from "../domain/Killmail.ts"
import type { Entry, EveKillFeed } from "./EveKillFeed.ts"
import { grace, type Judge } from "./Judge.ts"
import { type Ask, json, type Upstream } from "./Upstream.ts"
import { zkbOf } from "./Zkb.ts"

/** Between two pings. */
const pingMillis = 30_000
/** Thessia drops whoever has not answered its ping after so long. */
const pongMillis = 5_000
/** How often a socket looks for news, in milliseconds of real time: what it may add to the latency. */
const look = 20
const mostTopics = 128
const longestTopic = 128
const longestMessage = 16 * 1024

const topics = ["all", "solo", "npc", "5b", "10b"]
const prefixes = ["victim.", "attacker.", "system."]

/** What one of the two programs says. */
interface Dialect {
  readonly hello: object
  readonly subscribed: (topics: ReadonlyArray<string>) => object
  readonly refused: (message: string) => object
  /** The topics that a message asks for; undefined when it is no subscription. */
  readonly wanted: (text: string) => ReadonlyArray<string> | undefined
  readonly frame: (entry: Entry) => object
}

export const evekillSocket = (feed: EveKillFeed, judge: Judge, speed: number): Upstream => {
  const accept = (ask: Ask, socket: WebSocket) => {
    const isOld = ask.path === "/killmails"
    const dialect = isOld ? thessia : shrike
    const send = (message: object) => socket.send(JSON.stringify(message))
    let wanted: ReadonlySet<string> = new Set()
    let told = feed.latest(Date.now())
    let pinged = 0

    const breach = (detail: string) => {
      judge.accuse(ask, "protocol", detail)
      socket.close(1008, detail)
    }
    const tell = () => {
      const entries = feed.after(told, 1000, Date.now()).flatMap((entry) => "seq" in entry ? [entry] : [])
      told = feed.latest(Date.now())
      for (const entry of entries) if (isWanted(entry.killmail, wanted)) send(dialect.frame(entry))
    }
    const ping = () => {
      if (!isOld) return socket.ping()
      if (pinged === 0) pinged = Date.now()
      send({ type: "ping", timestamp: Date.now() })
    }
    const checkPong = () => {
      if (pinged === 0 || Date.now() - pinged < pongMillis / speed + grace) return
      judge.accuse(ask, "protocol", `a ping was not answered within ${pongMillis / 1000} s`)
      socket.terminate()
    }

    socket.on("message", (data) => {
      const text = String(data)
      if (text.length > longestMessage) return breach(`a message is longer than ${longestMessage} bytes`)
      if (/"type":\s*"pong"/.test(text)) {
        pinged = 0
        return
      }
      if (/"action":\s*"ping"/.test(text)) return send({ type: "pong", timestamp: Date.now() })
      const asked = dialect.wanted(text)
      if (asked === undefined) return send(dialect.refused("Unknown message"))
      if (asked.length > mostTopics || asked.some((topic) => topic.length > longestTopic)) {
        return breach(`more than ${mostTopics} topics, or longer ones than ${longestTopic} bytes`)
      }
      const unknown = asked.find((topic) => !topics.includes(topic) && !prefixes.some((own) => topic.startsWith(own)))
      if (unknown !== undefined) return send(dialect.refused(`Unknown topic: ${unknown}`))
      wanted = new Set(asked)
      send(dialect.subscribed(asked))
    })
    const timers = [setInterval(tell, look), setInterval(ping, pingMillis / speed), setInterval(checkPong, look)]
    socket.on("close", () => timers.forEach(clearInterval))
    send(dialect.hello)
  }

  return {
    name: "evekill-socket",
    environment: ["KILLMAILD_EVEKILL_WS_URL", "/evekill-socket/ws/killmails"],
    scopeOf: () => "evekill-socket",
    answer: () => json(426, { error: "Upgrade required" }),
    accept
  }
}

const isWanted = (killmail: Killmail, wanted: ReadonlySet<string>): boolean => {
  const { npc, solo, totalValue } = zkbOf(killmail, hashOf(killmail))
  const { attackers, solar_system_id, victim } = killmail
  const its = [
    "all",
    ...(solo ? ["solo"] : []),
    ...(npc ? ["npc"] : []),
    ...(totalValue >= 5e9 ? ["5b"] : []),
    ...(totalValue >= 1e10 ? ["10b"] : []),
    `system.${solar_system_id}`,
    `victim.${victim.character_id}`,
    ...attackers.map(({ character_id }) => `attacker.${character_id}`)
  ]
  return its.some((topic) => wanted.has(topic))
}

const shrike: Dialect = {
  hello: {
    type: "welcome",
    endpoint: "/ws/killmails",
    name: "Killmails",
    message: "Send {\"action\":\"subscribe\",\"topics\":[\"all\"]} to start receiving data.",
    availableTopics: { static: topics, dynamic: prefixes }
  },
  subscribed: (topics) => ({ type: "subscribed", topics }),
  refused: (message) => ({ type: "error", message }),
  wanted: (text) => topicsIn(text, "action"),
  frame: ({ hash, killmail }) => ({
    channel: "killmails",
    data: {
      event: "killmail",
      killmail_hash: hash,
      war_id: 0,
      ...killmail,
      killmail_time: killmail.killmail_time.replace("Z", ".000Z"),
      ...wordsOf(killmail, hash),
      victim: { character_id: 0, alliance_id: 0, faction_id: 0, ...killmail.victim, items: flatItemsOf(killmail) },
      attackers: killmail.attackers.map(({ security_status: _status, ...attacker }) => ({
        character_id: 0,
        ...attacker
      }))
    }
  })
}

const thessia: Dialect = {
  hello: {
    type: "info",
    message: "Welcome! Please reply with a list of topics.",
    data: { validTopics: topics, partialTopics: prefixes }
  },
  subscribed: (topics) => ({ type: "subscribed", data: { topics } }),
  refused: (message) => ({ type: "error", message }),
  wanted: (text) =>
    text.trimStart().startsWith("{") ? topicsIn(text, "type") : text.split(",").map((topic) => topic.trim()),
  frame: ({ hash, killmail }) => ({
    type: "killmail",
    data: {
      killmail_id: killmail.killmail_id,
      killmail_hash: hash,
      kill_time: killmail.killmail_time,
      system_id: killmail.solar_system_id,
      ...wordsOf(killmail, hash),
      victim: { character_id: killmail.victim.character_id ?? 0, ship_id: killmail.victim.ship_type_id },
      attackers: killmail.attackers.map(({ character_id = 0, ship_type_id = 0 }) => ({
        character_id,
        ship_id: ship_type_id
      })),
      items: flatItemsOf(killmail)
    }
  })
}

/** Of a JSON message that says `subscribe` in this field. */
const topicsIn = (text: string, field: string): ReadonlyArray<string> | undefined => {
  try {
    const message = JSON.parse(text)
    return message[field] === "subscribe" && Array.isArray(message.topics) ? message.topics.map(String) : undefined
  } catch {
    return undefined
  }
}

const wordsOf = (killmail: Killmail, hash: string) => {
  const { npc, points, solo, totalValue } = zkbOf(killmail, hash)
  return { total_value: totalValue, points, is_solo: solo, is_npc: npc }
}

/** What is in a container stands beside it. */
const flatItemsOf = ({ victim }: Killmail) =>
  (victim.items ?? []).flatMap(({ items = [], ...item }) => [item, ...items]).map((item) => ({
    quantity_dropped: 0,
    quantity_destroyed: 0,
    ...item
  }))
