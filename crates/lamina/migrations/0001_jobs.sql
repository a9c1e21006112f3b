-- Jobs, their layers, submissions to engines, idempotency keys and uploads.
-- Times are milliseconds since the Unix epoch. The CHECKs repeat jobs/state.rs.

create table jobs (
    id              text primary key,
    owner           text not null,
    phase           text not null check (phase in
                    ('prepare', 'submit', 'wait', 'collect', 'completed', 'failed', 'deleted', 'expired')),
    engine          text not null check (engine in ('local', 'fal')),
    params          text not null,
    -- A source is a URL until prepare has stored it. Both are forgotten with the bytes.
    source_url      text,
    source_media    text,
    source_width    integer,
    source_height   integer,
    source_bytes    integer,
    -- The queue: a job is due when run_at has come and no lease holds it.
    run_at          integer not null,
    woken           integer not null default 0 check (woken in (0, 1)),
    lease_owner     text,
    lease_token     integer not null default 0,
    lease_until     integer,
    attempt         integer not null default 0,
    rescues         integer not null default 0,
    -- What progress is derived from.
    reported        real not null default 0,
    progress_floor  real not null default 0,
    queue_position  integer,
    accepted_at     integer,
    expected_ms     integer not null default 0,
    engine_ms       integer,
    error_code      text,
    error           text,
    created_at      integer not null,
    expires_at      integer not null,
    finished_at     integer,
    gone_at         integer,
    erased_at       integer,
    check ((lease_owner is null) = (lease_until is null)),
    check (phase in ('prepare', 'submit', 'wait', 'collect') or lease_owner is null),
    check ((phase = 'failed') = (error_code is not null)),
    check ((error_code is null) = (error is null)),
    check ((phase in ('deleted', 'expired')) = (gone_at is not null)),
    check (phase <> 'wait' or accepted_at is not null),
    check (phase not in ('submit', 'wait', 'collect') or source_media is not null)
) strict;

create index jobs_due on jobs (phase, run_at) where phase in ('prepare', 'submit', 'wait', 'collect');
create index jobs_by_owner on jobs (owner, id) where gone_at is null;
create index jobs_by_expiry on jobs (expires_at) where gone_at is null;
create index jobs_erasable on jobs (gone_at) where gone_at is not null and erased_at is null;
create index jobs_forgettable on jobs (gone_at) where erased_at is not null;
create index jobs_durations on jobs (engine, finished_at) where engine_ms is not null;

create table layers (
    job_id      text not null references jobs (id) on delete cascade,
    ord         integer not null,
    name        text,
    media       text not null,
    width       integer not null,
    height      integer not null,
    bytes       integer not null,
    sha256      text not null,
    bbox_x      integer,
    bbox_y      integer,
    bbox_width  integer,
    bbox_height integer,
    coverage    real not null,
    primary key (job_id, ord)
) strict, without rowid;

-- One row for each call to an engine, written before the call. Rows outlive their jobs: they are
-- the account of what was paid and hold nothing of the picture.
create table submissions (
    nonce          text primary key,
    job_id         text not null,
    engine         text not null,
    state          text not null check (state in ('open', 'accepted', 'failed', 'refused', 'unknown')),
    request_id     text,
    price_microusd integer not null,
    opened_at      integer not null,
    closed_at      integer,
    check (state not in ('accepted', 'failed') or request_id is not null),
    check ((state = 'open') = (closed_at is null))
) strict;

create index submissions_by_job on submissions (job_id, opened_at);
create index submissions_unknown on submissions (state) where state = 'unknown';

create table idempotency (
    owner       text not null,
    key         text not null,
    body_sha256 blob not null,
    job_id      text not null references jobs (id) on delete cascade,
    primary key (owner, key)
) strict, without rowid;

create index idempotency_by_job on idempotency (job_id);

create table uploads (
    id         text primary key,
    owner      text not null,
    media      text not null,
    width      integer not null,
    height     integer not null,
    bytes      integer not null,
    created_at integer not null,
    expires_at integer not null
) strict;

create index uploads_by_expiry on uploads (expires_at);
