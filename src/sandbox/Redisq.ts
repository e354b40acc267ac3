/**
 * RedisQ, zKillboard's former long poll, closed in May 2026; clones of it live on. One request waits for one killmail and is
 * redirected to an object that can be fetched once.
 */
import { slidingWindow } from "./Budgets.ts"
import type { Judge } from "./Judge.ts"
import type { Packages } from "./Packages.ts"
import { type Answer, type Ask, json, type Upstream } from "./Upstream.ts"

/** Listens a second from one address. */
const rate = 2

/** A queue that nobody listens to is forgotten after 3 hours. */
const queueMemory = 3 * 3_600_000

/** How often a waiting listener looks for news, in milliseconds of real time: what it may add to the latency. */
const look = 20

/** So many redirects may be open; the oldest are forgotten, as nobody follows them any more. */
const mostObjects = 1_000

interface Queue {
  position: number
  heardAt: number
  isListening: boolean
}

export const redisq = (packages: Packages, judge: Judge, speed: number): Upstream => {
  const listens = slidingWindow(Math.max(1, Math.round(rate * speed)), 1_000)
  const queues = new Map<string, Queue>()
  const objects = new Map<string, string>()
  let handedOut = 0

  const answer = (ask: Ask): Answer | Promise<Answer> => {
    if (ask.path === "/object.php") return fetchObject(ask)
    if (ask.path !== "/listen.php") return json(404, { error: "not found" })
    const id = ask.query.get("queueID") ?? ""
    if (id === "") return tooMany("queueID is required")
    if (listens.left(ask.at) === 0) {
      judge.accuse(ask, "budget", `more than ${rate * speed} listens within a second`)
      return tooMany("too many requests")
    }
    listens.spend(1, ask.at)
    const queue = queueOf(id, ask.at)
    if (queue.isListening) {
      judge.accuse(ask, "budget", `queue ${id} was listened to twice at a time`)
      return tooMany("one request at a time for a queueID")
    }
    return listen(ask, queue)
  }

  const listen = async (ask: Ask, queue: Queue): Promise<Answer> => {
    const seconds = Math.min(10, Math.max(1, Number(ask.query.get("ttw") ?? 10) || 10))
    const deadline = ask.at + seconds * 1000 / speed
    queue.isListening = true
    try {
      while (!ask.gone.aborted) {
        const next = packages.take(queue.position, Date.now())
        if (next !== undefined) {
          queue.position = next.position
          return redirectTo(next.text)
        }
        const left = deadline - Date.now()
        if (left <= 0) break
        await new Promise((resolve) => setTimeout(resolve, Math.min(left, look)))
      }
      return json(200, { package: null })
    } finally {
      queue.isListening = false
      queue.heardAt = Date.now()
    }
  }

  const queueOf = (id: string, now: number): Queue => {
    const known = queues.get(id)
    if (known !== undefined && (known.isListening || now - known.heardAt < queueMemory / speed)) return known
    const queue = { position: packages.start(now), heardAt: now, isListening: false }
    queues.set(id, queue)
    return queue
  }

  const redirectTo = (text: string): Answer => {
    const id = `sandbox-${++handedOut}`
    objects.set(id, text)
    if (objects.size > mostObjects) objects.delete(objects.keys().next().value!)
    return { status: 302, headers: { location: `/redisq/object.php?objectID=${id}` }, body: "" }
  }

  const fetchObject = (ask: Ask): Answer => {
    const id = ask.query.get("objectID") ?? ""
    const text = objects.get(id)
    objects.delete(id)
    return text === undefined
      ? json(404, { error: "object not found" })
      : { status: 200, headers: { "content-type": "application/json" }, body: text }
  }

  return {
    name: "redisq",
    environment: ["KILLMAILD_REDISQ_URL", "/redisq/listen.php"],
    scopeOf: () => "redisq",
    answer
  }
}

const tooMany = (error: string): Answer => json(429, { error })
