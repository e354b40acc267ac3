/**
 * Postgres arrays for `unnest(${array}::bigint[], …)`. The driver types an array by its first element, which fails for
 * `[1, 5_000_000_000]`; so a column is a literal, one text parameter whatever its element type.
 */
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
