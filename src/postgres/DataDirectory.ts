/** Where Postgres keeps its data: found, made on the first start, and handed to the account that runs it. */
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import { lstat, mkdir, open, readdir, readFile, realpath, rename, rm, symlink } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { type Account, canEnter, handOver, makeHome } from "./Account.ts"
import { initdbOf, majorVersion } from "./Binaries.ts"
import { attempt, EmbeddedPostgresError, wayOut } from "./EmbeddedPostgresError.ts"
import { run } from "./Program.ts"

/** One name for a directory, however it was written, existing or not. */
export const canonical = Effect.fnUntraced(function*(directory: string) {
  const absolute = resolve(directory)
  return yield* attempt(
    `use ${absolute}`,
    async () => join(await realpath(dirname(absolute)), basename(absolute))
  )
})

/** Where the data really are: `place` is a link when they had to go where another user can reach them. */
export const follow = (place: string): Effect.Effect<string, EmbeddedPostgresError> =>
  attempt(`follow the link ${place}`, () =>
    realpath(place).catch(async (error) => {
      const isLink = await lstat(place).then((stats) => stats.isSymbolicLink(), () => false)
      // What it led to may be a disk that is not mounted: not to be replaced by an empty database.
      if (isLink) throw error
      return place
    }))

/** Leaves a data directory of our version at the path it returns, complete or not at all, owned by the account. */
export const prepare = Effect.fnUntraced(function*(account: Account, place: string, options: { sync: boolean }) {
  const data = yield* follow(place)
  const files = yield* attempt(`read ${data}`, () => readdir(data).catch(noneIfAbsent))
  if (files.length > 0) {
    yield* checkVersion(data)
    if (!(yield* canEnter(account, dirname(data)))) {
      return yield* new EmbeddedPostgresError({
        message: `PostgreSQL must run as the user ${account.other?.name ?? "nobody"} here, who cannot reach ${data}: ` +
          `move KILLMAILD_DATA_DIR out of the directories that are closed to others.`
      })
    }
    yield* handOver(account, data)
    return data
  }
  if (yield* canEnter(account, dirname(data))) {
    yield* create(account, data, options)
    return data
  }
  return yield* createElsewhere(account, place, options)
})

const noneIfAbsent = (error: NodeJS.ErrnoException): [] => {
  if (error.code === "ENOENT") return []
  throw error
}

const checkVersion = Effect.fnUntraced(function*(data: string) {
  const text = yield* Effect.promise(() => readFile(join(data, "PG_VERSION"), "utf8").catch(() => ""))
  const found = text.trim()
  if (found === majorVersion) return
  return yield* new EmbeddedPostgresError({
    message: found === ""
      ? `${data} is not empty and holds no PostgreSQL data: move it away, or set KILLMAILD_DATA_DIR to another directory.`
      : `${data} was made by PostgreSQL ${found} and this killmaild brings ${majorVersion}: move the data over with ` +
        `pg_upgrade or a dump, or set KILLMAILD_DATA_DIR to another directory.`
  })
})

/** In a directory beside it, renamed when complete: a kill in the middle leaves nothing half-made. */
const create = Effect.fnUntraced(function*(account: Account, data: string, options: { readonly sync: boolean }) {
  const half = `${data}.new-${randomBytes(4).toString("hex")}`
  yield* attempt(`make ${half}`, async () => {
    await removeHalfMade(data)
    await mkdir(half, 0o700)
  })
  yield* handOver(account, half)
  // The builtin provider sorts alike on every system; "trust" is safe behind a socket in a directory closed to others.
  const flags = "--username postgres --auth trust --encoding UTF8 --locale C --locale-provider builtin " +
    `--builtin-locale C.UTF-8 --text-search-config english ${options.sync ? "" : "--no-sync"}`
  const [program, ...args] = account.wrap([initdbOf(account.binaries), "--pgdata", half, ...flags.trim().split(" ")])
  const made = yield* run(program, args, account.identity)
  if (!made.ok) {
    yield* Effect.promise(() => rm(half, { recursive: true, force: true }))
    return yield* new EmbeddedPostgresError({
      message: `PostgreSQL could not make its data directory ${data}: ${lastLines(made.output)}.`
    })
  }
  yield* attempt(`make ${data}`, async () => {
    await rename(half, data)
    if (options.sync) await syncDirectory(dirname(data))
  })
})

/** Ours gets a name of its own, as the initdb of a killed daemon may still be at work on what it was making. */
const removeHalfMade = async (data: string) => {
  const siblings = await readdir(dirname(data))
  for (const sibling of siblings.filter((name) => name.startsWith(`${basename(data)}.new-`))) {
    await rm(join(dirname(data), sibling), { recursive: true, force: true }).catch(() => {})
  }
}

const createElsewhere = Effect.fnUntraced(function*(
  account: Account,
  place: string,
  options: { readonly sync: boolean }
) {
  const data = join(account.home, `postgres-${randomBytes(6).toString("hex")}`)
  yield* attempt(`make ${account.home}`, () => makeHome(account.home), wayOut)
  yield* create(account, data, options)
  yield* attempt(`make ${place}`, async () => {
    await rm(place, { recursive: true, force: true })
    await symlink(data, place)
  })
  yield* Effect.logWarning(
    `PostgreSQL must run as the user ${account.other?.name ?? "nobody"} here, who cannot reach ${place}: ` +
      `its data are in ${data}.`
  )
  return data
})

const syncDirectory = async (directory: string) => {
  const handle = await open(directory)
  await handle.sync().finally(() => handle.close())
}

/** The end of what a program said, as one line. */
export const lastLines = (output: string): string =>
  output.trim().split("\n").slice(-4).map((line) => line.trim()).filter((line) => line !== "").join(" / ")
    .replace(/\.$/, "")
