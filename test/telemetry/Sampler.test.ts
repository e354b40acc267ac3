import { assert, describe, it } from "@effect/vitest"
import { ROOT_CONTEXT, type SpanContext, SpanKind, trace, TraceFlags } from "@opentelemetry/api"
import { SamplingDecision } from "@opentelemetry/sdk-trace-base"
import { Effect } from "effect"
import { Settings } from "../../src/Settings.ts"
import * as Sampler from "../../src/telemetry/Sampler.ts"

const traceId = "0af7651916cd43dd8448eb211c80319c"
const spanContext = (sampled: boolean, isRemote = false): SpanContext => ({
  traceId,
  spanId: "b7ad6b7169203331",
  isRemote,
  traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE
})

interface Asked {
  readonly kind?: SpanKind
  readonly parent?: SpanContext
  readonly links?: ReadonlyArray<SpanContext>
}

const keeps = (sampler: ReturnType<typeof Sampler.make>, { kind = SpanKind.INTERNAL, links = [], parent }: Asked) => {
  const context = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent)
  const { decision } = sampler.shouldSample(context, traceId, "span", kind, {}, links.map((context) => ({ context })))
  return decision === SamplingDecision.RECORD_AND_SAMPLED
}

describe("a trace", () => {
  const sampler = Sampler.make("parentbased_always_on", 1)

  it("begins with what is heard or asked, not with a statement that some poll sends", () => {
    assert.isTrue(keeps(sampler, { kind: SpanKind.CONSUMER }))
    assert.isTrue(keeps(sampler, { kind: SpanKind.SERVER }))
    assert.isFalse(keeps(sampler, { kind: SpanKind.CLIENT }))
    assert.isFalse(keeps(sampler, {}))
  })

  it("has no holes and no fragments, whatever the sampler", () => {
    for (const name of ["always_on", "traceidratio", "parentbased_always_off"] as const) {
      assert.isTrue(keeps(Sampler.make(name, 0), { parent: spanContext(true) }))
      assert.isFalse(keeps(Sampler.make(name, 1), { parent: spanContext(false) }))
    }
  })

  it("that came from elsewhere is continued as the sampler says", () => {
    assert.isTrue(keeps(sampler, { parent: spanContext(true, true) }))
    assert.isFalse(keeps(sampler, { parent: spanContext(false, true) }))
    assert.isFalse(keeps(Sampler.make("traceidratio", 0), { parent: spanContext(true, true) }))
  })

  it("of a batch is kept when one of its killmails is", () => {
    const never = Sampler.make("parentbased_always_off", 0)
    assert.isTrue(keeps(never, { links: [spanContext(false), spanContext(true)] }))
    assert.isFalse(keeps(sampler, { links: [spanContext(false)] }))
  })
})

const settings = (env: Readonly<Record<string, string>>) => Settings.pipe(Effect.provide(Settings.layerFrom(env)))

describe("OTEL_TRACES_SAMPLER", () => {
  it.effect("is refused in one sentence where no such sampler exists", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(settings({ OTEL_TRACES_SAMPLER: "sometimes" }))
      assert.match(error.message, /^OTEL_TRACES_SAMPLER: got "sometimes", wants one of always_on, .*ratio\.$/)
      const share = yield* Effect.flip(settings({ OTEL_TRACES_SAMPLER_ARG: "10 %" }))
      assert.strictEqual(share.message, "OTEL_TRACES_SAMPLER_ARG: got \"10 %\", wants a number from 0 to 1.")
    }))

  it.effect("is the standard's default where it is empty", () =>
    Effect.gen(function*() {
      const { otelTracesSampler, otelTracesSamplerArg } = yield* settings({
        OTEL_TRACES_SAMPLER: "",
        OTEL_TRACES_SAMPLER_ARG: ""
      })
      assert.deepStrictEqual([otelTracesSampler, otelTracesSamplerArg], ["parentbased_always_on", 1])
    }))
})
