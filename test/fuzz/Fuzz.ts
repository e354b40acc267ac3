/**
 * Sends so many requests of all sources, and finds what is wrong with the answers. Request `k` follows from the seed and its
 * number alone, and can be sent again by itself.
 */
import { randomOf } from "../../src/sandbox/Random.ts"
import type { Attempt, Source } from "./Attempt.ts"
import { fault } from "./Judge.ts"
import { senderTo } from "./Sender.ts"

export interface FuzzOptions {
  readonly url: string
  readonly sources: ReadonlyArray<Source>
  readonly seed: string
  /** Number of the first request. */
  readonly first: number
  readonly requests: number
  /** Is told how many were answered, now and then. */
  readonly progress?: (answered: number) => void
}

export interface Finding {
  readonly request: number
  readonly what: string
  readonly attempt: Attempt
}

export interface Outcome {
  readonly findings: ReadonlyArray<Finding>
  /** Answers by source and status; `none` where bytes got no answer. */
  readonly statuses: Readonly<Record<string, number>>
}

/** Requests under way at a time. */
const concurrency = 8
/** More of them say nothing new. */
const mostFindings = 100
const progressEvery = 1000

export const fuzz = async ({ first, progress, requests, seed, sources, url }: FuzzOptions): Promise<Outcome> => {
  const sender = senderTo(url)
  const findings: Array<Finding> = []
  const statuses: Record<string, number> = {}
  const total = sources.reduce((sum, { weight }) => sum + weight, 0)
  let number = first
  let answered = 0

  const sourceAt = (share: number): Source => {
    let rest = share * total
    return sources.find(({ weight }) => (rest -= weight) < 0)!
  }

  const once = async (k: number) => {
    const random = randomOf("fuzz", seed, k)
    const source = sourceAt(random.next())
    const attempt = source.next(random)
    const [status, what] = await sender.send(attempt).then(
      (answer) =>
        answer === undefined
          ? ["none", undefined] as const
          : [String(answer.status), fault(attempt, answer) ?? source.judge?.(attempt, answer)] as const,
      (error: Error) => ["none", `gets no answer: ${error.message}`] as const
    )
    const key = `${source.name} ${status}`
    statuses[key] = (statuses[key] ?? 0) + 1
    if (what !== undefined) findings.push({ request: k, what, attempt })
    if (++answered % progressEvery === 0) progress?.(answered)
  }

  const worker = async () => {
    while (number < first + requests && findings.length < mostFindings) await once(number++)
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
  sender.close()
  return { findings: findings.toSorted((a, b) => a.request - b.request), statuses }
}

/** In a line, short enough to be read. */
export const describe = ({ attempt, request, what }: Finding): string => {
  const { body, headers, method, target, wire } = attempt
  const sent = wire === undefined
    ? `${method} ${target.slice(0, 300)} ${JSON.stringify(headers).slice(0, 300)} ${String(body ?? "").slice(0, 200)}`
    : JSON.stringify(wire.toString("latin1").slice(0, 300))
  return `${request}: ${what}\n    ${sent}`
}
