/**
 * Postgres arrays for `unnest(${array}::bigint[], …)`. The driver types an array by its first element, which fails for
 * `[1, 5_000_000_000]`; so a column is a literal, one text parameter whatever its element type. Where thousands of rows a
 * second are written its numbers go in binary, which is half the work for both sides.
 */
import { PgTypes } from "@effect/sql-pg"
import { Result } from "effect"

type Element = number | boolean | string | null | undefined

/** Quotes by JSON's rules, which Postgres' array syntax shares for strings without control characters. */
const quote = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll("\"", "\\\"")}"`

export const pgArray = (elements: ReadonlyArray<Element>): string =>
  `{${
    elements.map((element) =>
      element === null || element === undefined
        ? "NULL"
        : typeof element === "string"
        ? quote(element)
        : String(element)
    ).join()
  }}`

/** The values of one column, taken from each row. */
export const pgColumn = <Row>(rows: ReadonlyArray<Row>, pick: (row: Row) => Element): string => pgArray(rows.map(pick))

/** As `pgColumn`, in binary and as float8, which holds every id, count and amount that JavaScript holds. */
export const pgNumbers = <Row>(
  rows: ReadonlyArray<Row>,
  pick: (row: Row) => number | null | undefined
): PgTypes.Parameter => Result.getOrThrow(PgTypes.array(rows.map((row) => pick(row) ?? null), PgTypes.OID.float8))
