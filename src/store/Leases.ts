/**
 * Leadership over all replicas: a session's advisory lock, free at once when its holder dies, and a lease row whose term
 * fences every write, for the holder that is frozen and wakes too late.
 */
import { Context, Effect, Layer, Schema, type Scope } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import { crashPoint } from "../CrashPoint.ts"
import { promptly } from "./Deadline.ts"

/** Another replica leads. */
export class LeaseHeld extends Schema.TaggedError<LeaseHeld>()("LeaseHeld", { name: Schema.String }) {}
/** Another replica took over: what this one began is void. */
export class LeaseLost extends Schema.TaggedError<LeaseLost>()("LeaseLost", { name: Schema.String }) {}

export interface Lease {
  readonly name: string
  readonly term: number
  /** Fails as soon as the lease is known to be lost; never succeeds. */
  readonly lost: Effect.Effect<never, LeaseLost | SqlError.SqlError>
}

const holder = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`
/** A frozen leader is missed for so long, and two tries of its successor. */
const ttl = "10 seconds"
const renewal = "3 seconds"

export class Leases extends Context.Service<Leases, {
  /** Leads until the scope closes, on a connection of its own. */
  readonly acquire: (name: string) => Effect.Effect<Lease, LeaseHeld | SqlError.SqlError, Scope.Scope>
}>()("killmaild/store/Leases") {
  static readonly layer = Layer.effect(
    Leases,
    Effect.gen(function*() {
      const sql = yield* SqlClient.SqlClient

      /**
       * A holder whose lease ran out is frozen or cut off. Ending all sessions of its process frees the lock for the next
       * try, and whatever else a transaction of it has locked.
       */
      const endFrozenHolder = (name: string) =>
        sql`
          select pg_terminate_backend(pid)
          from pg_stat_activity join leases using (application_name)
          where name = ${name} and expires_at < now() and datname = current_database() and pid <> pg_backend_pid()`

      const acquire = Effect.fnUntraced(function*(name: string) {
        const connection = yield* sql.reserve
        const query = (text: string, parameters: ReadonlyArray<unknown>) =>
          promptly(
            connection.execute(text, parameters, undefined) as Effect.Effect<
              ReadonlyArray<Record<string, unknown>>,
              SqlError.SqlError
            >
          )
        const lock = "(hashtext('killmaild:lease'), hashtext($1))"
        const [row] = yield* query(`select pg_try_advisory_lock${lock} as locked`, [name])
        if (row?.locked !== true) {
          yield* endFrozenHolder(name)
          return yield* new LeaseHeld({ name })
        }
        yield* Effect.addFinalizer(() => Effect.ignore(query(`select pg_advisory_unlock${lock}`, [name])))
        yield* crashPoint("lease locked, term not written")
        const [lease] = yield* query(
          `insert into leases (name, holder, term, application_name, expires_at)
           values ($1, $2, 1, current_setting('application_name'), now() + $3::interval)
           on conflict (name) do update set holder = excluded.holder, term = leases.term + 1,
             application_name = excluded.application_name, expires_at = excluded.expires_at
           returning term::int as term`,
          [name, holder, ttl]
        )
        const term = Number(lease!.term)
        const renew = Effect.flatMap(
          query(
            "update leases set expires_at = now() + $3::interval where name = $1 and term = $2::int returning term",
            [name, term, ttl]
          ),
          (renewed) => renewed.length === 1 ? Effect.void : Effect.fail(new LeaseLost({ name }))
        ).pipe(Effect.timeoutOrElse({ duration: renewal, orElse: () => Effect.fail(new LeaseLost({ name })) }))
        return { name, term, lost: Effect.forever(Effect.delay(renew, renewal)) }
      })

      return Leases.of({ acquire })
    })
  )
}
