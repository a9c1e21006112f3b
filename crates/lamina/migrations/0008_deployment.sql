-- Which deployment this database belongs to; its storage carries the same id, so that a database that
-- does not know a storage's pictures erases none of them.

create table deployment (
    only_row   integer primary key check (only_row = 1),
    id         text not null,
    -- Never goes back; the storage is told a time only after it was written here.
    seen_at    integer not null,
    adopted_at integer not null
) strict;

insert into deployment (only_row, id, seen_at, adopted_at) values (1, lower(hex(randomblob(16))), 0, 0);

-- Ending a run at its engine is a thing of its own: it waits for the engine, and erasing does not wait
-- for it. Set when there is nothing (more) to end.
alter table jobs add column cancelled_at integer;
update jobs set cancelled_at = gone_at where erased_at is not null;
create index jobs_cancellable on jobs (gone_at) where gone_at is not null and cancelled_at is null;
