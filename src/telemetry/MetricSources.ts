/** Metrics of other processes of the daemon, to be shown beside our own. */
import { Context, Effect, Layer } from "effect"

export class MetricSources extends Context.Service<MetricSources, {
  /** `text` is in Prometheus' format; its series get the label `process`. */
  readonly add: (process: string, text: Effect.Effect<string>) => Effect.Effect<void>
  /** Our own text and that of all sources, as one page. */
  readonly mergedWith: (own: string) => Effect.Effect<string>
}>()("killmaild/telemetry/MetricSources") {
  static readonly layer = Layer.sync(MetricSources, () => {
    const sources: Array<{ readonly process: string; readonly text: Effect.Effect<string> }> = []
    return MetricSources.of({
      add: (process, text) => Effect.sync(() => void sources.push({ process, text })),
      mergedWith: (own) =>
        Effect.map(
          Effect.forEach(sources, ({ process, text }) => Effect.map(text, (page) => ({ process, page }))),
          (pages) => merge(own, pages)
        )
    })
  })
}

interface Family {
  readonly head: ReadonlyArray<string>
  readonly samples: Array<string>
}

/** Each family is told once, with the samples of all processes below it. */
export const merge = (
  own: string,
  others: ReadonlyArray<{ readonly process: string; readonly page: string }>
): string => {
  const families = new Map<string, Family>()
  const read = (page: string, label: (sample: string) => string) => {
    let family: Family | undefined
    let help: Array<string> = []
    for (const line of page.split("\n")) {
      if (line.startsWith("# HELP ")) help = [line]
      else if (line.startsWith("# TYPE ")) {
        const name = line.split(" ")[2]!
        family = families.get(name) ?? { head: [...help, line], samples: [] }
        families.set(name, family)
        help = []
      } else if (line !== "") family?.samples.push(label(line))
    }
  }
  read(own, (sample) => sample)
  for (const { page, process } of others) {
    read(
      page,
      (sample) =>
        sample.replace(
          /^([a-zA-Z_:][\w:]*)(\{)?/,
          (_, name, brace) => brace === undefined ? `${name}{process="${process}"}` : `${name}{process="${process}",`
        )
    )
  }
  return [...families.values()].flatMap(({ head, samples }) => [...head, ...samples]).join("\n") + "\n"
}
