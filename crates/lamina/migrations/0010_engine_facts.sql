-- Engines are known by what they are and not by their names. Whether a call may simply be made again is noted with the call,
-- as its engine says, so that it is known without the engine too. Of the two engines there were, the embedded one was
-- repeatable.
alter table submissions add column repeatable integer not null default 0 check (repeatable in (0, 1));
update submissions set repeatable = 1 where engine = 'local';

-- The words of engines are checked by the program alone, so that a new engine needs no new schema. A check is no part of what is stored, and
-- is removed by changing the schema's text, as https://www.sqlite.org/lang_altertable.html#otheralter says: a table that others refer
-- to cannot be made anew within a transaction. The column above has changed the schema's number, so every connection reads it again.
pragma writable_schema = on;
update sqlite_schema set sql = replace(sql, ' check (engine in (''local'', ''fal''))', '')
    where type = 'table' and name = 'jobs';
pragma writable_schema = reset;
