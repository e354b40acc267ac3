/** The settings as the environment of this process has them, with a word about names that mean nothing. */
import { Effect, Layer } from "effect"
import { describeSettings, Settings } from "../Settings.ts"

const known = new Set(describeSettings.flatMap(({ name, secret }) => secret ? [name, `${name}_FILE`] : [name]))

/** Unset values fall back to the environment; later issues of killmaild may know more names than this one. */
const warnOfUnknown = Layer.effectDiscard(
  Effect.forEach(
    Object.keys(process.env).filter((name) => name.startsWith("KILLMAILD_") && !known.has(name)),
    (name) =>
      Effect.sync(() => process.stderr.write(`killmaild: ${name} is no setting of this version and is ignored.\n`)),
    { discard: true }
  )
)

export const fromEnvironment = Layer.merge(warnOfUnknown, Settings.layerFrom(process.env))
