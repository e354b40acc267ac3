/** `killmaild sandbox`: the outside world as a program of its own. */
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { refuse } from "./Refusal.ts"

const options = {
  port: Flag.Int("port").pipe(Flag.withDescription("Port on 127.0.0.1; 0 takes a free one"), Flag.withDefault(8090)),
  speed: Flag.Finite("speed").pipe(
    Flag.withDescription("Multiplies budgets and divides windows, cache times and waits"),
    Flag.withDefault(1)
  ),
  seed: Flag.String("seed").pipe(
    Flag.withDescription("The same seed is the same New Eden"),
    Flag.withDefault("killmaild")
  ),
  faults: Flag.Finite("faults").pipe(
    Flag.withDescription("Share of answers that are faulty, 0 to 1"),
    Flag.withDefault(0)
  ),
  corpus: Flag.String("corpus").pipe(
    Flag.withDescription("Serve the real killmails of a folder: EVE Ref day archives, *.jsonl and *.jsonl.gz"),
    Flag.optional
  )
}

/** What a flag got that it cannot take. */
const misfit = ({ faults, port, speed }: { readonly faults: number; readonly port: number; readonly speed: number }) =>
  !(port >= 0 && port <= 65_535)
    ? `--port got ${port}, wants a port from 0 to 65535`
    : !(speed > 0 && Number.isFinite(speed))
    ? `--speed got ${speed}, wants a number above 0`
    : !(faults >= 0 && faults <= 1)
    ? `--faults got ${faults}, wants a share from 0 to 1`
    : undefined

export const sandbox = Command.make("sandbox", options, ({ corpus, ...rest }) =>
  Effect.scoped(Effect.gen(function*() {
    const wrong = misfit(rest)
    if (wrong !== undefined) return yield* refuse(`sandbox: ${wrong}.`)
    // Loaded here, as no other command has a use for it.
    const { start } = yield* Effect.promise(() => import("../sandbox/Sandbox.ts"))
    const { mapKey, mapSlug } = yield* Effect.promise(() => import("../sandbox/Wanderer.ts"))
    const started = yield* start({
      ...rest,
      world: "clock",
      ...(Option.isSome(corpus) ? { corpus: corpus.value } : {})
    })
    yield* Console.log(`A small New Eden is at ${started.url}. For killmaild:\n`)
    for (const [name, value] of Object.entries(started.environment)) yield* Console.log(`export ${name}=${value}`)
    yield* Console.log(`\nIts wormhole map has the slug ${mapSlug} and the key ${mapKey}.`)
    const [discord, slack, receiver] = (["discord", "slack", "receiver"] as const).map(started.inboxes.make)
    yield* Console.log(`\nWebhooks may lead to Discord: ${discord}`)
    yield* Console.log(`to Slack: ${slack}`)
    yield* Console.log(`and, as JSON, to ${receiver}`)
    yield* Console.log(`What these were sent is at ${started.url}/sandbox/inboxes.`)
    yield* Console.log(`\nWhat clients do wrong is at ${started.url}/sandbox/violations. Ctrl-C stops it.`)
    yield* Effect.addFinalizer(() => {
      const violations = started.violations()
      process.exitCode = violations.length === 0 ? 0 : 1
      return Console.log(`${violations.length} violations of upstream rules.`)
    })
    return yield* Effect.never
  }))).pipe(
    Command.withDescription(
      "Run a small New Eden on this machine: ESI, SSO, feeds and archives with their limits, for demos and tests"
    )
  )
