/** Traces over OTLP, where an endpoint is set. Without one, or with every trace refused, no spans are made at all. */
import type { ReadableSpan, SpanExporter } from "@opentelemetry/sdk-trace-base"
import { Effect, Layer, Option, References } from "effect"
import { Settings, version } from "../Settings.ts"
import { countError } from "./Metrics.ts"

/** Of OpenTelemetry's `ExportResultCode`. */
const success = 0

/** Says once when spans cannot be sent, and once when they can again. They are lost; nothing waits for them. */
const telling = (exporter: SpanExporter, run: (effect: Effect.Effect<void>) => unknown): SpanExporter => {
  let failing = false
  return {
    export: (spans: Array<ReadableSpan>, done) =>
      exporter.export(spans, (result) => {
        const failed = result.code !== success
        if (failed) run(countError("telemetry", "export"))
        if (failed && !failing) run(Effect.logWarning(`Traces cannot be sent: ${result.error?.message}`))
        if (!failed && failing) run(Effect.logInfo("Traces can be sent again"))
        failing = failed
        done(result)
      }),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown()
  }
}

/** The SDK is loaded only when it is wanted; it reads the other OTEL_ settings itself. */
export const layer = Layer.unwrap(Effect.gen(function*() {
  const { otelServiceName, otelTracesSampler, otelTracesSamplerArg, otlpEndpoint } = yield* Settings
  if (Option.isNone(otlpEndpoint) || otelTracesSampler === "always_off") {
    return Layer.succeed(References.TracerEnabled, false)
  }
  const [NodeSdk, { OTLPTraceExporter }, { BatchSpanProcessor }, Sampler] = yield* Effect.promise(() =>
    Promise.all([
      import("@effect/opentelemetry/NodeSdk"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/sdk-trace-base"),
      import("./Sampler.ts")
    ])
  )
  const run = Effect.runForkWith(yield* Effect.context())
  const url = `${otlpEndpoint.value.href.replace(/\/$/, "")}/v1/traces`
  return NodeSdk.layer(() => ({
    resource: { serviceName: otelServiceName, serviceVersion: version },
    tracerConfig: { sampler: Sampler.make(otelTracesSampler, otelTracesSamplerArg) },
    spanProcessor: new BatchSpanProcessor(telling(new OTLPTraceExporter({ url }), run))
  }))
}))
