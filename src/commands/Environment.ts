/** What every command but the demo begins with: the settings of this process's environment, and log lines as they say. */
import { Effect, Layer } from "effect"
import { describeSettings, Settings } from "../Settings.ts"
import * as Telemetry from "../telemetry/Telemetry.ts"

const known = new Set(describeSettings.flatMap(({ name, secret }) => secret ? [name, `${name}_FILE`] : [name]))

/** A name that means nothing is told, not refused: another version of killmaild may know it. */
const warnOfUnknown = Layer.effectDiscard(
  Effect.forEach(
    Object.keys(process.env).filter((name) => name.startsWith("KILLMAILD_") && !known.has(name)),
    (name) =>
      Effect.sync(() => process.stderr.write(`killmaild: ${name} is no setting of this version and is ignored.\n`)),
    { discard: true }
  )
)

export const fromEnvironment = Layer.merge(warnOfUnknown, Telemetry.layer).pipe(
  Layer.provideMerge(Layer.suspend(() => Settings.layerFrom(process.env)))
)
