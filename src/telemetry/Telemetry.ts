/** How the daemon is seen from outside: log lines on standard error, and traces where an OTLP endpoint is set. */
import { Cause, Context, Effect, Layer, Logger, Option, References, Tracer } from "effect"
import { Settings, version } from "../Settings.ts"

const levels = { debug: "Debug", info: "Info", warn: "Warn", error: "Error" } as const

interface Line {
  readonly timestamp: string
  readonly level: string
  readonly message: string
  /** Annotations such as killmail_id and feed, and the ids of the trace under way. */
  readonly fields: Readonly<Record<string, unknown>>
  readonly cause?: string
}

const lineOf = ({ cause, date, fiber, logLevel, message }: Logger.Options<unknown>): Line => {
  const span = Context.getOrUndefined(fiber.context, Tracer.ParentSpan)
  const parts = Array.isArray(message) ? message : [message]
  return {
    timestamp: date.toISOString(),
    level: logLevel.toLowerCase(),
    message: parts.map((part) => part instanceof Error ? part.message : String(part)).join(" "),
    fields: {
      ...fiber.getRef(References.CurrentLogAnnotations),
      ...(span?.sampled ? { trace_id: span.traceId, span_id: span.spanId } : {})
    },
    ...(cause.reasons.length === 0 ? {} : { cause: Cause.pretty(cause) })
  }
}

const jsonLine = ({ fields, ...line }: Line): string => JSON.stringify({ ...line, ...fields })

const prettyLine = ({ cause, fields, level, message, timestamp }: Line): string => {
  const tail = Object.entries(fields).map(([key, value]) => ` ${key}=${value}`).join("")
  return `${timestamp.slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${message}${tail}${
    cause === undefined ? "" : `\n  ${cause.replaceAll("\n", "\n  ")}`
  }`
}

const logging = Layer.unwrap(Effect.map(Settings, ({ logFormat, logLevel }) => {
  const format = logFormat === "json" ? jsonLine : prettyLine
  const logger = Logger.make((options) => {
    process.stderr.write(format(lineOf(options)) + "\n")
  })
  return Layer.merge(Logger.layer([logger]), Layer.succeed(References.MinimumLogLevel, levels[logLevel]))
}))

/**
 * The SDK reads the other OTEL_ settings itself, its sampler among them. It is loaded only when it is wanted, and without
 * it no spans are made at all.
 */
const tracing = Layer.unwrap(Effect.gen(function*() {
  const { otelServiceName, otlpEndpoint } = yield* Settings
  if (Option.isNone(otlpEndpoint)) return Layer.succeed(References.TracerEnabled, false)
  const [NodeSdk, { OTLPTraceExporter }, { BatchSpanProcessor }] = yield* Effect.promise(() =>
    Promise.all([
      import("@effect/opentelemetry/NodeSdk"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/sdk-trace-base")
    ])
  )
  const url = `${otlpEndpoint.value.href.replace(/\/$/, "")}/v1/traces`
  return NodeSdk.layer(() => ({
    resource: { serviceName: otelServiceName, serviceVersion: version },
    spanProcessor: new BatchSpanProcessor(new OTLPTraceExporter({ url }))
  }))
}))

export const layer = Layer.merge(logging, tracing)
