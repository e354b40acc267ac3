/** Texts that programs have stumbled over. */
import type { Random } from "../../src/sandbox/Random.ts"

/** As they may stand in a URL. */
const encoded = [
  "%00",
  "%",
  "%zz",
  "%C0%80",
  "%ED%A0%80",
  "%F0%28%8C%28",
  "%2e%2e%2f",
  "%25%30%30",
  "+",
  "%0d%0aSet-Cookie:x=1"
]

const texts = [
  "",
  " ",
  "0",
  "-1",
  "-0",
  "1.5",
  "1e3",
  "1e400",
  "0x10",
  "NaN",
  "Infinity",
  "null",
  "true",
  "undefined",
  "[]",
  "{}",
  "[object Object]",
  "__proto__",
  "constructor",
  "toString",
  "2147483648",
  "4294967296",
  "9007199254740992",
  "9223372036854775807",
  "9223372036854775808",
  "1".repeat(400),
  ",",
  ",,,",
  "1,,2",
  "1,2,3",
  "1,x",
  Array.from({ length: 1001 }, (_, k) => k + 1).join(),
  "2026-02-30",
  "0000-01-01",
  "9999-12-31T23:59:59Z",
  "2026-11-20T18:30:00+01:00",
  "' or 1=1 --",
  "1; drop table killmails",
  "$1",
  "${7*7}",
  "{{7*7}}",
  "../../../etc/passwd",
  "<script>alert(1)</script>",
  "\u0000",
  "\ufeff1",
  "١٢٣",
  "１２３",
  "é",
  "e\u0301",
  "😀",
  "\u202e1",
  "\ud800",
  "a".repeat(5000),
  "any",
  "highsec",
  "json"
]

export const text = (random: Random): string => random.pick(texts)

const quoted = (value: string): string => encodeURIComponent(value.toWellFormed())

/** Ready to stand in a URL. */
export const inUrl = (random: Random): string => random.chance(0.2) ? random.pick(encoded) : quoted(text(random))

/** The text with a few of its characters exchanged, doubled or gone. */
export const mangled = (random: Random, original: string): string => {
  const characters = [...original]
  for (let changes = random.whole(1, 3); changes > 0 && characters.length > 0; changes--) {
    const at = random.whole(0, characters.length - 1)
    const by = random.pick([[], [characters[at]!, characters[at]!], [String.fromCharCode(random.whole(33, 126))]])
    characters.splice(at, 1, ...by)
  }
  return characters.join("")
}

const leaves = [null, true, 0, -1, 1.5, 1e300, 2 ** 53, "", "x", [], {}, [[]], { a: 1 }, "\u0000", "😀"]

/** Some value of JSON. */
export const json = (random: Random, depth = 0): unknown =>
  depth > 3 || random.chance(0.5)
    ? random.chance(0.3) ? text(random) : random.pick(leaves)
    : random.chance(0.5)
    ? Array.from({ length: random.whole(0, 3) }, () => json(random, depth + 1))
    : Object.fromEntries(Array.from({ length: random.whole(0, 3) }, () => [text(random), json(random, depth + 1)]))
