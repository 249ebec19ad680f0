"""The SQL statements of a journal, and the fragments in which databases differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from handrail.builtin.sqlite.kit.rows import (
    ATTEMPT,
    CHUNK,
    FIELD,
    ITEM_NOTE,
    KEPT,
    NEW_COLUMNS,
    NOTE,
    RUN_COLUMNS,
    Kind,
)
from handrail.frozen import frozen
from handrail.journal.records import MOST_COUNTED


@frozen
class Dialect:
    """The SQL fragments in which a database differs from others.

    Each is a piece of SQL with `?` and `:name` as placeholders.

    Attributes:
        now: The current time in UTC in the format of journals, `2026-11-25T03:30:00.000Z`.
        at: The time of an attempt, in the same format; or `?`, for which `write_rows` gives that of
            this process, which all attempts of a commit share.
        before: The time so many seconds ago, in the same format, computed from one `?`.
        between: Returns the SQL for the seconds between two such times; 0.0 if negative.
        least: Name of the function for the least of several values.
        greatest: Name of the function for the greatest of several values.
        bytewise: Collation that compares text by its bytes.
        lease: Columns of the table `run` for the lease, and the values that a new run, a claim and
            a renewal set them to. One is `lease_until`; NULL there means given up.
        lease_of_closed: The value of `lease_until` in a closed run.
        share: What a `SELECT` ends with, so that the row stays as it is until the commit.
        lease_columns: The types of those columns, in the table `run`.
        integer: The type of whole numbers, of 64 bits.
        real: The type of other numbers, of 64 bits.
        id: The type of a column with a number that grows with each row.
        run_id: The same for runs, whose numbers are never given again; they may be given, too.
        strict: What follows the columns of a table.
        keyed: What follows those of a table that is only read by its key.
        prefix: Prefix of the names of all tables.
        render: Converts `?` and `:name` to the placeholders of the driver.
    """

    now: str
    at: str
    before: str
    between: Callable[[str, str], str]
    least: str
    greatest: str
    bytewise: str
    lease: Mapping[str, str]
    lease_of_closed: str
    lease_columns: Mapping[str, str]
    integer: str
    real: str
    id: str
    run_id: str
    share: str = ""
    strict: str = ""
    keyed: str = ""
    prefix: str = ""
    render: Callable[[str], str] = str


def named(columns: Iterable[str]) -> str:
    """Return a list of columns in SQL, quoted, because some names are keywords."""
    return ", ".join(f'"{name}"' for name in columns)


def marks(count: int) -> str:
    """Return a list of `count` placeholders in SQL."""
    return ", ".join("?" * count)


# Chunks that are read at a time: with their contents, each may have a megabyte.
CHUNKS_AT_ONCE, BOUNDS_AT_ONCE = 10, 500
RUNS_AT_ONCE = 100  # Runs whose reliance is read with one statement.

# States of an attempt at which its way forward has ended.
_ENDS = "'done', 'failed', 'skipped'"

_UNDONE = "('failed', 'rollback_incomplete')"  # Such runs can still be undone or finished.


class Statements:
    """The statements of a journal in one dialect.

    Statements with `:name` take a mapping, which may have further keys; those with `?` take a
    sequence; `relies_on`, `relied_on_by` and `errors` take the numbers of `RUNS_AT_ONCE` runs.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._run = f"{dialect.prefix}run"
        self.takes_time = dialect.at == "?"
        self._of_new_runs()
        self._of_claims()
        self._of_owners()
        self._of_rows()
        self._of_reliance()
        self._of_items()
        self._of_kept()
        self._of_readers()
        for name, text in vars(self).items():
            if not name.startswith("_") and isinstance(text, str):
                setattr(self, name, dialect.render(text))

    def _of_new_runs(self) -> None:
        lease = self._dialect.lease
        columns = (*NEW_COLUMNS, "crc", "plan_crc")
        self.open = f"""
            INSERT INTO {self._run} ({named(columns)}, claimed, owner, {named(lease)})
            VALUES ({", ".join(f":{name}" for name in columns)}, :opened, :owner,
                    {", ".join(lease.values())})
            RETURNING id
        """
        self.parent = f"""
            SELECT fence FROM {self._run}
            WHERE id = :run AND fence = :fence AND outcome IS NULL AND direction = 'forward'
            {self._dialect.share}
        """
        self.plan = f"INSERT INTO {self._dialect.prefix}plan (run, plan) VALUES (?, ?)"
        self.name_owner = f"UPDATE {self._run} SET owner = ? WHERE id = ?"

    def _of_claims(self) -> None:
        dialect, run = self._dialect, self._run
        most, now = dialect.greatest, dialect.now
        leased = ", ".join(f"{column} = {value}" for column, value in dialect.lease.items())
        # Add the previous owner's time, up to its last sign of life, to the sum of earlier owners.
        ended = f"coalesce(closed, {self._last_sign()})"
        began = "coalesce(claimed, opened)"
        turned = f"{most}({began}, coalesce(turned, {ended}))"
        forward = dialect.between(began, f"{dialect.least}({turned}, {ended})")
        self.claim = f"""
            UPDATE {run}
            SET fence = fence + 1, owner = :owner, {leased},
                worked = worked + {forward}, undid = undid + {dialect.between(turned, ended)},
                turned = CASE WHEN direction = 'undo' THEN turned END,
                claimed = {now}, heard = NULL, outcome = NULL, closed = NULL, counts = NULL
            WHERE id = :run AND fence = :fence
            RETURNING fence, uid
        """
        # What the previous owner left unfinished has ended with that sign; to be said before.
        self.end_attempts = f"""
            UPDATE {dialect.prefix}attempt
            SET ended = (SELECT {ended} FROM {run} WHERE {run}.id = :run)
            WHERE run = :run AND state = 'started'
              AND :fence = (SELECT fence FROM {run} WHERE {run}.id = :run)
        """

    def _last_sign(self) -> str:
        """Return the expression for the last sign of life of the owner of a run in SQL.

        It is a renewal of the lease, or the last row with a time. Rows beside a run do not count.
        """
        dialect, run = self._dialect, self._run
        rows = (
            f"""
            coalesce((SELECT max(at {dialect.bytewise}) FROM {dialect.prefix}{name} AS signs
                      WHERE signs.run = {run}.id), opened)
            """
            for name in ("attempt", "chunk")
        )
        return f"{dialect.greatest}({', '.join(('coalesce(heard, claimed, opened)', *rows))})"

    def _of_owners(self) -> None:
        """Build the statements that renew, change and give up an owned run.

        Each matches the row of the run only if the fence is the writer's.
        """
        run, now, until = self._run, self._dialect.now, self._dialect.lease["lease_until"]
        self.state = f"SELECT fence, outcome, owner FROM {run} WHERE id = :run"
        ours = "WHERE id = :run AND fence = :fence"
        self.release = f"UPDATE {run} SET lease_until = NULL, heard = {now} {ours}"
        open_and_ours = f"{ours} AND outcome IS NULL"
        self.still_ours = f"SELECT fence FROM {run} {open_and_ours}"
        stop = f"{self._dialect.prefix}stop"
        asked = f"SELECT 1 FROM {stop} WHERE {stop}.run = {run}.id AND {stop}.fence = {run}.fence"
        self.renew = f"""
            UPDATE {run} SET lease_until = {until}, heard = {now} {open_and_ours}
            RETURNING fence, EXISTS ({asked})
        """
        self.request_stop = f"""
            INSERT INTO {stop} (run, fence)
            SELECT id, fence FROM {run} WHERE id = :run AND outcome IS NULL
            ON CONFLICT (run) DO UPDATE SET fence = excluded.fence
        """
        # A parameter that may be NULL needs an explicit type.
        direction, outcome = "CAST(:direction AS text)", "CAST(:outcome AS text)"
        self.change = f"""
            UPDATE {run}
            SET direction = coalesce({direction}, direction),
                by_hand = coalesce(CAST(:by_hand AS text), by_hand),
                sealed = coalesce(CAST(:sealed AS text), sealed),
                turned = CASE WHEN {direction} IS NULL OR {direction} <> 'undo' THEN turned
                         WHEN CAST(:at_once AS text) IS NULL THEN coalesce(turned, {now})
                         ELSE coalesce(turned, claimed, {now}) END,
                outcome = {outcome}, closed = CASE WHEN {outcome} IS NOT NULL THEN {now} END,
                lease_until = CASE WHEN {outcome} IS NULL THEN {until}
                              ELSE {self._dialect.lease_of_closed} END
            {open_and_ours} RETURNING fence
        """

        kinds = (ATTEMPT, NOTE, FIELD, CHUNK, ITEM_NOTE)
        tables = [f"{self._dialect.prefix}{each.table}" for each in kinds]
        counts = " || ' ' || ".join(f"(SELECT count(*) FROM {x} WHERE run = :run)" for x in tables)
        self.count = f"UPDATE {run} SET counts = {counts} {ours}"

    def _of_rows(self) -> None:
        attempt = f"{self._dialect.prefix}{ATTEMPT.table}"
        self.attempts_into = f"INSERT INTO {attempt} ({named((*ATTEMPT.written, 'at'))})"
        # The checksum is of the result, which stays if there is no new one.
        self.same_attempt = f"""
            ON CONFLICT (run, step, n) DO UPDATE
            SET state = excluded.state, result = coalesce(excluded.result, {attempt}.result),
                error = coalesce(excluded.error, {attempt}.error), at = excluded.at,
                crc = CASE WHEN excluded.result IS NULL THEN {attempt}.crc ELSE excluded.crc END
                {self._times(attempt)}
        """
        self.attempt = f"{self._insert(ATTEMPT)} {self.same_attempt}"
        self.note = self._insert(NOTE)
        updates = ", ".join(f"{each} = excluded.{each}" for each in ("value", "crc", "step"))
        self.field = f"""
            {self._insert(FIELD)} ON CONFLICT (run, boundary, name) DO UPDATE SET {updates}
        """

    def _insert(self, kind: Kind) -> str:
        """Return the statement that adds a row, with the time of states."""
        timed = kind in (ATTEMPT, CHUNK)
        columns = named((*kind.written, "at") if timed else kind.written)
        values = marks(len(kind.written)) + f", {self._dialect.at}" * timed
        return f"INSERT INTO {self._dialect.prefix}{kind.table} ({columns}) VALUES ({values})"

    def _select(self, kind: Kind, *left_out: str, empty: str = "NULL") -> str:
        """Return the begin of a statement that reads rows, as `Kind.rows` takes them.

        The time of the present state is not kept twice.
        """
        begins = {"began": "state = 'started'", "ended": f"state IN ({_ENDS})"}
        columns = [
            f'{empty} AS "{name}"'
            if name in left_out
            else f"CASE WHEN {begins[name]} THEN at ELSE {name} END AS {name}"
            if name in begins
            else f'"{name}"'
            for name in kind.columns
        ]
        crcs = ", ".join("NULL" if left_out else crc for crc in kind.checksums)
        return f"SELECT {', '.join(columns)}, {crcs} FROM {self._dialect.prefix}{kind.table}"

    def _times(self, table: str) -> str:
        """Return what keeps the time of the state before, where a new one takes its place."""
        times = {"began": "= 'started'", "ended": f"IN ({_ENDS})"}
        if not table.endswith("attempt"):
            del times["ended"]
        return "".join(
            f", {name} = CASE WHEN {table}.state {states} THEN {table}.at ELSE {table}.{name} END"
            for name, states in times.items()
        )

    def _of_reliance(self) -> None:
        run, reliance = self._run, f"{self._dialect.prefix}reliance"
        counts = "(outcome IS NULL OR outcome <> 'rolled_back')"
        these = f"IN ({marks(RUNS_AT_ONCE)})"
        self.reliance = f"INSERT INTO {reliance} (run, uid) VALUES (?, ?) ON CONFLICT DO NOTHING"
        self.relies_on = f"""
            SELECT {reliance}.run, {reliance}.uid, other.id
            FROM {reliance} JOIN {run} AS this ON this.id = {reliance}.run
            LEFT JOIN {run} AS other ON other.uid = {reliance}.uid
            WHERE this.id {these} AND {counts.replace("outcome", "this.outcome")}
            ORDER BY other.id, {reliance}.uid
        """
        # What relied on a run that was undone since relies on those before it. An undone run itself
        # has left what is relied on to the others.
        self.relied_on_by = f"""
            WITH RECURSIVE found (run, id, uid, counts) AS (
                SELECT this.id, other.id, other.uid, {counts.replace("outcome", "other.outcome")}
                FROM {run} AS this JOIN {reliance} ON {reliance}.uid = this.uid
                JOIN {run} AS other ON other.id = {reliance}.run
                WHERE this.id {these} AND {counts.replace("outcome", "this.outcome")}
                UNION
                SELECT found.run, other.id, other.uid, {counts.replace("outcome", "other.outcome")}
                FROM found JOIN {reliance} ON {reliance}.uid = found.uid
                JOIN {run} AS other ON other.id = {reliance}.run
                WHERE NOT found.counts
            )
            SELECT run, id FROM found WHERE counts ORDER BY id
        """

    def _of_items(self) -> None:
        chunk = f"{self._dialect.prefix}{CHUNK.table}"
        done = "CASE WHEN excluded.state = 'done' THEN excluded.{0} ELSE {1}.{0} END"
        outcome = ("failed", "results", "errors", "outcome_crc")
        updates = ", ".join(f"{each} = {done.format(each, chunk)}" for each in outcome)
        self.chunk = f"""
            {self._insert(CHUNK)} ON CONFLICT (run, step, n, number) DO UPDATE
            SET attempt = excluded.attempt, state = excluded.state, error = excluded.error,
                at = excluded.at, {updates} {self._times(chunk)}
        """
        self.item_note = self._insert(ITEM_NOTE)
        whole, short = self._select(CHUNK), self._select(CHUNK, *_CONTENTS)
        of_step = "WHERE run = :run AND step = :step AND n = :n"
        on = f"{of_step} AND number > :beyond ORDER BY number LIMIT"
        back = f"""
            {of_step} AND number < :beyond AND number >= :first
            ORDER BY number DESC LIMIT
        """
        self.chunks = f"{whole} {on} {CHUNKS_AT_ONCE}"
        self.chunks_back = f"{whole} {back} {CHUNKS_AT_ONCE}"
        self.chunk_bounds = f"{short} {on} {BOUNDS_AT_ONCE}"
        self.chunk_bounds_back = f"{short} {back} {BOUNDS_AT_ONCE}"
        self.chunk_counts = f"""
            SELECT step, n, state, count(*), CAST(sum(size) AS bigint),
                   CAST(sum(failed) AS bigint),
                   CAST(sum(CASE WHEN items IS NULL THEN 0 ELSE size END) AS bigint)
            FROM {chunk} WHERE run = :run GROUP BY step, n, state ORDER BY step, n, state
        """
        notes = self._select(ITEM_NOTE)
        self.item_notes = f"{notes} {of_step} AND number = :number ORDER BY id"
        self.all_chunks = f"{whole} WHERE run = :run ORDER BY id"
        self.all_item_notes = f"{notes} WHERE run = :run ORDER BY id"

    def _of_kept(self) -> None:
        updates = ", ".join(f"{each} = excluded.{each}" for each in ("text", "at", "crc"))
        self.keep = f"""
            {self._insert(KEPT)}
            ON CONFLICT (run, step, n, kind, name, seq) DO UPDATE SET {updates}
        """
        of_kind = "(CAST(:kind AS text) IS NULL OR kind = CAST(:kind AS text))"
        found = f"WHERE run = :run AND {of_kind} ORDER BY id"
        of_step = found.replace(":run AND", ":run AND step = :step AND")
        whole, short = self._select(KEPT), self._select(KEPT, "text", empty="''")
        self.kept, self.kept_of_step = f"{whole} {found}", f"{whole} {of_step}"
        self.kept_names, self.kept_names_of_step = f"{short} {found}", f"{short} {of_step}"

    def _of_readers(self) -> None:
        dialect, run = self._dialect, self._run
        sign = f"CASE WHEN closed IS NULL THEN {self._last_sign()} END AS last_sign"
        columns = f"{named(RUN_COLUMNS)}, crc, plan_crc, {sign}"
        columns += ", lease_until IS NULL AS given_up"
        rest = f"id AS number, {columns} FROM {run}"
        plan = f"LEFT JOIN {dialect.prefix}plan AS plan ON plan.run = {run}.id"
        full, bare = f"SELECT plan.plan AS plan, {rest} {plan}", f"SELECT {rest}"
        action, outcome, project = (f"CAST(:{x} AS text)" for x in ("action", "outcome", "project"))
        # Compare the part of the action after its last colon; a shorter one cannot be equal.
        fits = f"""
                  ({action} IS NULL OR action = {action}
                   OR substr(action, length(action) - length({action})) = ':' || {action})
              AND ({outcome} IS NULL OR coalesce(outcome, 'interrupted') = {outcome})
        """
        latest = f"({project} IS NULL OR project = {project}) ORDER BY id DESC LIMIT :limit"
        self.runs = f"{bare} WHERE parent IS NULL AND {fits} AND {latest}"
        self.every_run = f"{bare} WHERE {fits} AND {latest}"
        attempt = f"{dialect.prefix}attempt"
        is_like = "lower({}) LIKE lower(CAST(:text AS text)) ESCAPE '!'"
        failed = f"SELECT run FROM {attempt} WHERE error IS NOT NULL AND {is_like.format('error')}"
        places = " OR ".join((*map(is_like.format, _SEARCHED), f"id IN ({failed})"))
        self.errors = f"""
            SELECT run, error FROM {attempt}
            WHERE error IS NOT NULL AND run IN ({marks(RUNS_AT_ONCE)}) ORDER BY id
        """
        fits = f"""
            WHERE parent IS NULL AND {fits}
              AND (CAST(:text AS text) IS NULL OR {places}
                   OR CAST(id AS text) = CAST(:number AS text))
        """
        self.found_runs = f"{bare} {fits} AND id < :before ORDER BY id DESC LIMIT :limit"
        self.count_found = f"""
            SELECT count(*) FROM (SELECT 1 AS one FROM {run} {fits} LIMIT {MOST_COUNTED}) AS found
        """
        self.actions = f"SELECT DISTINCT action FROM {run} WHERE parent IS NULL"
        self.parts = f"{bare} WHERE parent = :run ORDER BY id"
        self.parts_of_item = f"""
            {bare} WHERE parent = :run AND parent_item = :item ORDER BY parent_step, parent_attempt
        """
        self.run, self.run_without_plan = f"{full} WHERE id = :run", f"{bare} WHERE id = :run"
        self.uid = f"SELECT uid FROM {run} WHERE id = :run"
        self.count_parts = f"""
            SELECT coalesce(outcome, 'interrupted'), count(*) FROM {run} AS part
            WHERE parent = :run AND NOT EXISTS (
                SELECT 1 FROM {run} AS later
                WHERE later.parent = part.parent AND later.parent_item = part.parent_item
                  AND later.parent_step = part.parent_step
                  AND later.parent_attempt > part.parent_attempt
            )
            GROUP BY 1
        """
        self.near = f"SELECT id FROM {run} ORDER BY abs(id - :run), id LIMIT 3"
        self.attempts = f"{self._select(ATTEMPT)} WHERE run = :run ORDER BY id"
        self.notes = f"{self._select(NOTE)} WHERE run = :run ORDER BY id"
        self.fields = f"""
            {self._select(FIELD)} WHERE run = :run ORDER BY boundary, name {dialect.bytewise}
        """
        self._of_pruning()

    def _of_pruning(self) -> None:
        """Build the statements that find and delete old runs; parts go before their whole.

        A run with a part that can still be finished or undone stays, with all its parts.
        """
        run = self._run
        over = f"coalesce(outcome, 'failed') NOT IN {_UNDONE}"
        old = f"{over} AND (parent IS NOT NULL OR closed < {self._dialect.before})"
        free = f"{old} AND NOT EXISTS (SELECT 1 FROM {run} AS part WHERE part.parent = {run}.id)"
        self.prunable = f"""
            WITH RECURSIVE held (id) AS (
                SELECT parent FROM {run} WHERE parent IS NOT NULL AND NOT ({over})
                UNION SELECT part.parent FROM {run} AS part JOIN held ON part.id = held.id
                WHERE part.parent IS NOT NULL
            )
            SELECT id FROM {run}
            WHERE parent IS NULL AND {old} AND id NOT IN (SELECT id FROM held)
            ORDER BY id
        """
        self.numbers_of_parts = f"SELECT id, parent FROM {run} WHERE parent IS NOT NULL"
        self.still_prunable = f"SELECT id FROM {run} WHERE {free} AND id = ?"
        self.prune = f"DELETE FROM {run} WHERE {free} AND id = ?"


_SEARCHED = ("action", "project", "params", "uid")
_CONTENTS = ("items", "results", "errors")  # Of a chunk; they may be long.
