/**
 * Three killmailds on one Postgres, each as a role of its own, so that the database itself can tell which of them moved a
 * feed's cursor: who leads is killed, or frozen and woken, in turn.
 */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { type ChildProcess, spawn } from "node:child_process"
import { join } from "node:path"

const root = new URL("../..", import.meta.url).pathname

export const replicas = ["replica_1", "replica_2", "replica_3"] as const
export type Replica = typeof replicas[number]

/** Roles that may do everything, and a record of every move of a cursor, written in the transaction that moves it. */
export const prepare = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  for (const replica of replicas) {
    yield* sql`create role ${sql(replica)} superuser login`
  }
  yield* sql`create schema audit`
  yield* sql`
    create table audit.moves (
      id bigint generated always as identity,
      at timestamptz not null,
      replica text not null,
      feed text not null,
      term bigint not null,
      cursor bigint
    )`
  yield* sql`
    create function audit.note_move() returns trigger language plpgsql as $$
    begin
      insert into audit.moves (at, replica, feed, term, cursor)
      select clock_timestamp(), session_user, new.feed, term, new.cursor from leases where name = new.feed;
      return null;
    end $$`
  yield* sql`
    create trigger note_move after insert or update on feed_cursors
    for each row execute function audit.note_move()`
})

/** Moves that a second leader made: a term of two replicas, or a move in a term that was over. */
export const doubleLeads = Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient
  return yield* sql`
    select feed, 'a term of ' || string_agg(distinct replica, ', ') as finding
    from audit.moves
    group by feed, term
    having count(distinct replica) > 1
    union all
    select feed, 'a move in a term that was over'
    from (select feed, term, max(term) over (partition by feed order by at) as newest from audit.moves) moves
    where term < newest`
})

/** Who leads now, by the latest move, once it has made so many. */
export const leaderNow = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, moves = 1) {
  const [lead] = yield* sql<{ replica: Replica; moves: number }>`
    select min(replica) as replica, count(*)::int as moves from audit.moves group by term order by term desc limit 1`
  return lead !== undefined && lead.moves >= moves ? lead.replica : undefined
})

/** Milliseconds from this instant to the first move of another replica; nothing while there is none. */
export const takenOverAfter = Effect.fnUntraced(function*(sql: SqlClient.SqlClient, from: Replica, at: number) {
  const [move] = yield* sql<{ millis: number }>`
    select extract(epoch from at)::float8 * 1000 - ${at}::float8 as millis
    from audit.moves
    where replica <> ${from} and at > to_timestamp(${at / 1000}::float8)
    order by at limit 1`
  return move?.millis
})

export interface Daemons {
  readonly signal: (replica: Replica, signal: NodeJS.Signals) => void
  readonly stop: () => Promise<void>
}

/** One process each; who was killed is started again. */
export const startDaemons = (environmentOf: (replica: Replica) => NodeJS.ProcessEnv): Daemons => {
  let isStopping = false
  const running = new Map<Replica, ChildProcess>()
  const start = (replica: Replica) => {
    const child = spawn(process.execPath, ["src/main.ts", "serve", "--one-process"], {
      cwd: root,
      env: { NODE_COMPILE_CACHE: join(root, "node_modules/.cache/compiled"), ...environmentOf(replica) },
      stdio: ["ignore", "ignore", process.env["SOAK_LOG"] === undefined ? "ignore" : "inherit"]
    })
    running.set(replica, child)
    child.once("exit", () => {
      if (!isStopping) start(replica)
    })
  }
  replicas.forEach(start)
  return {
    signal: (replica, signal) => void running.get(replica)!.kill(signal),
    stop: async () => {
      isStopping = true
      await Promise.all([...running.values()].map((child) =>
        new Promise((resolve) => {
          if (child.exitCode !== null || child.signalCode !== null) return resolve(undefined)
          child.once("exit", resolve)
          child.kill("SIGCONT")
          child.kill("SIGKILL")
        })
      ))
    }
  }
}
