-- What each step of a job came to, for an operator's timeline. Words and times; nothing of the picture.

create table steps (
    job_id   text not null references jobs (id) on delete cascade,
    number   integer not null,
    phase    text not null,
    ended_at integer not null,
    took_ms  integer not null,
    -- Why it failed; null where it did its work.
    code     text,
    primary key (job_id, number)
) strict, without rowid;
