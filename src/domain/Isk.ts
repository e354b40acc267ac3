/**
 * Amounts of ISK that lose nothing: whole hundredths in a bigint. Sums do not depend on their order, and no amount is NaN.
 * Pure.
 */

/** Hundredths of an ISK. */
export type Isk = bigint

/** What the columns numeric(20,2) hold: a hundredth less than 10^18 ISK. */
export const largestIsk: Isk = 10n ** 20n - 1n

/** Exact for whole hundredths up to 3 × 10^13 ISK. What is no amount (negative, NaN, infinite) is undefined. */
export const iskOf = (amount: number): Isk | undefined => {
  const hundredths = Math.round(amount * 100)
  return hundredths >= 0 && hundredths < Infinity ? BigInt(hundredths) : undefined
}

/** As JSON has it: exact for up to 9 × 10^13 ISK, the nearest number above. */
export const iskNumber = (isk: Isk): number => Number(isk) / 100

/** As Postgres reads a numeric: `-?\d+\.\d\d`. */
export const iskText = (isk: Isk): string => {
  const digits = isk.toString().padStart(3, "0")
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`
}

/** A part of an amount, to the nearest hundredth. */
export const dividedBy = (isk: Isk, count: number): Isk => {
  const divisor = BigInt(count)
  return (2n * isk + divisor) / (2n * divisor)
}
