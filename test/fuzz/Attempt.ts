/** One request of the fuzzer, where requests come from, and who says whether an answer will do. */
import type { Random } from "../../src/sandbox/Random.ts"

export interface Attempt {
  readonly method: string
  /** As it stands in the request line, however broken. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer | string | undefined
  /** Sent to the socket as it is, in place of all else. */
  readonly wire?: Buffer | string
  /** The operation of the contract that it is meant for. */
  readonly operation?: string | undefined
  /** Whether it is one that the contract lets everybody send. */
  readonly isValid?: boolean
}

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** Makes requests of one kind. `judge` says what is wrong with an answer besides what is wrong with any. */
export interface Source {
  readonly name: string
  /** How many of a hundred requests are its own, in proportion to those of the others. */
  readonly weight: number
  readonly next: (random: Random) => Attempt
  readonly judge?: (attempt: Attempt, answer: Answer) => string | undefined
}
