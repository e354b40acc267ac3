/** The daemon as an operator runs it: real processes, started again as often as they are killed. */
import { type ChildProcess, spawn } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const root = new URL("../..", import.meta.url).pathname

export type Victim = "daemon" | "jobs" | "both"

/** Lines of the log that are kept for findings. */
const keptLines = 40
/** Milliseconds that a daemon gets to stop; with silent connections to Postgres it waits for several deadlines. */
const stopMillis = 45_000

export interface Processes {
  readonly pids: () => { readonly daemon: number | undefined; readonly jobs: number | undefined }
  readonly kill: (victim: Victim) => void
  /** How many jobs found that their killmail was stored already, by the log. */
  readonly known: () => number
  /** What nobody asked for: a daemon that ended by itself, or could not be stopped. */
  readonly findings: () => ReadonlyArray<string>
  /** The last words of all of them. */
  readonly log: () => string
  /** As by Ctrl-C, in bounded time. */
  readonly stop: () => Promise<void>
}

/** `wasMeantToDie` answers for deaths that nobody asked for here. */
export const startProcesses = (env: NodeJS.ProcessEnv, wasMeantToDie = () => false): Processes => {
  const findings: Array<string> = []
  const lines: Array<string> = []
  let known = 0
  let isStopping = false
  let wasKilled = false

  const hear = (line: string) => {
    if (process.env["SOAK_LOG"] !== undefined) process.stderr.write(`${line}\n`)
    if (/killmail \d+ known/.test(line)) known++
    if (/ DEBUG /.test(line)) return
    lines.push(line)
    if (lines.length > keptLines) lines.shift()
  }

  const start = (): ChildProcess => {
    const child = spawn(process.execPath, ["--max-semi-space-size=4", "src/main.ts", "serve"], {
      cwd: root,
      env: { NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compiled"), ...env },
      stdio: ["ignore", "ignore", "pipe"]
    })
    let rest = ""
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      const parts = (rest + text).split("\n")
      rest = parts.pop()!
      parts.forEach(hear)
    })
    child.once("exit", (code, signal) => {
      if (isStopping) return
      if (!wasKilled && !wasMeantToDie()) {
        findings.push(`the daemon ended by itself (${signal ?? `exit ${code}`}): ${lines.slice(-5).join(" / ")}`)
      }
      const pause = wasKilled ? 0 : 200
      wasKilled = false
      setTimeout(() => {
        if (!isStopping) current = start()
      }, pause)
    })
    return child
  }
  let current = start()

  const pids = () => {
    const daemon = current.exitCode === null && current.signalCode === null ? current.pid : undefined
    return { daemon, jobs: daemon === undefined ? undefined : childrenOf(daemon)[0] }
  }

  return {
    pids,
    kill: (victim) => {
      const { daemon, jobs } = pids()
      if (victim !== "jobs" && daemon !== undefined) {
        wasKilled = true
        process.kill(daemon, "SIGKILL")
      }
      if (victim !== "daemon" && jobs !== undefined) process.kill(jobs, "SIGKILL")
    },
    known: () => known,
    findings: () => findings,
    log: () => lines.join("\n"),
    stop: () =>
      new Promise((resolve) => {
        isStopping = true
        if (pids().daemon === undefined) return resolve()
        const deadline = setTimeout(() => {
          findings.push(`the daemon did not stop within ${stopMillis} ms`)
          current.kill("SIGKILL")
        }, stopMillis)
        current.once("exit", () => {
          clearTimeout(deadline)
          resolve()
        })
        current.kill("SIGTERM")
      })
  }
}

/** The children of a process, as Linux tells them. */
const childrenOf = (parent: number): ReadonlyArray<number> => {
  try {
    return readdirSync(`/proc/${parent}/task`).flatMap((task) =>
      readFileSync(`/proc/${parent}/task/${task}/children`, "utf8").trim().split(" ").filter((pid) => pid !== "")
    ).map(Number)
  } catch {
    return []
  }
}

/** Resident memory of a process in MB; nothing where it is gone. */
export const residentOf = (pid: number): number | undefined => {
  try {
    const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) / 1024
  } catch {
    return undefined
  }
}
