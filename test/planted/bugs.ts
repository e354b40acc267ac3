/**
 * Bugs that a daemon of this kind has, or had: each is one small change of our own code that compiles, and the test that
 * must fail of it. In the order of the walk; `npm run planted-bugs` plants one after another.
 */

export interface Bug {
  readonly name: string
  /** What would happen to whoever relies on killmaild. */
  readonly breaks: string
  readonly file: string
  /** What stands exactly once in the file, and what stands there instead. */
  readonly changes: ReadonlyArray<readonly [find: string, replace: string]>
  /** The test that fails of it: its file, and its title or how that begins. */
  readonly caughtBy: readonly [file: string, test: string]
}

export const bugs: ReadonlyArray<Bug> = [
  // A feed and its cursor.
  {
    name: "cursor before jobs",
    breaks: "after a crash in between the feed goes on behind killmails that nobody has",
    file: "src/store/FeedStore.ts",
    changes: [[
      "promptly(hear(lease, hearings, next))",
      "promptly(Effect.andThen(hear(lease, [], next), hear(lease, hearings, undefined)))"
    ]],
    caughtBy: ["test/store/FeedStore.test.ts", "moves no cursor without its job, and adds no job without its cursor"]
  },
  {
    name: "term not checked",
    breaks: "a leader that was frozen moves the cursor of its successor back",
    file: "src/store/FeedStore.ts",
    changes: [[
      "where name = ${lease.name} and term = ${lease.term} for share",
      "where name = ${lease.name} for share"
    ]],
    caughtBy: ["test/store/FeedStore.test.ts", "writes nothing once its lease has passed to another"]
  },
  {
    name: "term not raised",
    breaks: "two leaders have one term, and neither is fenced off",
    file: "src/store/Leases.ts",
    changes: [["term = leases.term + 1", "term = leases.term"]],
    caughtBy: ["test/store/Leases.test.ts", "of a frozen holder is taken over once it has expired"]
  },
  {
    name: "living leader ended",
    breaks: "replicas end each other's sessions for ever",
    file: "src/store/Leases.ts",
    changes: [["where name = ${name} and expires_at < now()", "where name = ${name}"]],
    caughtBy: ["test/store/Leases.test.ts", "of a frozen holder is taken over once it has expired"]
  },
  {
    name: "lease not watched",
    breaks: "a leader neither renews its lease nor learns that it lost it",
    file: "src/feeds/Feed.ts",
    changes: [["Effect.raceFirst(source.listen(actor), lease.lost)", "source.listen(actor)"]],
    caughtBy: ["test/feeds/Feed.test.ts", "stops listening when another takes over its lease"]
  },
  {
    name: "feed dies of a defect",
    breaks: "one file that nobody thought of stops the feed until somebody restarts the daemon",
    file: "src/feeds/Feed.ts",
    changes: [[
      "if (Cause.hasInterruptsOnly(cause)) return Effect.failCause(cause)",
      "if (Cause.hasInterruptsOnly(cause) || Cause.hasDies(cause)) return Effect.failCause(cause)"
    ]],
    caughtBy: ["test/feeds/Feed.test.ts", "goes on from its cursor, whatever befell it"]
  },
  {
    name: "silence unnoticed",
    breaks: "what a feed told while nobody listened is missing, and nobody looks for it",
    file: "src/store/FeedStore.ts",
    changes: [["          if (since !== null) yield* openDowntime(lease, cursor, since)\n", ""]],
    caughtBy: ["test/store/FeedStore.test.ts", "opens a gap for each day in which killmails may have been published"]
  },
  {
    name: "gap closed too early",
    breaks: "a list from before the hole proves that nothing is missing",
    file: "src/store/Gaps.ts",
    changes: [[
      "opened_at < ${askedAt}::timestamptz",
      "opened_at < ${askedAt}::timestamptz + interval '1 hour'"
    ]],
    caughtBy: ["test/store/Gaps.test.ts", "is not closed by a list that was asked for before it opened"]
  },
  {
    name: "history told as news",
    breaks: "after a repair subscribers are told of killmails from years ago",
    file: "src/intake/IngestKillmail.ts",
    changes: [["Date.parse(killmail_time) >= Date.parse(announced_from)", "Date.parse(announced_from) > 0"]],
    caughtBy: ["test/walk/Downtime.test.ts", "has all that it missed, by itself"]
  },
  {
    name: "frozen transaction left alone",
    breaks: "what a frozen leader had locked stays locked, and its successor waits for ever",
    file: "src/store/Leases.ts",
    changes: [[
      "and pid <> pg_backend_pid()`",
      "and pid <> pg_backend_pid() and state <> 'idle in transaction'`"
    ]],
    caughtBy: ["test/store/Leases.test.ts", "of a frozen holder is taken over once it has expired"]
  },
  {
    name: "any file will do",
    breaks: "a cache that mixes up files makes one killmail of two",
    file: "src/feeds/R2z2.ts",
    changes: [["if (sequence_id !== sequence)", "if (sequence_id <= 0)"]],
    caughtBy: ["test/feeds/R2z2.test.ts", "that is no JSON, lacks what names a killmail"]
  },
  {
    name: "one 404 is a hole",
    breaks: "a file that a cache denied once is stepped over, and its killmail is lost",
    file: "src/feeds/R2z2.ts",
    changes: [["const denialsForHole = 3", "const denialsForHole = 1"]],
    caughtBy: ["test/feeds/R2z2.test.ts", "waits for a file that a cache denies"]
  },
  {
    name: "hole stepped over too far",
    breaks: "the first files after a hole are never read",
    file: "src/feeds/R2z2.ts",
    changes: [["while (high - low > 1)", "while (high - low > 8)"]],
    caughtBy: ["test/feeds/R2z2.test.ts", "is the first of those that were kept"]
  },
  {
    name: "maintenance taken for one bad file",
    breaks: "every killmail of an hour in which R2Z2 shows a web page is lost",
    file: "src/feeds/R2z2.ts",
    changes: [[
      "if (other._tag === \"Killmail\" || other._tag === \"Placeholder\") return true",
      "if (other._tag !== \"Missing\") return true"
    ]],
    caughtBy: ["test/feeds/R2z2.test.ts", "stays where it is while a page of maintenance"]
  },
  {
    name: "Retry-After in milliseconds",
    breaks: "asks on during a ban, which prolongs it",
    file: "src/RetryAfter.ts",
    changes: [["Math.min(seconds * 1000, longestMillis)", "Math.min(seconds, longestMillis)"]],
    caughtBy: ["test/feeds/R2z2.test.ts", "asks nothing for as long as a refusal says"]
  },

  // Hearsay becomes a job.
  {
    name: "key without hash",
    breaks: "who names a killmail with a wrong hash first keeps out whoever has the right one",
    file: "src/intake/Hearing.ts",
    changes: [[
      "({ hash, killmail_id }: KillmailRef): string => `killmail:${killmail_id}:${hash}`",
      "({ killmail_id }: KillmailRef): string => `killmail:${killmail_id}`"
    ]],
    caughtBy: ["test/store/FeedStore.test.ts", "another hash makes another job"]
  },
  {
    name: "body replaced by none",
    breaks: "ESI is asked for what a feed brought along, at 2 killmails a second",
    file: "migrations/0002_create_feeds.ts",
    changes: [[
      "case when wanted.has_body then wanted.payload::json->'body' else queued.payload->'body' end",
      "wanted.payload::json->'body'"
    ]],
    caughtBy: ["test/store/FeedStore.test.ts", "a body survives every order of three"]
  },
  {
    name: "hearings at the same time",
    breaks: "two feeds that name one killmail at once lose its body",
    file: "migrations/0002_create_feeds.ts",
    changes: [["perform pg_advisory_xact_lock(hashtext('killmaild:hearing'));", ""]],
    caughtBy: ["test/store/FeedStore.test.ts", "the second waits for the first one's transaction"]
  },
  {
    name: "known killmails queued again",
    breaks: "every killmail is worked on once a feed",
    file: "migrations/0002_create_feeds.ts",
    changes: [["where ledger.killmail_id = any(ids))", "where ledger.killmail_id = any(ids) and false)"]],
    caughtBy: ["test/store/FeedStore.test.ts", "adds no job for a killmail that is stored"]
  },
  {
    name: "refused for good, asked again",
    breaks: "each naming of a killmail with a wrong hash costs 5 tokens of ESI's budget",
    file: "migrations/0002_create_feeds.ts",
    changes: [[
      "and dead_letters.key = any(keys) and reason in ('not_found', 'hash_mismatch')",
      "and dead_letters.key = any(keys) and reason = 'not_found'"
    ]],
    caughtBy: ["test/store/FeedStore.test.ts", "is not queued again, unless its body comes along"]
  },
  {
    name: "U+0000 in a payload",
    breaks: "one pilot's odd name stops the feed for ever",
    file: "src/store/PgText.ts",
    changes: [["(u0000|ud[89a-f]..)", "(ud[89a-f]..)"]],
    caughtBy: ["test/store/FeedStore.test.ts", "hears of killmails with characters that Postgres"]
  },
  {
    name: "withheld by the transaction's clock",
    breaks: "a killmail that is public already is published once more, under another number",
    file: "migrations/0017_create_own_killmails.ts",
    changes: [[
      "sequence is null and visible_from > clock_timestamp()\n      ) then\n        return;\n      end if;\n      perform lock",
      "visible_from > now()\n      ) then\n        return;\n      end if;\n      perform lock"
    ], [
      "sequence is null and visible_from > clock_timestamp();\n      perform publish",
      "visible_from > now();\n      perform publish"
    ], ["sequence is null and visible_from > stored_at", "visible_from > stored_at"]],
    caughtBy: ["test/store/KillmailReader.test.ts", "keeps a mail's number when a feed names it"]
  },

  // A job that ingests a killmail.
  {
    name: "hash of a body not checked",
    breaks: "whoever runs a feed can make up killmails",
    file: "src/intake/IngestKillmail.ts",
    changes: [[
      "body.killmail_id === heard.killmail_id && hashOf(body) === heard.hash",
      "body.killmail_id === heard.killmail_id || hashOf(body) === heard.hash"
    ]],
    caughtBy: ["test/intake/IngestKillmail.test.ts", "asks ESI in place of a body that does not fit"]
  },
  {
    name: "hash of the first attacker",
    breaks: "true bodies are taken for forged, and ESI is asked for all of them",
    file: "src/domain/Killmail.ts",
    changes: [["killmail.attackers.find((attacker) => attacker.final_blow)", "killmail.attackers[0]"]],
    caughtBy: ["test/domain/Killmail.test.ts", "is what CCP computed for real mails"]
  },
  {
    name: "pause counted as an attempt",
    breaks: "three downtimes of Tranquility in a row make dead letters of all that wait for ESI",
    file: "src/esi/ExplainEsi.ts",
    changes: [[
      "return new Job.JobPostponed({ delayMillis: reason.waitMillis * (1 + Math.random()), message })",
      "return new Job.JobFailed({ reason: \"esi_paused\", message })"
    ]],
    caughtBy: ["test/intake/IngestKillmail.test.ts", "comes back later, at no attempt"]
  },
  {
    name: "trouble of Postgres counted as an attempt",
    breaks: "every killmail under way when Postgres restarts for the third time is a dead letter",
    file: "src/ExplainSql.ts",
    changes: [["isPassing(error)\n", "isPassing(error) && error.reason._tag === \"ConnectionError\"\n"]],
    caughtBy: ["test/intake/IngestKillmail.test.ts", "comes back later, at no attempt"]
  },
  {
    name: "batch not halved",
    breaks: "one bad row takes up to 99 good killmails with it",
    file: "src/intake/Recorder.ts",
    changes: [["return middle > 0 && hasBadRow(cause)", "return middle > maxBatch && hasBadRow(cause)"]],
    caughtBy: ["test/intake/Recorder.test.ts", "stores six of seven mails of one batch"]
  },
  {
    name: "batch halved in an outage",
    breaks: "a Postgres that is in trouble is asked 199 times instead of once",
    file: "src/intake/Recorder.ts",
    changes: [[
      "return middle > 0 && hasBadRow(cause)",
      "return middle > 0 && (hasBadRow(cause) || cause.reasons.length > 0)"
    ]],
    caughtBy: ["test/intake/Recorder.test.ts", "fails the whole batch, and asks only once"]
  },
  {
    name: "nested items lost",
    breaks: "what was in a container was never destroyed",
    file: "src/domain/Rows.ts",
    changes: [[
      "for (const inner of item.items ?? []) add(inner, ordinal)",
      "for (const inner of item.items ?? []) add(inner, parent)"
    ]],
    caughtBy: ["test/domain/Rows.test.ts", "are put together again from three levels"]
  },

  // The store.
  {
    name: "everybody waits for a month",
    breaks: "nothing is stored while a month is made that has nothing to do with it",
    file: "migrations/0001_create_killmails.ts",
    changes: [["from unnest(parents) name)) = 3 then", "from unnest(parents) name)) = 4 then"]],
    caughtBy: ["test/store/Partitions.test.ts", "are made while others read and write"]
  },
  {
    name: "lock and number in one statement",
    breaks: "who waited for the lock does not see what it waited for, and takes a number that is taken",
    file: "src/store/KillmailStore.ts",
    changes: [["          yield* transaction.query(\"select lock_publications()\")\n", ""], [
      "from killmail_ledger) + row_number()",
      "from killmail_ledger, lock_publications()) + row_number()"
    ]],
    caughtBy: ["test/store/KillmailStore.test.ts", "waits for a transaction that may still publish"]
  },
  {
    name: "number from a serial",
    breaks: "a number may commit before a lower one, which whoever reads on then never sees",
    file: "src/store/KillmailStore.ts",
    changes: [["          yield* transaction.query(\"select lock_publications()\")\n", ""], [
      "(select coalesce(max(sequence), 0) from killmail_ledger) + row_number() over (partition by announced order by id)",
      "nextval('job_runs_id_seq')"
    ]],
    caughtBy: ["test/store/KillmailStore.test.ts", "by four at once numbers them without a hole"]
  },
  {
    name: "lock given back before the commit",
    breaks: "a number may commit before a lower one, which whoever reads on then never sees",
    file: "migrations/0001_create_killmails.ts",
    changes: [[
      "select pg_advisory_xact_lock(hashtext('killmaild:publications'))",
      "select pg_advisory_unlock(hashtext('killmaild:publications'))\n"
      + "      from (select pg_advisory_lock(hashtext('killmaild:publications')))"
    ]],
    caughtBy: ["test/store/KillmailStore.test.ts", "waits for a transaction that may still publish"]
  },
  {
    name: "duplicate in a batch told twice",
    breaks: "two jobs believe that they stored the same killmail",
    file: "src/store/KillmailStore.ts",
    changes: [["          published.delete(killmail.killmail_id)\n", ""]],
    caughtBy: ["test/store/KillmailStore.test.ts", "stores a mail once that is in the batch twice"]
  },
  {
    name: "detached month never looked for",
    breaks: "every killmail of that month fails until the daemon is restarted",
    file: "src/store/KillmailStore.ts",
    changes: [["isNoPartition(error) && months.forget()", "isNoPartition(error)"]],
    caughtBy: ["test/store/KillmailStore.test.ts", "creates a month anew that somebody took away"]
  },
  {
    name: "missing month taken for a bad row",
    breaks: "a killmail of a month that somebody detached becomes a dead letter",
    file: "src/store/Database.ts",
    changes: [[
      "/^2[23]/.test(sqlState(error) ?? \"\") && !isNoPartition(error)",
      "/^2[23]/.test(sqlState(error) ?? \"\")"
    ]],
    caughtBy: ["test/intake/IngestKillmail.test.ts", "comes back later, at no attempt"]
  },
  {
    name: "months in the session's time zone",
    breaks: "killmails of the last hours of a month have no partition, or two",
    file: "migrations/0001_create_killmails.ts",
    changes: [["|| ' 00:00:00+00',", ","], ["|| ' 00:00:00+00');", ");"]],
    caughtBy: ["test/store/Database.test.ts", "begin and end by UTC"]
  },
  {
    name: "private killmail shown",
    breaks: "a killmail that its owner withheld can be read by its id",
    file: "src/store/KillmailReader.ts",
    changes: [["and (ledger.sequence is not null or ledger.visible_from <= clock_timestamp())", ""]],
    caughtBy: ["test/store/KillmailReader.test.ts", "shows no mail that is withheld"]
  },
  {
    name: "publications by the clock",
    breaks: "a publication whose transaction began later is told first, and the other one never",
    file: "src/store/KillmailReader.ts",
    changes: [[
      "and ledger.sequence <= ${BigInt(lastSequence)}",
      "and ledger.sequence <= ${BigInt(lastSequence)} and ledger.visible_from <= now()"
    ]],
    caughtBy: ["test/store/KillmailReader.test.ts", "tells a publication whatever the clock"]
  },
  {
    name: "epoch kept over a restore",
    breaks: "a client resumes from numbers that now belong to other killmails",
    file: "src/store/Database.ts",
    changes: [["set id = gen_random_uuid(), since = now(), system_identifier", "set since = now(), system_identifier"]],
    caughtBy: ["test/store/Database.test.ts", "gets a new epoch on another server"]
  },

  // Jobs and those who run them.
  {
    name: "attempt lost in a crash",
    breaks: "three crashes of a neighbour make a dead letter of a job that did nothing",
    file: "migrations/0003_create_jobs.ts",
    changes: [[
      "set attempts = greatest(0, attempts - 1) where locked_by = any(dead_pools)",
      "set attempts = attempts where locked_by = any(dead_pools)"
    ]],
    caughtBy: ["test/jobs/Lives.test.ts", "goes back with its attempt"]
  },
  {
    name: "bystander accused",
    breaks: "a job that crashes the process takes all that run beside it along to the dead letters",
    file: "migrations/0003_create_jobs.ts",
    changes: [["(job_crashes.crashes < 2 or job_crashes.accused)::integer", "1"]],
    caughtBy: ["test/jobs/Lives.test.ts", "goes back with its attempt"]
  },
  {
    name: "dead runs left running",
    breaks: "what a dead process ran seems to run for a week",
    file: "src/jobs/JobPools.ts",
    changes: [[
      "application_name = ${applicationName} and status = 'running'",
      "false and application_name = ${applicationName}"
    ]],
    caughtBy: ["test/jobs/JobPools.test.ts", "says of what the process ran that it was interrupted"]
  },
  {
    name: "jobs unlocked too soon",
    breaks: "a fetch under way locks jobs for a pool that is dead, for four hours",
    file: "src/jobs/JobPools.ts",
    changes: [["while: (backends) => backends > 0", "while: (backends) => backends > 1"]],
    caughtBy: ["test/jobs/JobPools.test.ts", "unlocks the jobs only when the last connection is gone"]
  },
  {
    name: "no tombstone",
    breaks: "what a dead pool locked with its last breath stays locked",
    file: "src/jobs/JobPools.ts",
    changes: [["const tombstone = \"60 seconds\"", "const tombstone = \"0 seconds\""]],
    caughtBy: ["test/jobs/JobPools.test.ts", "remembers a pool that ended"]
  },
  {
    name: "living pool buried",
    breaks: "replicas kill each other's jobs' processes for ever",
    file: "src/jobs/JobPools.ts",
    changes: [["${staleMillis} * interval '1 millisecond'", "${staleMillis} * interval '1 microsecond'"]],
    caughtBy: ["test/jobs/JobPools.test.ts", "leaves a pool alone that was heard of lately"]
  },
  {
    name: "busy pool buried",
    breaks: "on a busy machine jobs are taken from a process that runs them",
    file: "src/jobs/JobPools.ts",
    changes: [[
      "and (heartbeat_at < clock_timestamp() - ${frozenMillis} *",
      "and (heartbeat_at < clock_timestamp() - 0.001 *"
    ]],
    caughtBy: ["test/jobs/JobPools.test.ts", "leaves a pool alone that is silent but connected"]
  },
  {
    name: "orphan lives on",
    breaks: "jobs run in a process that nobody watches, stops or buries",
    file: "src/JobsMain.ts",
    changes: [[
      "process.on(\"disconnect\", () => die(\"its parent is gone\"))",
      "process.on(\"disconnect\", () => {})"
    ]],
    caughtBy: ["test/jobs/Lives.test.ts", "ends itself when its parent is gone"]
  },
  {
    name: "frozen child kept",
    breaks: "no job runs until somebody restarts the daemon",
    file: "src/jobs/JobsProcess.ts",
    changes: [[
      "while (performance.now() - heardAt < frozenMillis)",
      "while (child.connected || performance.now() - heardAt < frozenMillis)"
    ]],
    caughtBy: ["test/jobs/Lives.test.ts", "are run by the next process when it is killed or frozen"]
  },
  {
    name: "postponement counted",
    breaks: "an outage of a minute makes dead letters",
    file: "src/jobs/JobRunner.ts",
    changes: [[
      "stays(\"rescheduled\", job.attempts - 1, error.delayMillis)",
      "stays(\"rescheduled\", job.attempts, error.delayMillis)"
    ]],
    caughtBy: ["test/jobs/JobRunner.test.ts", "that is postponed comes back later"]
  },
  {
    name: "replaced job comes back",
    breaks: "the older of two jobs of one key runs again after the newer",
    file: "src/jobs/JobRunner.ts",
    changes: [[" and key is not distinct from ${job.key}", ""]],
    caughtBy: ["test/jobs/JobRunner.test.ts", "that is replaced while it runs"]
  },
  {
    name: "interrupted although stored",
    breaks: "a job that stored its killmail while the daemon stopped reports that it did not, and runs again",
    file: "src/jobs/JobRunner.ts",
    changes: [["uninterruptible: true", "uninterruptible: false"]],
    caughtBy: ["test/jobs/JobRunner.test.ts", "lets finish what cannot be cut off"]
  },
  {
    name: "schedule ends with a failure",
    breaks: "after one bad hour nobody creates the months to come",
    file: "src/jobs/JobRunner.ts",
    changes: [[
      "yield* crashPoint(\"dead letter written, job still queued\")\n    yield* keepGoing(handler, job)",
      "yield* crashPoint(\"dead letter written, job still queued\")"
    ]],
    caughtBy: ["test/jobs/JobRunner.test.ts", "is there exactly once, over all runners"]
  },
  {
    name: "running job run twice",
    breaks: "a replica that starts runs what another one is running",
    file: "src/jobs/JobQueue.ts",
    changes: [["job_key_mode => 'unsafe_dedupe'", "job_key_mode => 'replace'"]],
    caughtBy: ["test/jobs/JobRunner.test.ts", "goes on when the next runner starts"]
  },
  {
    name: "job given up too soon",
    breaks: "a job on its last attempt is a dead letter while it runs",
    file: "src/store/Maintenance.ts",
    changes: [["where attempts >= max_attempts and locked_at is null", "where attempts >= max_attempts"]],
    caughtBy: ["test/store/Maintenance.test.ts", "buries jobs that the queue gave up"]
  },

  // Telling the world.
  {
    name: "woken by NOTIFY alone",
    breaks: "what is published while the listening connection is down is told with the next killmail, or never",
    file: "src/broadcast/LiveKillmails.ts",
    changes: [["          yield* tellAll\n", ""], [
      "if (Option.isSome(heard)) {",
      "if (Option.isSome(heard)) {\n            yield* tellAll"
    ]],
    caughtBy: ["test/broadcast/LiveKillmails.test.ts", "is made up for by looking"]
  },
  {
    name: "page too full",
    breaks: "after an outage subscribers miss all but the first 200 killmails",
    file: "src/broadcast/LiveKillmails.ts",
    changes: [[
      "if (page.length < pageSize) return",
      "position = Math.max(position, yield* reader.lastSequence)\n          return"
    ]],
    caughtBy: ["test/api/WebSocket.test.ts", "hears all in order, too, when more is published"]
  },
  {
    name: "seam drops one",
    breaks: "what is told while a replay ends is missing",
    file: "src/broadcast/Subscriptions.ts",
    changes: [[
      "    hearing.set(id, position)\n",
      "    yield* client.drained\n    hearing.set(id, position)\n"
    ]],
    caughtBy: ["test/broadcast/Subscriber.test.ts", "loses nothing, doubles nothing and keeps the order"]
  },
  {
    name: "seam doubles one",
    breaks: "what a replay brought before it was told live comes twice",
    file: "src/broadcast/Subscriptions.ts",
    changes: [["sequence > hearing.get(id)!", "sequence >= hearing.get(id)!"]],
    caughtBy: ["test/broadcast/Subscriber.test.ts", "loses nothing, doubles nothing and keeps the order"]
  },
  {
    name: "foreign epoch accepted",
    breaks: "a client that resumes from before a restore gets the wrong killmails and is not told",
    file: "src/broadcast/Subscriptions.ts",
    changes: [["if (epoch !== undefined && epoch !== (yield* live.epoch)) return true", ""]],
    caughtBy: ["test/api/WebSocket.test.ts", "is answered with an error that names it"]
  },
  {
    name: "slow client never cut off",
    breaks: "one client that does not read fills the memory",
    file: "src/api/Sockets.ts",
    changes: [[
      "if (socket.bufferedAmount <= maxBuffered) return true",
      "if (socket.bufferedAmount <= maxBuffered * maxConnections) return true"
    ]],
    caughtBy: ["test/api/WebSocket.test.ts", "that reads too slowly is cut off with 1013"]
  },
  {
    name: "Origin by its beginning",
    breaks: "a page of tools.example.evil.net reads in its visitor's name",
    file: "src/api/Sockets.ts",
    changes: [["allowed.includes(origin)", "allowed.some((one) => origin.startsWith(one))"]],
    caughtBy: ["test/api/WebSocket.test.ts", "may open /ws from the daemon's own origin"]
  },

  // GraphQL.
  {
    name: "GraphQL without limits",
    breaks: "one query reads the whole database",
    file: "src/api/graphql/Operation.ts",
    changes: [["    refuseTooMuch({ schema, document, operationName, variables })\n", ""]],
    caughtBy: ["test/api/graphql/Queries.test.ts", "is refused in one sentence that says what is wrong"]
  },
  {
    name: "answers locked in any order",
    breaks: "killmails and ESI's answers wait for each other, and what ESI said is asked again",
    file: "src/store/EntityStore.ts",
    changes: [["          order by id\n          for update", "          order by id desc\n          for update"]],
    caughtBy: ["test/store/EntityStore.test.ts", "never in a circle"]
  },
  {
    name: "negative limit of GraphQL",
    breaks: "a list of minus a thousand killmails pays for one of a thousand",
    file: "src/api/graphql/Limits.ts",
    changes: [[
      "typeof length === \"number\" && length >= 1 ? length : 1",
      "typeof length === \"number\" ? length : 1"
    ]],
    caughtBy: ["test/api/graphql/Limits.test.ts", "may not ask for too much"]
  },
  {
    name: "statement a killmail",
    breaks: "a page of GraphQL asks the database for every attacker by itself",
    file: "src/api/graphql/Loaders.ts",
    changes: [["    }, { cache })", "    }, { cache, batch: false })"]],
    caughtBy: ["test/api/graphql/Loaders.test.ts", "takes as many statements for sixty killmails as for two"]
  },
  {
    name: "queue for everybody",
    breaks: "whoever asks learns what the daemon works on",
    file: "src/api/graphql/WorkerStatus.ts",
    changes: [["if (!isOperator) {", "if (isOperator) {"]],
    caughtBy: ["test/api/graphql/Queries.test.ts", "is told of the queue if it is the operator's"]
  },
  {
    name: "slow subscriber of GraphQL kept",
    breaks: "a client that does not read misses killmails and is not told",
    file: "src/api/graphql/Publications.ts",
    changes: [["            tooSlow()\n", ""]],
    caughtBy: ["test/api/graphql/Subscriptions.test.ts", "that does not read is cut off with 1013"]
  },

  // ESI and its limits.
  {
    name: "404 asked for ever",
    breaks: "100 killmails that do not exist close all of ESI for a minute",
    file: "src/esi/EsiAnswer.ts",
    changes: [["if (status >= 500 || isHtml(answer))", "if (status >= 500 || status === 404 || isHtml(answer))"]],
    caughtBy: ["test/esi/Esi.test.ts", "that ESI does not know, or not by this hash"]
  },
  {
    name: "404 of a proxy believed",
    breaks: "killmails become dead letters because a load balancer was restarted",
    file: "src/esi/EsiAnswer.ts",
    changes: [["if (status >= 500 || isHtml(answer))", "if (status >= 500)"]],
    caughtBy: ["test/esi/Esi.test.ts", "is not final by a 404 or 403"]
  },
  {
    name: "Retry-After ignored",
    breaks: "asks on after a 429, until CCP bans the address",
    file: "src/esi/EsiClient.ts",
    changes: [[
      "retryAfterMillis(headers, yield* Clock.currentTimeMillis) ?? defaultPause",
      "Math.min(defaultPause, retryAfterMillis(headers, yield* Clock.currentTimeMillis) ?? 1000)"
    ]],
    caughtBy: ["test/esi/EsiClient.test.ts", "stops every replica and costs no attempt"]
  },
  {
    name: "last errors spent",
    breaks: "whoever shares the address is locked out of ESI by our 420",
    file: "src/esi/EsiClient.ts",
    changes: [["errors < errorsSpared", "errors < 1"]],
    caughtBy: ["test/esi/EsiClient.test.ts", "comes before a 420"]
  },
  {
    name: "server's count not believed",
    breaks: "another program on the address makes us exceed the budget",
    file: "src/esi/EsiClient.ts",
    changes: [[
      "limits.settle({ bucket, reservation: own, spent, told: tokens?.told })",
      "limits.settle({ bucket, reservation: own, spent })"
    ]],
    caughtBy: ["test/esi/EsiClient.test.ts", "is what the server says, where that is less"]
  },
  {
    name: "budget not settled",
    breaks: "every request costs 5 tokens instead of 2, and the backlog takes 2.5 times as long",
    file: "migrations/0004_create_upstream_state.ts",
    changes: [[
      "state.reserved[k::integer] := greatest(state.reserved[k::integer] - taken, 0);",
      "state.reserved[k::integer] := greatest(state.reserved[k::integer], 0);"
    ]],
    caughtBy: ["test/store/RateLimits.test.ts", "counts what an answer cost"]
  },
  {
    name: "fixed window",
    breaks: "twice the budget is spent around the end of each window",
    file: "migrations/0004_create_upstream_state.ts",
    changes: [[
      "shifted_slices(state.reserved, newest - state.slice)",
      "shifted_slices(state.reserved, (newest / 60 - state.slice / 60) * 61)"
    ], [
      "shifted_slices(state.spent, newest - state.slice)",
      "shifted_slices(state.spent, (newest / 60 - state.slice / 60) * 61)"
    ]],
    caughtBy: ["test/store/RateLimits.test.ts", "never holds more tokens than the limit"]
  },
  {
    name: "budget read without a lock",
    breaks: "replicas that ask at once spend the same tokens",
    file: "migrations/0004_create_upstream_state.ts",
    changes: [["where bucket = wanted for update;\n      if not found", "where bucket = wanted;\n      if not found"]],
    caughtBy: ["test/store/RateLimits.test.ts", "is shared: a hundred takers at once"]
  },
  {
    name: "budget taken in the caller's transaction",
    breaks: "a rollback gives back tokens that are spent",
    file: "src/store/RateLimits.ts",
    changes: [["Context.omit(sql.transactionService)(context)", "context"]],
    caughtBy: ["test/store/RateLimits.test.ts", "is taken at once, even in a transaction"]
  },
  {
    name: "pause shortened",
    breaks: "a second, shorter refusal ends the first one's ban too early",
    file: "src/store/RateLimits.ts",
    changes: [[
      "          where rate_limits.paused_until is null or rate_limits.paused_until < excluded.paused_until\n",
      ""
    ]],
    caughtBy: ["test/store/RateLimits.test.ts", "is never shortened by another"]
  },

  // The statistics, which follow.
  {
    name: "publications counted out of order",
    breaks: "what is skipped is never counted",
    file: "src/store/StatisticsStore.ts",
    changes: [["order by killmail_ledger.sequence\n", "order by sequence\n"]],
    caughtBy: ["test/store/StatisticsStore.test.ts", "are what the killmails say, whatever happened before"]
  },
  {
    name: "counted with its day and again",
    breaks: "a killmail that is published while its day is counted anew counts twice",
    file: "src/store/StatisticsStore.ts",
    changes: [[
      "where sequence > ${sequence}::bigint\n                  union all",
      "where false\n                  union all"
    ]],
    caughtBy: ["test/store/StatisticsStore.test.ts", "are what the killmails say, whatever happened before"]
  },
  {
    name: "two replicas count",
    breaks: "both add the same publications",
    file: "src/store/StatisticsStore.ts",
    changes: [["          for update skip locked`", "`"]],
    caughtBy: [
      "test/store/StatisticsStore.test.ts",
      "count each killmail once when several replicas count at the same time"
    ]
  },
  {
    name: "import not noted",
    breaks: "imported history is in no statistics",
    file: "src/store/KillmailCopy.ts",
    changes: [["              yield* noteDays(transaction, fresh)\n", ""]],
    caughtBy: ["test/store/StatisticsStore.test.ts", "are what the killmails say, whatever happened before"]
  },
  {
    name: "new value not noted",
    breaks: "statistics keep the ISK of before the prices arrived",
    file: "src/store/Revaluations.ts",
    changes: [["        yield* noteDaysOf(sql, changed.map(({ time }) => time))\n", ""]],
    caughtBy: ["test/store/StatisticsStore.test.ts", "are what the killmails say, whatever happened before"]
  },
  // EVE-KILL, and history from lists.
  {
    name: "numbers that appear late",
    breaks: "an entry of EVE-KILL's feed is missed whose number was given out before it could be seen",
    file: "src/feeds/Evekill.ts",
    changes: [["late.settledUpTo(cursor, numbers)", "numbers.at(-1) ?? cursor"]],
    caughtBy: ["test/feeds/Evekill.test.ts", "hears each entry once, also one that appears after later ones"]
  },
  {
    name: "ids of 0",
    breaks: "ESI is asked for every killmail of EVE-KILL's without a war",
    file: "src/upstreams/EveKillFeed.ts",
    changes: [["!name.endsWith(\"_id\")", "!name.endsWith(\"_ids\")"]],
    caughtBy: ["test/feeds/Evekill.test.ts", "is read with its body as ESI would give it"]
  },
  {
    name: "half-open socket",
    breaks: "EVE-KILL's socket is silent for ever after a firewall forgot it",
    file: "src/feeds/EvekillSocket.ts",
    changes: [["silenceMillis / settings.scheduleSpeed", "1_000_000_000"]],
    caughtBy: ["test/feeds/EvekillSocket.test.ts", "notices that a connection is half-open"]
  },
  {
    name: "history as news",
    breaks: "a backfill tells every subscriber of killmails that are years old",
    file: "src/intake/Hearing.ts",
    changes: [["\"9999-12-31T00:00:00Z\"", "\"2003-05-06T00:00:00Z\""]],
    caughtBy: ["test/commands/BackfillLists.test.ts", "asks ESI for what has no body, announces none of it"]
  },
  // Pilots who sign in.
  {
    name: "state of anybody",
    breaks: "who lures a pilot to a link of theirs puts a character of their own into the pilot's browser",
    file: "src/store/Users.ts",
    changes: [["browser_hash = ${browserHash}", "browser_hash = coalesce(browser_hash, ${browserHash})"]],
    caughtBy: ["test/api/SignIn.test.ts", "is refused with a state that is replayed, foreign, unknown or missing"]
  },
  {
    name: "audience of any application",
    breaks: "the token that a pilot gave another application signs it in here as the pilot",
    file: "src/accounts/Sso.ts",
    changes: [["audience: ssoClientId,", ""]],
    caughtBy: ["test/accounts/Sso.test.ts", "is refused when it is forged, expired, for somebody else, or names nobody"]
  },
  {
    name: "sold with its token",
    breaks: "who sold a character goes on reading the mail of who bought it",
    file: "src/accounts/AccessTokens.ts",
    changes: [["ownerHash === kept.owner_hash", "ownerHash !== \"\""]],
    caughtBy: ["test/accounts/AccessTokens.test.ts", "is dropped when it turns out to be another owner's"]
  },
  {
    name: "ciphertext of another row",
    breaks: "who can write to the database reads one pilot's data as another",
    file: "src/accounts/TokenCipher.ts",
    changes: [[
      "`user_tokens|${characterId}|${column}`",
      "`user_tokens|${characterId > 0}|${column}`"
    ]],
    caughtBy: ["test/accounts/AccessTokens.test.ts", "is that of its row alone"]
  },
  {
    name: "dropped for any refusal",
    breaks: "one hiccup of EVE's SSO signs every pilot out",
    file: "src/accounts/AccessTokens.ts",
    changes: [["error._tag === \"SsoRefused\" && error.error === \"invalid_grant\"", "error._tag === \"SsoRefused\""]],
    caughtBy: ["test/accounts/AccessTokens.test.ts", "outlives whatever the SSO answers but invalid_grant"]
  },
  {
    name: "refreshed by all at once",
    breaks: "two replicas spend one refresh token, and the pilot is signed out",
    file: "src/store/UserTokens.ts",
    changes: [["and (leased_until is null or leased_until <= clock_timestamp())", ""]],
    caughtBy: ["test/accounts/AccessTokens.test.ts", "is renewed by one of two replicas at a time"]
  },
  {
    name: "stolen session lives",
    breaks: "who stole a token for renewal keeps the session that its owner has, too",
    file: "src/store/Sessions.ts",
    changes: [[
      "insert into rotated_refresh_tokens (hash, session_id) values (${refreshHash}, ${rotated.id}::uuid)",
      "select ${rotated.id}"
    ]],
    caughtBy: ["test/api/SignIn.test.ts", "is renewed with other tokens; the old ones are good no more"]
  },
  {
    name: "cookie from any page",
    breaks: "any page that a pilot visits deletes the pilot's account",
    file: "src/api/SignedInPilots.ts",
    changes: [[
      "cookie !== \"\" && !isFromOurPage(request, origin!)",
      "cookie === \"none\" && !isFromOurPage(request, origin!)"
    ]],
    caughtBy: ["test/api/SignIn.test.ts", "in a cookie changes things from our own pages alone"]
  },
  // Clients of the interface.
  {
    name: "anybody's proxy believed",
    breaks: "a client that writes addresses into its requests has no limit",
    file: "src/api/ClientAddress.ts",
    changes: [[
      "Option.isSome(address) && isAmong(address.value, proxies)",
      "Option.isSome(address) && (named.length > 0 || isAmong(address.value, proxies))"
    ]],
    caughtBy: ["test/api/ClientAddress.test.ts", "is the socket's where no proxy is believed, whatever else is written"]
  },
  {
    name: "one limit for all",
    breaks: "who asks too often shuts out everybody else",
    file: "src/api/ClientLimits.ts",
    changes: [["buckets.take(client, performance.now())", "buckets.take(\"all\", performance.now())"]],
    caughtBy: [
      "test/api/Guard.test.ts",
      "is told with every answer, and ends in 429, for each client on its own"
    ]
  },
  {
    name: "clients read as the owner",
    breaks: "a fault in one query tells pilots' tokens to the world",
    file: "src/store/Database.ts",
    changes: [["hasRole ? { role: publicRole }", "hasRole && publicRole.length === 0 ? { role: publicRole }"]],
    caughtBy: ["test/store/Database.test.ts", "reads what is public, and nothing else that there is or will be"]
  },
  {
    name: "days counted again",
    breaks: "each import of a day doubles its killmails in totals.json",
    file: "src/store/StatisticsStore.ts",
    changes: [[
      "yield* sql`delete from killmails_by_day where day >= ${start}::date and day < ${until}::date`",
      "yield* Effect.succeed(until)"
    ]],
    caughtBy: ["test/store/StatisticsStore.test.ts", "are what the killmails say, whatever happened before"]
  },
  // Pilots' own killmails.
  {
    name: "what is held back announced",
    breaks: "a corporation's losses are told to the world while its fleet is still out",
    file: "src/store/KillmailStore.ts",
    changes: [["isNews(mail) && !withheld.has(mail.killmail.killmail_id)", "isNews(mail)"]],
    caughtBy: ["test/own-killmails/Withheld.test.ts", "is shown to its pilot alone, until its time has come"]
  },
  {
    name: "released by its id",
    breaks: "whoever guesses the number of a killmail makes it public, and learns its hash",
    file: "src/store/FeedStore.ts",
    changes: [["withheld === undefined || withheld.hasHash", "withheld === undefined || !withheld.hasHash"]],
    caughtBy: ["test/own-killmails/Withheld.test.ts", "is released by whoever has its hash, and by nobody else"]
  },
  {
    name: "held back, but counted",
    breaks: "the count of a day tells of losses that are to be secret, and hides what is missing",
    file: "src/store/Gaps.ts",
    changes: [["and killmail_id not in ${sql.literal(withheldIds)})", ")"]],
    caughtBy: ["test/store/Gaps.test.ts", "does not count what is held back"]
  },
  {
    name: "pilot's list asked for too soon",
    breaks: "CCP bans the application for going around the cache",
    file: "src/store/KillmailLists.ts",
    changes: [[
      "list.fresh_until <= now() and (${isAsked} or list.next_at <= now())",
      "(${isAsked} or list.next_at <= now())"
    ]],
    caughtBy: ["test/own-killmails/SyncUserKillmails.test.ts", "is not asked for before ESI's answer has expired"]
  },
  // Webhooks.
  {
    name: "jobs beside the transaction",
    breaks: "after a crash a channel is told twice of some killmails, or never of them",
    file: "src/store/WebhookDeliveries.ts",
    changes: [["sql.withTransaction(Effect.gen(function*() {", "(Effect.gen(function*() {"]],
    caughtBy: ["test/webhooks/MatchKillmails.test.ts", "is told once: when the jobs cannot be added nothing is"]
  },
  {
    name: "any address but this machine's",
    breaks: "whoever has a webhook reads the cloud's metadata, and the keys in them",
    file: "src/webhooks/WebhookUrl.ts",
    changes: [["address.range() === \"unicast\"", "address.range() !== \"loopback\""]],
    caughtBy: ["test/webhooks/WebhookUrl.test.ts", "is refused when it is"]
  },
  {
    name: "first address looked at alone",
    breaks: "a name with two addresses leads into the daemon's own network",
    file: "src/webhooks/WebhookClient.ts",
    changes: [["addresses.find((address)", "addresses.slice(0, 1).find((address)"]],
    caughtBy: ["test/webhooks/WebhookClient.test.ts", "goes nowhere when any address of its name is not public"]
  },
  {
    name: "waiting costs a try",
    breaks: "a busy channel of Discord loses killmails, as its limits use up all tries",
    file: "src/webhooks/DeliverWebhook.ts",
    changes: [[
      "return later(key, delivery, verdict.millis)",
      "return failed(key, delivery, \"it answered 429\", httpStatus)"
    ]],
    caughtBy: ["test/webhooks/Webhooks.test.ts", "waits as long as it is told to, which costs no try"]
  },
  // Pilots' data, and what they are told.
  {
    name: "another pilot's data shown",
    breaks: "whoever knows the id of a character reads its mail and its orders",
    file: "src/store/CharacterData.ts",
    changes: [[
      "= ${BigInt(characterId)} and user_id = ${userId}::uuid`,\n          ([row])",
      "= ${BigInt(characterId)} and ${userId}::uuid is not null`,\n          ([row])"
    ]],
    caughtBy: ["test/walk/CharacterData.test.ts", "is kept as it changes, within every limit and cache, and told once"]
  },
  {
    name: "fresh answer of ESI asked for again",
    breaks: "CCP bans the application for going around the cache",
    file: "src/character-data/Asking.ts",
    changes: [["last.fresh_until > (yield* Clock.currentTimeMillis)", "last.fresh_until < 0"]],
    caughtBy: ["test/walk/CharacterData.test.ts", "is kept as it changes, within every limit and cache, and told once"]
  },
  {
    name: "order judged too soon",
    breaks: "a pilot who cancels an order is told that it was filled",
    file: "src/character-data/Orders.ts",
    changes: [[
      "gone.filter(({ gone_at }) => gone_at > toldAt)",
      "gone.filter(({ gone_at }) => gone_at < 0 && toldAt < 0)"
    ]],
    caughtBy: ["test/character-data/Orders.test.ts", "is not judged before ESI's history is newer than its absence"]
  },
  {
    name: "settings not asked",
    breaks: "who wants to hear of no mail is woken by each",
    file: "src/store/Notifications.ts",
    changes: [["news.kind))::boolean", "news.kind))::boolean is not null"]],
    caughtBy: ["test/store/Notifications.test.ts", "are those that the user's settings allow"]
  },
  {
    name: "device told after its app was removed",
    breaks: "Google blocks a sender that goes on sending to nobody",
    file: "src/store/Sessions.ts",
    changes: [["and push_token = ${pushToken}`", "and push_token = ${pushToken} and false`"]],
    caughtBy: ["test/notifications/DeliverPush.test.ts", "is forgotten once its app was removed"]
  }
]
