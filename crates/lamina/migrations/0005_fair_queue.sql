-- The queue by stage and owner, so that no owner waits behind another's jobs; who was being computed
-- when a process died; and which time the queue's times are.

-- The slots that a job's next step takes; jobs/stage.rs. None once the job has ended.
alter table jobs add column stage text generated always as (
    case when phase = 'prepare' then iif(source_media is null, 'fetch', 'prepare')
         when phase in ('submit', 'wait', 'collect') then phase end) virtual;

drop index jobs_due;
create index jobs_due on jobs (stage, run_at) where stage is not null;
create index jobs_due_by_owner on jobs (stage, owner, run_at) where stage is not null;
create index jobs_leased on jobs (lease_until) where lease_owner is not null;

-- From here on `rescues` counts processes that died while this job alone was being computed; a
-- suspect was among several, or died before, and is computed alone until it got through.
alter table jobs add column suspect integer not null default 0 check (suspect in (0, 1));
update jobs set rescues = 0 where rescues <> 0;

-- run_at, lease_until, accepted_at and waits_since are times that never step (clock.rs); opened_at
-- is for people and the day's account.
alter table submissions add column waits_since integer;

-- Both times as they were last seen, so that a step between two processes is noticed.
create table clock_seen (
    id   integer primary key check (id = 1),
    now  integer not null,
    wall integer not null,
    -- How long a clock that leapt ahead has run on, see worker/maintenance/clock_watch.rs.
    held integer not null
) strict;
