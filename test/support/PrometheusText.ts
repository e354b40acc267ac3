/** A strict reader of Prometheus' text format 0.0.4: what a scraper may refuse is refused here. */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: ReadonlyArray<Sample>
}

interface Open {
  readonly name: string
  readonly help: string
  type: string | undefined
  readonly samples: Array<Sample>
}

const metricName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const types = new Set(["counter", "gauge", "histogram", "summary", "untyped"])

const fail = (line: string, why: string): never => {
  throw new Error(`${why}: ${line}`)
}

/** Every family has HELP, then TYPE, then its samples together; no series comes twice. */
export const parsePrometheus = (text: string): ReadonlyMap<string, Family> => {
  if (!text.endsWith("\n")) fail(text.slice(-50), "does not end in a line feed")
  const families = new Map<string, Open>()
  const series = new Set<string>()
  let open: Open | undefined
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP (\S+) (.+)$/.exec(line)
    const type = /^# TYPE (\S+) (\S+)$/.exec(line)
    if (help !== null) {
      const name = help[1]!
      if (!metricName.test(name) || families.has(name)) fail(line, "a bad name, or a family that comes twice")
      if (/\\(?![\\n])/.test(help[2]!)) fail(line, "a bad escape")
      open = { name, help: help[2]!, type: undefined, samples: [] }
      families.set(name, open)
    } else if (type !== null) {
      if (open?.name !== type[1] || open?.type !== undefined) fail(line, "a TYPE without its HELP before it")
      if (!types.has(type[2]!)) fail(line, "no such type")
      open!.type = type[2]
    } else {
      const sample = parseSample(line)
      if (open?.type === undefined || !namesOf(open.name, open.type).includes(sample.name)) {
        return fail(line, `a sample outside its family ${open?.name}`)
      }
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).toSorted()])
      if (series.has(key)) fail(line, "a series that comes twice")
      series.add(key)
      open.samples.push(sample)
    }
  }
  for (const family of families.values()) check(family)
  return families as ReadonlyMap<string, Family>
}

const namesOf = (name: string, type: string): ReadonlyArray<string> =>
  type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]

const parseSample = (line: string): Sample => {
  const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
  if (match === null) return fail(line, "no sample")
  const labels: Record<string, string> = {}
  let rest = match[2] ?? ""
  while (rest !== "") {
    const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(?:,(?=.)|$)/.exec(rest)
    if (label === null) return fail(line, "a bad label")
    const name = label[1]!
    if (name in labels) fail(line, "a label that comes twice")
    labels[name] = label[2]!.replaceAll(/\\(.)/g, (_, escaped: string) => escaped === "n" ? "\n" : escaped)
    rest = rest.slice(label[0].length)
  }
  return { name: match[1]!, labels, value: numberOf(line, match[3]!) }
}

const numberOf = (line: string, text: string): number => {
  if (text === "+Inf") return Infinity
  if (text === "-Inf") return -Infinity
  if (text === "NaN") return Number.NaN
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : fail(line, "no number")
}

const check = ({ name, samples, type }: Open): void => {
  if (type === undefined || samples.length === 0) fail(name, "a family without TYPE or samples")
  if ((type === "counter") !== name.endsWith("_total")) fail(name, "counters, and they alone, end in _total")
  if (type === "counter" && samples.some(({ value }) => !(value >= 0))) fail(name, "a counter below 0")
  if (type === "histogram") checkHistogram(name, samples)
}

const rises = (values: ReadonlyArray<number>): boolean => values.every((value, k) => k === 0 || value >= values[k - 1]!)

/** For each set of labels: buckets that rise to +Inf, which is the count, and a sum. */
const checkHistogram = (name: string, samples: ReadonlyArray<Sample>): void => {
  const groups = Map.groupBy(
    samples,
    ({ labels }) => JSON.stringify(Object.entries(labels).filter(([label]) => label !== "le"))
  )
  for (const [labels, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map((bucket) => numberOf(labels, bucket.labels["le"] ?? ""))
    if (!rises(bounds) || new Set(bounds).size !== bounds.length || bounds.at(-1) !== Infinity) {
      fail(name + labels, "bounds that do not rise to +Inf")
    }
    if (!rises(buckets.map(({ value }) => value))) fail(name + labels, "buckets that are not cumulative")
    const count = group.find((sample) => sample.name === `${name}_count`)
    if (count?.value !== buckets.at(-1)?.value) fail(name + labels, "a count that is not that of +Inf")
    if (!group.some((sample) => sample.name === `${name}_sum`)) fail(name + labels, "no sum")
  }
}
