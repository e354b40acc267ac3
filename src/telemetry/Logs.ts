/** Log lines on standard error, one event a line as JSON or for people, with the killmail and the trace they belong to. */
import { Cause, Context, Effect, Layer, Logger, Predicate, References, Tracer } from "effect"
import { Settings } from "../Settings.ts"

const levels = { debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

interface Line {
  readonly timestamp: string
  readonly level: string
  readonly message: string
  /** Annotations such as killmail_id and feed, what was logged beside the message, and the ids of the trace under way. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly cause?: string
}

const isFields = (part: unknown): part is Readonly<Record<string, unknown>> =>
  Predicate.isObject(part) && Object.getPrototypeOf(part) === Object.prototype

const lineOf = ({ cause, date, fiber, logLevel, message }: Logger.Options<unknown>): Line => {
  const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  const parts = Array.isArray(message) ? message : [message]
  const errors = parts.filter((part) => part instanceof Error)
  const causes = [...cause.reasons.length === 0 ? [] : [cause], ...errors.map((error) => Cause.fail(error))]
  return {
    timestamp: date.toISOString(),
    level: logLevel.toLowerCase(),
    message: parts.filter((part) => !isFields(part)).map(textOf).join(" "),
    fields: {
      ...Object.assign({}, ...parts.filter(isFields)),
      ...fiber.getRef(References.CurrentLogAnnotations),
      ...(span?.sampled ? { trace_id: span.traceId, span_id: span.spanId } : {})
    },
    ...(causes.length === 0 ? {} : { cause: causes.map((cause) => Cause.pretty(cause)).join("\n") })
  }
}

const textOf = (value: unknown): string =>
  typeof value === "string" ? value : value instanceof Error ? value.message : toJson(value)

/** Never throws: a line that cannot be written would hide what it tells of. */
const toJson = (value: unknown): string => {
  try {
    return JSON.stringify(
      value,
      (_key, inner) => typeof inner === "bigint" ? String(inner) : inner instanceof Error ? inner.message : inner
    ) ?? String(value)
  } catch {
    return JSON.stringify(String(value))
  }
}

/** A field never takes the place of the line's own. */
const jsonLine = ({ fields, ...line }: Line): string => toJson({ ...line, ...fields, ...line })

const prettyLine = ({ cause, fields, level, message, timestamp }: Line): string => {
  const tail = Object.entries(fields).map(([key, value]) => ` ${key}=${textOf(value)}`).join("")
  return `${timestamp.slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${message}${tail}${
    cause === undefined ? "" : `\n${cause}`
  }`.replaceAll("\n", "\n  ")
}

/** Writes to standard error, in the format and from the level that are set. */
export const layer = Layer.unwrap(Effect.map(Settings, ({ logFormat, logLevel }) => {
  const format = logFormat === "json" ? jsonLine : prettyLine
  const logger = Logger.make((options) => {
    process.stderr.write(format(lineOf(options)) + "\n")
  })
  return Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, levels[logLevel]))
}))
