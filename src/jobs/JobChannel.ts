/** What the jobs' process and its parent say to each other, over Node's channel between them. */

/** The child has loaded its code and waits; the parent sends it on its way once its predecessor is buried. */
export interface Ready {
  readonly type: "ready"
}
export interface Go {
  readonly type: "go"
  /** Of all the child's connections: what a burial goes by. */
  readonly applicationName: string
  readonly databaseUrl: string
}

/** From the child, every `aliveMillis`. */
export interface Alive {
  readonly type: "alive"
  /** Milliseconds since a canary job ran last; null before the first. */
  readonly canaryMillis: number | null
}
export const aliveMillis = 500

/** The parent asks, the child answers in Prometheus' text format. */
export interface MetricsWanted {
  readonly type: "metrics"
}
export interface MetricsTold {
  readonly type: "metrics"
  readonly text: string
}

export type FromChild = Ready | Alive | MetricsTold
export type FromParent = Go | MetricsWanted
