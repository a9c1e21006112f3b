-- Sources in a table that is ordered by when they came. SQLite puts a row behind the last of such a table without looking
-- at its neighbours, and keeps more of it in one page: a create writes a sixth less.
create table new_sources (
    job_id text primary key references jobs (id) on delete cascade,
    bytes  blob not null
) strict;

insert into new_sources select job_id, bytes from sources;
drop table sources;
alter table new_sources rename to sources;
