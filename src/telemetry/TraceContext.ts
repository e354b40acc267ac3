/** A trace carried through the database: W3C `traceparent` texts, written where a span is under way and continued later. */
import { Effect, Option, type Tracer } from "effect"
import { Headers, HttpTraceContext } from "effect/http"

/** The `traceparent` of a span, or undefined when it is not sampled: nobody would see its children. */
export const traceparentOf = (span: Tracer.AnySpan): string | undefined =>
  span.sampled ? `00-${span.traceId}-${span.spanId}-01` : undefined

export const currentTraceparent: Effect.Effect<string | undefined> = Effect.map(
  Effect.option(Effect.currentParentSpan),
  Option.match({ onNone: () => undefined, onSome: traceparentOf })
)

const spanOf = (traceparent: string): Option.Option<Tracer.ExternalSpan> =>
  HttpTraceContext.w3c(Headers.fromInput({ traceparent }))

/** Runs the effect as part of the trace that began elsewhere, when there is one. */
export const continueTrace =
  (traceparent: string | null | undefined) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Option.match(traceparent ? spanOf(traceparent) : Option.none(), {
      onNone: () => effect,
      onSome: (span) => Effect.withParentSpan(effect, span) as Effect.Effect<A, E, R>
    })
