/** The role under which clients' questions are read: it may read what is public, and nothing else. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  // Roles are the server's, not the database's, and a dump has neither them nor, restored without privileges, what they may:
  // so every start asks for it again. What is there already is not written. Returns why it cannot be, or null.
  yield* sql`
    create function prepare_public_role(tables text[]) returns text
    language plpgsql as $$
    declare
      public_table text;
    begin
      perform pg_advisory_xact_lock(hashtext('prepare_public_role'));
      if to_regrole('killmaild_public') is null then
        begin
          create role killmaild_public nologin;
        exception when duplicate_object or unique_violation then null;
        end;
      end if;
      if not pg_has_role('killmaild_public', 'set') then
        grant killmaild_public to current_user with inherit false, set true;
      end if;
      foreach public_table in array tables loop
        if not has_table_privilege('killmaild_public', public_table, 'select') then
          execute format('grant select on table %I to killmaild_public', public_table);
        end if;
      end loop;
      return null;
    exception when insufficient_privilege then
      return sqlerrm;
    end $$`
})
