/**
 * Places between two effects where a process may die: whatever comes next must make up for the second one. Tests let a
 * process die at each of them; nobody else can, and there is no setting for it.
 */
import { Effect } from "effect"
import { readFileSync, renameSync } from "node:fs"

/** By who passes them. Each is walked by a test that fails when nobody passes it any more. */
export const crashPoints = {
  /** A start on an empty database, in this order. */
  start: [
    "queue migrated, schema not",
    "schema half migrated",
    "schema migrated, no partitions yet",
    "partitions made, epoch not looked at",
    "lease locked, term not written"
  ],
  /** A daemon with killmails on their walk. */
  daemon: [
    "token taken, feed not asked",
    "heard, nothing written",
    "hearing written, not committed",
    "hearing committed, cursor not known",
    "unreadable file kept, not committed",
    "ESI answered, budget not settled",
    "body fetched, not kept",
    "body there, not recorded",
    "month made, nothing stored",
    "bodies written, no sequence yet",
    "sequence given, not committed",
    "stored, job not told",
    "job done, not completed",
    "job postponed, still locked",
    "dead letter written, job still queued",
    "publications read, not told",
    "publications matched, not committed"
  ],
  /** A daemon whose jobs' process died. */
  burial: ["backends ended, jobs still locked", "jobs unlocked, pool not ended"],
  /** An import of history. */
  history: [
    "import begun, archive not read",
    "batch copied, not committed",
    "batch committed, archive not ended",
    "import ended, month not indexed"
  ]
} as const
export type CrashPoint = (typeof crashPoints)[keyof typeof crashPoints][number]

/**
 * A file into which a test writes where to die: the name of a point, or `name:n` for the n-th time that one process passes
 * it. The process that dies takes the file away, so that it is the only one.
 */
const orders = process.env["KILLMAILD_TEST_CRASH_FILE"]

/** Nothing, unless a test wants the process to die here. */
export const crashPoint: (point: CrashPoint) => Effect.Effect<void> = orders === undefined
  ? () => Effect.void
  : (point) => Effect.sync(() => pass(orders, point))

const passes = new Map<string, number>()

const pass = (file: string, point: CrashPoint): void => {
  try {
    const order = readFileSync(file, "utf8")
    const [wanted, time = "1"] = order.split(":")
    if (wanted !== point) return
    const passed = (passes.get(order) ?? 0) + 1
    passes.set(order, passed)
    if (passed < Number(time)) return
    renameSync(file, `${file}.obeyed`)
  } catch {
    // There is no order, or another process was faster.
    return
  }
  process.kill(process.pid, "SIGKILL")
}
