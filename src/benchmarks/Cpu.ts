/** CPU time of processes, as Linux tells it in /proc; elsewhere it is unknown. */
import { readdirSync, readFileSync } from "node:fs"

/** Of Linux on every architecture: clock ticks, in milliseconds. */
const tickMillis = 10

interface Process {
  readonly pid: number
  readonly name: string
  readonly parent: number
  /** Its own and that of its ended children, in milliseconds. */
  readonly millis: number
}

/** Fields by their numbers in proc_pid_stat(5); the name, which may hold anything, stands in parentheses before them. */
const read = (pid: number): Process | undefined => {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ")
    const field = (number: number) => Number(fields[number - 3])
    const ticks = field(14) + field(15) + field(16) + field(17)
    return {
      pid,
      name: text.slice(text.indexOf("(") + 1, text.lastIndexOf(")")),
      parent: field(4),
      millis: ticks * tickMillis
    }
  } catch {
    return undefined
  }
}

/** Milliseconds of CPU that the process and all its descendants have spent; undefined where nothing tells. */
export const cpuOfTree = (root: number): number | undefined => {
  if (read(root) === undefined) return undefined
  const all = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).flatMap((name) => read(Number(name)) ?? [])
  const below = (parent: number): number =>
    all.filter((process) => process.parent === parent).reduce((sum, { millis, pid }) => sum + millis + below(pid), 0)
  return (read(root)?.millis ?? 0) + below(root)
}

/** As `cpuOfTree`, of the whole server that one of whose backends is known; undefined when it runs elsewhere. */
export const cpuOfPostgres = (backend: number): number | undefined => {
  const found = read(backend)
  return found?.name === "postgres" ? cpuOfTree(found.parent) : undefined
}
