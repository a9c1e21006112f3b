-- Outgoing webhooks: where the end of a job is told, what signs it, and what is to be told. A delivery is written by a
-- trigger, so that it stands in the transaction of the change that it tells, whichever statement makes that.

alter table jobs add column webhook_url text;

create table webhooks (
    owner      text primary key,
    -- For jobs that name none.
    url        text,
    secret     blob not null,
    -- The secret before, which signs as well for a while.
    old_secret blob,
    old_until  integer,
    check ((old_secret is null) = (old_until is null))
) strict, without rowid;

create table deliveries (
    number     integer primary key,
    id         text not null unique,
    job_id     text not null references jobs (id) on delete cascade,
    owner      text not null,
    event      text not null,
    url        text not null,
    body       text not null,
    created_at integer not null,
    -- No attempt after this time.
    until      integer not null,
    state      text not null default 'due' check (state in ('due', 'delivered', 'given_up')),
    attempts   integer not null default 0,
    due_at     integer not null,
    -- The last attempt: when, what was answered, or why nothing was.
    tried_at   integer,
    status     integer,
    error      text
) strict;

create index deliveries_due on deliveries (due_at) where state = 'due';
create index deliveries_by_job on deliveries (job_id);
create index deliveries_by_owner on deliveries (owner, number);

create trigger jobs_told after update of phase on jobs
when new.phase <> old.phase and new.phase in ('completed', 'failed', 'expired') and old.webhook_url is not null
begin
    insert into deliveries (id, job_id, owner, event, url, body, created_at, until, due_at)
    select 'msg_' || lower(hex(randomblob(16))), new.id, new.owner, 'job.' || new.phase, old.webhook_url,
           json_object('type', 'job.' || new.phase, 'timestamp', strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000.0, 'unixepoch'),
               'data', json_object('job_id', new.id, 'status', new.phase, 'error', new.error, 'error_code', new.error_code,
                   'engine', new.engine,
                   'created_at', strftime('%Y-%m-%dT%H:%M:%fZ', new.created_at / 1000.0, 'unixepoch'),
                   'expires_at', strftime('%Y-%m-%dT%H:%M:%fZ', new.expires_at / 1000.0, 'unixepoch'))),
           at, iif(new.phase = 'expired', at + 86400000, new.expires_at), at
    from (select coalesce(new.gone_at, new.finished_at) as at);
end;

-- Whoever deletes a job wants to hear no more of it.
create trigger jobs_told_no_more after update of phase on jobs
when new.phase = 'deleted' and old.webhook_url is not null
begin
    update deliveries set state = 'given_up', error = 'job_deleted' where job_id = new.id and state = 'due';
end;
