/** What all replicas share about upstreams: token budgets as sliding windows, pauses, and answers kept for a while. */
import { Effect } from "effect"
import { SqlClient } from "effect/sql"

export default Effect.gen(function*() {
  const sql = yield* SqlClient.SqlClient

  // A window is cut into 60 slices; the arrays hold these and the running one, oldest first, `slice` being the number
  // of the newest since 1970. A token comes back one window after its slice ended: never early, at most a 60th late.
  // `reserved` was taken and not settled yet (a crash leaves it to lapse), `spent` is what answers cost, counted when
  // they came. Pages are kept mostly empty so that updates stay on theirs.
  yield* sql`
    create table rate_limits (
      bucket text primary key,
      token_limit float8,
      window_millis float8,
      learnt boolean not null default false,
      slice bigint not null default 0,
      reserved float8[] not null default array_fill(0::float8, array[61]),
      spent float8[] not null default array_fill(0::float8, array[61]),
      paused_until timestamptz,
      pause_reason text,
      probe_at timestamptz
    ) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)`

  // Response texts as UTF-8 bytes: a text column refuses U+0000.
  yield* sql`
    create table cached_data (
      cache_key text primary key,
      data bytea not null,
      expires_at timestamptz not null
    )`
  yield* sql`create index on cached_data (expires_at)`

  // All in the newest slice: for slices that mean nothing any more, after a change of window or a clock set back.
  yield* sql`
    create function gathered_slices(slices float8[]) returns float8[]
    language sql immutable
    return array_fill(0::float8, array[60]) || (select sum(part) from unnest(slices) part)`

  yield* sql`
    create function shifted_slices(slices float8[], passed bigint) returns float8[]
    language sql immutable
    return case
      when passed < 0 then gathered_slices(slices)
      when passed = 0 then slices
      when passed > 60 then array_fill(0::float8, array[61])
      else slices[passed::integer + 1:] || array_fill(0::float8, array[passed::integer])
    end`

  yield* sql`
    create function clock_millis() returns float8
    language sql volatile
    return extract(epoch from clock_timestamp())::float8 * 1000`

  // Locks the bucket's row and brings it to the present; the caller writes it back when it changes more. What headers
  // said is kept against what callers believe.
  yield* sql`
    create function lock_rate_limit(wanted text, told_limit float8, told_window float8, by_header boolean)
    returns rate_limits
    language plpgsql as $$
    declare
      state rate_limits;
      present float8;
      newest bigint;
      gathered boolean := false;
    begin
      select * into state from rate_limits where bucket = wanted for update;
      if not found then
        insert into rate_limits (bucket) values (wanted) on conflict do nothing;
        select * into state from rate_limits where bucket = wanted for update;
      end if;
      present := clock_millis();
      if state.window_millis is not null then
        newest := floor(present * 60 / state.window_millis);
        if newest <> state.slice then
          gathered := newest < state.slice;
          state.reserved := shifted_slices(state.reserved, newest - state.slice);
          state.spent := shifted_slices(state.spent, newest - state.slice);
          state.slice := newest;
        end if;
      end if;
      if told_limit is not null and (by_header or not state.learnt) then
        if state.window_millis is distinct from told_window then
          gathered := true;
          state.reserved := gathered_slices(state.reserved);
          state.spent := gathered_slices(state.spent);
          state.slice := floor(present * 60 / told_window);
        end if;
        state.token_limit := told_limit;
        state.window_millis := told_window;
        state.learnt := state.learnt or by_header;
      end if;
      -- Or a refused taker would gather them anew each time, and they would never age.
      if gathered then
        update rate_limits
        set token_limit = state.token_limit, window_millis = state.window_millis, learnt = state.learnt,
          slice = state.slice, reserved = state.reserved, spent = state.spent
        where bucket = wanted;
      end if;
      return state;
    end $$`

  // 0 when the tokens were taken, and in which slice, else the milliseconds until enough have come back or the longest pause has ended.
  // Pauses are read under the row lock. The commit does not wait for the disk: a token lost in a crash of Postgres is
  // younger than the restart takes, and the row would otherwise be locked for as long as an fsync.
  yield* sql`
    create function take_tokens(
      wanted text, tokens float8, given_limit float8, given_window float8, paused_by text[],
      out wait float8, out taken_slice float8
    )
    language plpgsql as $$
    declare
      state rate_limits := lock_rate_limit(wanted, given_limit, given_window, false);
      present float8 := clock_millis();
      paused float8;
      missing float8;
    begin
      select max(extract(epoch from paused_until)::float8 * 1000) - present into paused
      from rate_limits
      where bucket = any(paused_by || wanted) and paused_until > clock_timestamp();
      if paused is not null then
        wait := greatest(ceil(paused), 1);
        return;
      end if;

      select sum(r + s) + least(tokens, state.token_limit) - state.token_limit into missing
      from unnest(state.reserved, state.spent) part(r, s);
      if missing > 0 then
        for k in 1..61 loop
          missing := missing - state.reserved[k] - state.spent[k];
          if missing <= 0 then
            wait := greatest(ceil((state.slice + k) * state.window_millis / 60 - present), 1);
            return;
          end if;
        end loop;
        wait := state.window_millis;
        return;
      end if;

      perform set_config('synchronous_commit', 'off', true);
      state.reserved[61] := state.reserved[61] + tokens;
      update rate_limits
      set token_limit = state.token_limit, window_millis = state.window_millis, slice = state.slice,
        reserved = state.reserved, spent = state.spent
      where bucket = wanted;
      wait := 0;
      taken_slice := state.slice;
    end $$`

  // Turns a reservation into what it cost, and where the server counts more than we do, believes the server. It is given
  // back from its own slice: from any other, overlapping requests would hand on the oldest one among them until it lapses
  // under a request on its way, or would keep alive what the dead reserved. Returns the tokens left.
  yield* sql`
    create function settle_tokens(
      wanted text, taken float8, taken_slice float8, cost float8, told_limit float8, told_window float8, told_remaining float8
    ) returns float8
    language plpgsql as $$
    declare
      state rate_limits := lock_rate_limit(wanted, told_limit, told_window, told_limit is not null);
      k float8 := 61 - (state.slice - taken_slice);
      used float8;
    begin
      -- Out of range: it lapsed, or was gathered and will.
      if k between 1 and 61 then
        state.reserved[k::integer] := greatest(state.reserved[k::integer] - taken, 0);
      end if;
      state.spent[61] := state.spent[61] + cost;
      select sum(r + s) into used from unnest(state.reserved, state.spent) part(r, s);
      if told_remaining is not null and state.token_limit - told_remaining > used then
        state.spent[61] := state.spent[61] + state.token_limit - told_remaining - used;
        used := state.token_limit - told_remaining;
      end if;

      perform set_config('synchronous_commit', 'off', true);
      update rate_limits
      set token_limit = state.token_limit, window_millis = state.window_millis, learnt = state.learnt,
        slice = state.slice, reserved = state.reserved, spent = state.spent
      where bucket = wanted;
      return greatest(coalesce(state.token_limit - used, 0), 0);
    end $$`

  // Without locking: for health pages and metrics.
  yield* sql`
    create function used_tokens(state rate_limits) returns float8
    language sql volatile
    return (
      select coalesce(sum(r + s), 0)
      from unnest(state.reserved, state.spent) with ordinality part(r, s, k)
      where k > floor(clock_millis() * 60 / state.window_millis) - state.slice
    )`
})
