/** Processes beside the benchmark: modules of this directory, who answer each message with one. */
import { Effect } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { BenchmarkFailed } from "./Ground.ts"

/** Until the scope closes. */
export const start = (module: string) =>
  Effect.acquireRelease(
    Effect.sync(() => fork(join(import.meta.dirname, module))),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** The next message of the child. */
export const answerOf = <Answer>(child: ChildProcess) =>
  Effect.callback<Answer, BenchmarkFailed>((resume) => {
    const fail = (message: string) => resume(Effect.fail(new BenchmarkFailed({ message })))
    const onMessage = (answer: Answer & { readonly error?: string }) => {
      child.off("exit", onExit)
      if (answer.error === undefined) resume(Effect.succeed(answer))
      else fail(answer.error)
    }
    const onExit = () => {
      child.off("message", onMessage)
      fail("A process of the benchmark ended too early.")
    }
    child.once("message", onMessage)
    child.once("exit", onExit)
  })

export const ask = <Answer>(child: ChildProcess, question: object) =>
  Effect.suspend(() => {
    child.send(question)
    return answerOf<Answer>(child)
  })

/** Resident memory of a process in kilobytes; null where nothing tells. */
export const residentOf = (pid: number): number | null => {
  try {
    const kilobytes = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    return kilobytes === undefined ? null : Number(kilobytes)
  } catch {
    return null
  }
}
