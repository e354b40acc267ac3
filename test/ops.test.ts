/** What ops/ asks Prometheus for, held to what /metrics tells. */
import { assert, describe, it } from "@effect/vitest"
import { parser } from "@prometheus-io/lezer-promql"
import { execFileSync } from "node:child_process"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"

const root = join(import.meta.dirname, "..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

const sources = globSync("src/**/*.ts", { cwd: root }).map(read).join("\n")
/** Each series that /metrics has, and what Prometheus adds. */
const series = new Set([
  "up",
  ...[...sources.matchAll(/Metric\.(\w+)\(\s*"(killmaild_\w+)"/g)].flatMap(([, type, name]) =>
    type === "histogram" ? ["_bucket", "_sum", "_count"].map((part) => name! + part) : [name!]
  )
])

/** What is wrong with an expression: Prometheus' own grammar cannot read it, or it asks for what there is not. */
const faultsOf = (expression: string): ReadonlyArray<string> => {
  const text = expression.replaceAll("$__rate_interval", "5m")
  const faults: Array<string> = []
  let selectors = 0
  parser.parse(text).iterate({
    enter: ({ from, name, node, to, type }) => {
      const written = text.slice(from, to)
      if (type.isError) faults.push(`${expression}: cannot be read at ${from}`)
      if (name !== "VectorSelector") return
      selectors += 1
      const metric = node.getChild("Identifier")
      const asked = metric === null ? written : text.slice(metric.from, metric.to)
      if (!series.has(asked)) faults.push(`${expression}: there is no ${asked}`)
    }
  })
  return selectors === 0 ? [...faults, `${expression}: asks for nothing`] : faults
}

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly for: string
  readonly labels: { readonly severity: string }
  readonly annotations: { readonly summary: string; readonly description: string }
}
const { groups } = parse(read("ops/alerts.yml")) as {
  readonly groups: ReadonlyArray<{ readonly rules: ReadonlyArray<Rule> }>
}
const rules = groups.flatMap((group) => group.rules)

interface Panel {
  readonly id: number
  readonly title: string
  readonly type: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: ReadonlyArray<{ readonly expr: string }>
}
const { panels } = JSON.parse(read("ops/dashboard.json")) as { readonly panels: ReadonlyArray<Panel> }

const promtool = (() => {
  try {
    execFileSync("promtool", ["--version"], { stdio: "ignore" })
    return true
  } catch {
    return false
  }
})()

describe("the alerts", () => {
  it("ask for metrics that there are, in expressions that Prometheus can read", () => {
    assert.isAbove(rules.length, 15)
    assert.deepStrictEqual(rules.flatMap(({ expr }) => faultsOf(expr)), [])
  })

  it("each have a name of their own, a severity, a time and two sentences", () => {
    assert.strictEqual(new Set(rules.map(({ alert }) => alert)).size, rules.length)
    for (const { alert, annotations, for: time, labels } of rules) {
      assert.match(alert, /^Killmaild[A-Z]\w+$/)
      assert.include(["warning", "critical"], labels.severity, alert)
      assert.match(time, /^\d+[mh]$/, alert)
      for (const sentence of [annotations.summary, annotations.description]) assert.match(sentence, /\.$/, alert)
      for (const [label] of annotations.summary.matchAll(/\$labels\.\w+/g)) {
        assert.match(label, /\$labels\.(instance|feed|where|kind|bucket|task)/, alert)
      }
    }
  })

  // Debian's package `prometheus` has it; the checks above need nothing.
  it.skipIf(!promtool)("please promtool", () => {
    execFileSync("promtool", ["check", "rules", join(root, "ops/alerts.yml")])
  })
})

describe("the dashboard", () => {
  it("asks for metrics that there are, in expressions that Prometheus can read", () => {
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    assert.isAbove(expressions.length, 20)
    assert.deepStrictEqual(expressions.flatMap(faultsOf), [])
  })

  it("has a place of its own for each panel", () => {
    assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length)
    for (const [index, { gridPos: a, title }] of panels.entries()) {
      assert.isAtMost(a.x + a.w, 24, title)
      for (const { gridPos: b } of panels.slice(index + 1)) {
        const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y
        assert.isTrue(apart, title)
      }
    }
  })
})

describe("the test of the alerts", () => {
  it("finds what is wrong", () => {
    assert.lengthOf(faultsOf("rate(killmaild_errors_total[5m]) > 1"), 0)
    assert.lengthOf(faultsOf("killmaild_no_such_thing > 1"), 1)
    assert.isAbove(faultsOf("rate(killmaild_errors_total[5m]").length, 0)
    assert.isAbove(faultsOf("1 > 0").length, 0)
  })
})
