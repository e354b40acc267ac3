/** Which traces are kept. */
import { isSpanContextValid, type Link, type SpanContext, SpanKind, trace, TraceFlags } from "@opentelemetry/api"
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  TraceIdRatioBasedSampler
} from "@opentelemetry/sdk-trace-base"
import type { SamplerName } from "../Settings.ts"

/** The standard's samplers by their names in `OTEL_TRACES_SAMPLER`. */
const standard = (name: SamplerName, share: number): Sampler => {
  switch (name) {
    case "always_on":
      return new AlwaysOnSampler()
    case "always_off":
      return new AlwaysOffSampler()
    case "traceidratio":
      return new TraceIdRatioBasedSampler(share)
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() })
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() })
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(share) })
  }
}

const isSampled = ({ traceFlags }: SpanContext): boolean => (traceFlags & TraceFlags.SAMPLED) !== 0
const dropped = { decision: SamplingDecision.NOT_RECORD }
const kept = { decision: SamplingDecision.RECORD_AND_SAMPLED }

/**
 * The named sampler decides on traces that begin with something heard, asked or continued from elsewhere; a statement
 * that some poll sends is no trace of its own. Within a trace nothing is left out, and a batch is kept when one of the
 * killmails is that it links to.
 */
export const make = (name: SamplerName, share: number): Sampler => {
  const sampler = standard(name, share)
  return {
    shouldSample: (context, traceId, spanName, kind, attributes, links: Array<Link>) => {
      const parent = trace.getSpanContext(context)
      const hasParent = parent !== undefined && isSpanContextValid(parent)
      if (hasParent && parent.isRemote !== true) return isSampled(parent) ? kept : dropped
      if (links.length > 0) return links.some((link) => isSampled(link.context)) ? kept : dropped
      const begins = hasParent || kind === SpanKind.SERVER || kind === SpanKind.CONSUMER
      return begins ? sampler.shouldSample(context, traceId, spanName, kind, attributes, links) : dropped
    },
    toString: () => `Killmaild{${sampler.toString()}}`
  }
}
