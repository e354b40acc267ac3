/**
 * As whom Postgres runs. It refuses root, so root's daemon runs it in a user namespace where it believes to be another
 * user while its files stay root's; where namespaces are forbidden (Docker's default), as that other user in earnest.
 */
import { Effect } from "effect"
import { chmod, cp, mkdir, rename, rm, stat } from "node:fs/promises"
import { join } from "node:path"
import { type Binaries, postgresOf } from "./Binaries.ts"
import { attempt, EmbeddedPostgresError, wayOut } from "./EmbeddedPostgresError.ts"
import { type Identity, run } from "./Program.ts"

export interface Account {
  readonly binaries: Binaries
  /** What to run instead of `command`, so that it runs as this account. */
  readonly wrap: (command: readonly [string, ...ReadonlyArray<string>]) => readonly [string, ...ReadonlyArray<string>]
  readonly identity: Identity
  /** Set where files must be handed over to another user. */
  readonly other: { readonly name: string; readonly uid: number; readonly gid: number } | undefined
  /** A directory of root's that the other user can reach. */
  readonly home: string
}

/** Where files go that another user must reach and cannot where they are. */
export const defaultHome = "/var/lib/killmaild"

/** `forcedHome` skips the user namespace, as on a machine that forbids them. */
export const choose = Effect.fnUntraced(function*(binaries: Binaries, forcedHome: string | undefined) {
  const home = forcedHome ?? defaultHome
  const self: Account = { binaries, wrap: (command) => command, identity: {}, other: undefined, home }
  if (process.getuid?.() !== 0) return self
  const other = yield* someUser
  if (forcedHome === undefined) {
    const namespace = ["unshare", "--user", `--map-user=${other.uid}`, `--map-group=${other.gid}`] as const
    const wrap: Account["wrap"] = (command) => [...namespace, ...command]
    const [program, ...args] = wrap([
      "sh",
      "-c",
      `[ "$(id -u)" = "$0" ] && "$1" --version`,
      String(other.uid),
      postgresOf(binaries)
    ])
    const probe = yield* run(program, args)
    if (probe.ok) return { ...self, wrap }
  }
  const identity = { uid: other.uid, gid: other.gid }
  const reachable = yield* reachableBinaries(binaries, identity, home)
  return { ...self, binaries: reachable, identity, other }
})

/** Postgres looks its user up, so a bare number will not do. */
const someUser = Effect.gen(function*() {
  for (const name of ["postgres", "nobody"]) {
    const [uid, gid] = yield* Effect.all([run("id", ["-u", name]), run("id", ["-g", name])])
    if (uid.ok && gid.ok && Number(uid.output) > 0) return { name, uid: Number(uid.output), gid: Number(gid.output) }
  }
  return yield* new EmbeddedPostgresError({
    message: `PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it as: start ` +
      `killmaild as an ordinary user, or ${wayOut}.`
  })
})

const reachableBinaries = Effect.fnUntraced(function*(binaries: Binaries, identity: Identity, home: string) {
  if ((yield* run(postgresOf(binaries), ["--version"], identity)).ok) return binaries
  const copy: Binaries = { ...binaries, root: join(home, `postgresql-${binaries.version}`) }
  if ((yield* run(postgresOf(copy), ["--version"], identity)).ok) return copy
  yield* attempt("copy the embedded PostgreSQL to where another user can run it", async () => {
    const half = `${copy.root}.${process.pid}`
    await makeHome(home)
    await cp(binaries.root, half, { recursive: true, verbatimSymlinks: true })
    await chmod(half, 0o755)
    await rm(copy.root, { recursive: true, force: true })
    await rename(half, copy.root)
  }, wayOut)
  const probe = yield* run(postgresOf(copy), ["--version"], identity)
  if (probe.ok) return copy
  return yield* new EmbeddedPostgresError({
    message: `PostgreSQL refuses to run as root, and another user cannot run it here (${probe.output}): start ` +
      `killmaild as an ordinary user, or ${wayOut}.`
  })
})

export const makeHome = async (home: string): Promise<void> => {
  await mkdir(home, { recursive: true })
  await chmod(home, 0o755)
}

/** Whether the account can enter this directory. */
export const canEnter = (account: Account, directory: string): Effect.Effect<boolean> =>
  run("sh", ["-c", `cd "$0"`, directory], account.identity).pipe(Effect.map(({ ok }) => ok))

/** Gives a directory and all in it to whoever must own it: Postgres refuses a data directory of another user. */
export const handOver = Effect.fnUntraced(function*(account: Account, directory: string) {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = account.other ?? { uid: 0, gid: 0 }
  if ((yield* attempt(`look at ${directory}`, () => stat(directory))).uid === uid) return
  const done = yield* run("chown", ["-R", `${uid}:${gid}`, directory])
  if (!done.ok) return yield* new EmbeddedPostgresError({ message: `Cannot hand over ${directory}: ${done.output}.` })
})
