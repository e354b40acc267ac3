/** How far long work has come, told on standard error: a bar on a terminal, a line now and then elsewhere. */
import { Console, Effect } from "effect"

/** `total` is undefined where nobody knows it. */
export interface Advance {
  readonly what: string
  readonly done: number
  readonly total: number | undefined
  /** `bytes`, or what is counted: `days`. */
  readonly unit: string
}

/** Milliseconds between two drawings of the bar, and between two lines. */
const redraw = 100
const nextLine = 5000

/** Tells nothing when silent: programs read the result alone. The bar is gone when the scope closes. */
export const makeProgress = Effect.fnUntraced(function*(silent: boolean) {
  const isTerminal = process.stderr.isTTY
  let begun = { what: "", at: 0 }
  let told = 0
  if (isTerminal && !silent) yield* Effect.addFinalizer(() => Effect.sync(() => process.stderr.write(clearLine)))
  return (advance: Advance): Effect.Effect<void> =>
    Effect.sync(() => {
      const now = performance.now()
      const isNew = begun.what !== advance.what
      if (silent || (!isNew && now - told < (isTerminal ? redraw : nextLine))) return
      if (isNew) begun = { what: advance.what, at: now }
      told = now
      const { bar, text } = describe(advance, (now - begun.at) / 1000)
      // From the beginning of the line: what is logged meanwhile is written over the bar, not behind it.
      process.stderr.write(isTerminal ? `${clearLine}${advance.what} ${bar} ${text}\r` : `${advance.what}: ${text}\n`)
    })
})

/** Waits for as long as an upstream wants, and says so when that is long. */
export const waitFor = ({ message, waitMillis }: { readonly message: string; readonly waitMillis: number }) =>
  Effect.gen(function*() {
    if (waitMillis > 10_000) yield* Console.error(`${message} Going on in ${timeText(waitMillis / 1000)}.`)
    yield* Effect.sleep(waitMillis)
  })

const clearLine = "\r\u001b[K"

const width = 30

const describe = ({ done, total, unit }: Advance, seconds: number) => {
  const share = total === undefined ? undefined : Math.min(1, total === 0 ? 1 : done / total)
  const rate = seconds < 1 ? undefined : done / seconds
  const filled = Math.round(width * (share ?? 0))
  return {
    bar: share === undefined ? "" : `[${"#".repeat(filled)}${".".repeat(width - filled)}]`,
    text: [
      ...(share === undefined ? [] : [`${Math.floor(100 * share)} %`]),
      total === undefined ? amount(done, unit) : `${number(done, unit)} of ${amount(total, unit)}`,
      ...(rate === undefined ? [] : [`${amount(rate, unit)}/s`]),
      ...(rate === undefined || total === undefined || rate === 0 ? [] : [`${timeText((total - done) / rate)} left`])
    ].join(", ")
  }
}

const number = (value: number, unit: string): string =>
  String(Number((unit === "bytes" ? value / 1e6 : value).toFixed(1)))

const amount = (value: number, unit: string): string => `${number(value, unit)} ${unit === "bytes" ? "MB" : unit}`

const timeText = (seconds: number): string =>
  seconds < 100
    ? `${Math.ceil(seconds)} s`
    : seconds < 6000
    ? `${Math.ceil(seconds / 60)} min`
    : `${Math.ceil(seconds / 3600)} h`
