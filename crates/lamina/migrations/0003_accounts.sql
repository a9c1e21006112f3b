-- API keys and limits of owners, and the account of what each owner spent on each day (UTC).

create table owners (
    name           text primary key,
    -- As access/rate.rs writes it. Null means the service's default, here and below.
    rate           text,
    max_jobs       integer check (max_jobs >= 1),
    daily_microusd integer check (daily_microusd >= 0)
) strict, without rowid;

-- A revoked key stays: that there ever was one keeps the service closed to callers without a key.
create table api_keys (
    id         text primary key,
    owner      text not null,
    sha256     blob not null unique check (length(sha256) = 32),
    admin      integer not null check (admin in (0, 1)),
    created_at integer not null,
    revoked_at integer
) strict;

create index jobs_active on jobs (owner) where phase in ('prepare', 'submit', 'wait', 'collect');

-- Submissions outlive their jobs, so they have to know whose they were.
alter table submissions add column owner text not null default '';
update submissions set owner = coalesce((select owner from jobs where jobs.id = submissions.job_id), '');

-- The sum of every submission that may have been taken: all but refused ones. Kept by triggers, so
-- that no statement can forget it and a cap is checked against one row, not a day's submissions.
create table spending (
    -- Whole days since 1970-01-01.
    day      integer not null,
    owner    text not null,
    engine   text not null,
    microusd integer not null,
    primary key (day, owner, engine)
) strict, without rowid;

insert into spending
select opened_at / 86400000, owner, engine, sum(price_microusd) from submissions
where state <> 'refused' and price_microusd > 0 group by 1, 2, 3;

create trigger submissions_spent after insert on submissions
when new.state <> 'refused' and new.price_microusd > 0
begin
    insert into spending (day, owner, engine, microusd)
    values (new.opened_at / 86400000, new.owner, new.engine, new.price_microusd)
    on conflict do update set microusd = microusd + excluded.microusd;
end;

create trigger submissions_changed after update of state on submissions
when new.price_microusd > 0 and (old.state = 'refused') <> (new.state = 'refused')
begin
    insert into spending (day, owner, engine, microusd)
    values (new.opened_at / 86400000, new.owner, new.engine,
            iif(new.state = 'refused', -new.price_microusd, new.price_microusd))
    on conflict do update set microusd = microusd + excluded.microusd;
end;
