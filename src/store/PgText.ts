/** Text that Postgres takes whatever it came from: it knows no U+0000, and its JSON no lone surrogates. */

const replacement = "\uFFFD"

/** For a text column. */
export const pgText = (text: string): string => text.replaceAll("\0", replacement)

/**
 * For json that Postgres' functions will look into, and for jsonb: `->` fails on an object that holds such a character
 * anywhere. JSON.stringify writes just these as escapes; the other branch steps over any other escape.
 */
export const pgJson = (value: unknown): string => {
  const json = JSON.stringify(value)
  return json.includes("\\u")
    ? json.replace(
      /\\(?:(u0000|ud[89a-f]..)|.)/g,
      (escape, unfit?: string) => unfit === undefined ? escape : replacement
    )
    : json
}
