/** What all benchmarks ask on the command line, and how they tell what they measured. */
import { Console, Effect } from "effect"
import { Flag } from "effect/cli"
import type { Machine } from "../benchmarks/Ground.ts"
import type { Throughput } from "../benchmarks/Ingest.ts"
import type { Quantiles } from "../benchmarks/Quantiles.ts"
import { refuse } from "./Refusal.ts"

export const count = (name: string, fallback: number, meaning: string) =>
  Flag.Int(name).pipe(Flag.withDescription(meaning), Flag.withDefault(fallback))

export const database = Flag.String("database").pipe(
  Flag.withDescription(
    "URL of an empty database that the benchmark may fill; without it, it runs a Postgres of its own in a temporary directory"
  ),
  Flag.optional
)

/** Refuses a plan in which something is to be done less than once. */
export const positive = Effect.fnUntraced(function*(benchmark: string, plan: Readonly<Record<string, number>>) {
  for (const [name, value] of Object.entries(plan)) {
    if (value < 1) return yield* refuse(`benchmark ${benchmark}: --${name} got ${value}, wants a whole number above 0.`)
  }
})

/** Says what comes next, to people. */
export const told = (benchmark: string, json: boolean) => (step: string) =>
  json ? Effect.void : Console.error(`benchmark ${benchmark}: ${step}`)

export const machineLine = ({ cores, node, platform, postgres }: Machine): string =>
  `${cores} cores, ${platform}, Node ${node}, ${postgres}`

const micros = (value: number | null): string => value === null ? "unknown" : `${value} µs`

export const throughputRow = (what: string, { nodeMicros, perSecond, postgresMicros }: Throughput) => [
  what,
  `${perSecond}/s`,
  micros(nodeMicros),
  micros(postgresMicros)
]

export const latencyRow = (what: string, quantiles: Quantiles) => [
  what,
  ...[quantiles.p50, quantiles.p95, quantiles.p99, quantiles.max].map((millis) => `${millis.toFixed(1)} ms`)
]
