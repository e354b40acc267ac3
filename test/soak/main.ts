/** `npm run soak -- --seeds 10 --killmails 10000 --kills 10 --restarts 3`: long runs of the rig, as a table. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { scheduleOf } from "./Schedule.ts"
import { type Outcome, run } from "./Soak.ts"

const options = {
  seeds: Flag.Int("seeds").pipe(Flag.withDescription("Runs, each with a seed of its own"), Flag.withDefault(1)),
  first: Flag.Int("first").pipe(Flag.withDescription("Number of the first seed"), Flag.withDefault(1)),
  killmails: Flag.Int("killmails").pipe(Flag.withDescription("Killmails a run"), Flag.withDefault(2000)),
  kills: Flag.Int("kills").pipe(Flag.withDescription("SIGKILLs a run, of daemon, jobs or both"), Flag.withDefault(4)),
  restarts: Flag.Int("restarts").pipe(Flag.withDescription("Crashes of Postgres a run"), Flag.withDefault(1)),
  networks: Flag.Int("networks").pipe(
    Flag.withDescription("Breaks of the network a run, to Postgres or to the upstreams"),
    Flag.withDefault(0)
  ),
  faults: Flag.Finite("faults").pipe(Flag.withDescription("Share of faulty upstream answers"), Flag.withDefault(0.1)),
  speed: Flag.Finite("speed").pipe(Flag.withDescription("Speed of the sandbox"), Flag.withDefault(100)),
  json: Flag.Boolean("json").pipe(Flag.withDescription("One line of JSON a run"), Flag.withDefault(false))
}

const columns = [
  ["seed", 9],
  ["time", 7],
  ["km/s", 7],
  ["SIGKILL p50/max ms", 20],
  ["Postgres p50/max ms", 21],
  ["network p50/max ms", 20],
  ["repeated", 10],
  ["MB/1000 daemon, jobs", 22],
  ["violations", 12],
  ["findings", 10]
] as const

const legend = `
Milliseconds: from the SIGKILL, from when Postgres took connections again, or from the end of a break of the network, to the
end of the longest silence of the store that began within a second of it. Repeated: jobs that a dead process had in its
hands, at work or fetched ahead, and bodies that ESI gave again, as a share of the killmails. MB/1000: resident memory that
1,000 killmails more cost, by regression within each life, after its first minute, over the second half of the run; nothing
where lives are too short for that.`

const median = (numbers: ReadonlyArray<number>): number => numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!

const recoveryOf = (outcome: Outcome, event: RegExp): string => {
  const millis = outcome.recoveries.filter((recovery) => event.test(recovery.event)).map((recovery) => recovery.millis)
  return millis.length === 0 ? "-" : `${median(millis)} / ${Math.max(...millis)}`
}

const slope = (megabytes: number | undefined): string => megabytes === undefined ? "-" : megabytes.toFixed(2)

const line = (cells: ReadonlyArray<string>): string =>
  cells.map((cell, index) => index === 0 ? cell.padEnd(columns[0][1]) : cell.padStart(columns[index]![1])).join("")

const row = (seed: string, outcome: Outcome): string =>
  line([
    seed,
    `${outcome.seconds.toFixed(0)} s`,
    outcome.killmailsPerSecond.toFixed(1),
    recoveryOf(outcome, /^kill/),
    recoveryOf(outcome, /^restart/),
    recoveryOf(outcome, / to /),
    `${(100 * outcome.repeated.share).toFixed(2)} %`,
    `${slope(outcome.memory.daemon)}, ${slope(outcome.memory.jobs)}`,
    String(outcome.violations),
    String(outcome.findings.length)
  ])

const soak = Command.make(
  "soak",
  options,
  ({ faults, first, json, killmails, seeds, speed, ...counts }) =>
    Effect.gen(function*() {
      const say = json ? () => Effect.void : Console.log
      yield* say(`${killmails} killmails a run, ${100 * faults} % of answers faulty, speed ${speed}`)
      yield* say(line(columns.map(([name]) => name)))
      for (let index = first; index < first + seeds; index++) {
        const seed = `soak-${index}`
        const outcome = yield* run({ seed, killmails, events: scheduleOf(seed, counts), faults, speed })
        if (outcome.findings.length > 0) process.exitCode = 1
        if (json) yield* Console.log(JSON.stringify({ seed, killmails, faults, speed, ...counts, ...outcome }))
        yield* say(row(seed, outcome))
        for (const finding of outcome.findings) yield* say(`  ${finding}`)
      }
      yield* say(legend)
    })
)

Command.run(soak, { version: "0" }).pipe(
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain({
    teardown: (exit, onExit) => onExit(exit._tag === "Success" ? Number(process.exitCode ?? 0) : 1)
  })
)
