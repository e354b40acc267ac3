/** `npm run soak -- --seeds 10 --killmails 10000 --kills 10 --restarts 3`: long runs of the rig, as a table. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { type Outcome, type Plan, run } from "./Rig.ts"

const options = {
  seeds: Flag.Int("seeds").pipe(Flag.withDescription("Runs, each with a seed of its own"), Flag.withDefault(1)),
  killmails: Flag.Int("killmails").pipe(Flag.withDescription("Killmails a run"), Flag.withDefault(2000)),
  kills: Flag.Int("kills").pipe(Flag.withDescription("SIGKILLs a run, of daemon, jobs or both"), Flag.withDefault(4)),
  restarts: Flag.Int("restarts").pipe(Flag.withDescription("Crashes of Postgres a run"), Flag.withDefault(1)),
  faults: Flag.Finite("faults").pipe(Flag.withDescription("Share of faulty upstream answers"), Flag.withDefault(0.1)),
  speed: Flag.Finite("speed").pipe(Flag.withDescription("Speed of the sandbox"), Flag.withDefault(100))
}

/** Kills in turn, and the crashes of Postgres spread among them. */
const schedule = (kills: number, restarts: number): Plan["kills"] => {
  const victims = ["jobs", "daemon", "both"] as const
  const all: Array<Plan["kills"][number]> = Array.from({ length: kills }, (_, index) => victims[index % 3]!)
  for (let index = 0; index < restarts; index++) {
    all.splice(Math.round((index + 1) * (all.length + 1) / (restarts + 1)), 0, "postgres")
  }
  return all
}

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0

const row = (seed: string, { findings, recoveries, seconds }: Outcome): string => {
  const of = (postgres: boolean) =>
    recoveries.filter(({ killed }) => (killed === "postgres") === postgres).map(({ millis }) => millis)
  const [kills, restarts] = [of(false), of(true)]
  return [
    seed.padEnd(10),
    `${seconds.toFixed(0)} s`.padStart(7),
    `${median(kills)} / ${Math.max(0, ...kills)}`.padStart(14),
    `${median(restarts)} / ${Math.max(0, ...restarts)}`.padStart(14),
    findings.length === 0 ? "  nothing" : `  ${findings.join("; ")}`
  ].join("")
}

const soak = Command.make(
  "soak",
  options,
  ({ faults, killmails, kills, restarts, seeds, speed }) =>
    Effect.gen(function*() {
      yield* Console.log("seed         time   SIGKILL p50/max ms   Postgres p50/max ms   findings")
      let failed = 0
      for (let index = 1; index <= seeds; index++) {
        const seed = `soak-${index}`
        const outcome = yield* Effect.scoped(
          run({ seed, killmails, kills: schedule(kills, restarts), faults, speed })
        )
        if (outcome.findings.length > 0) failed++
        yield* Console.log(row(seed, outcome))
      }
      if (failed > 0) process.exitCode = 1
    })
)

Command.run(soak, { version: "0" }).pipe(Effect.provide(NodeServices.layer), NodeRuntime.runMain)
