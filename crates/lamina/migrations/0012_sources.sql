-- Sources that are small enough to be written with their job: one commit then, and no folder, file and syncs of
-- their own. They go with the mark that the job is over. Larger ones, and those of a bucket, are blobs as before.
create table sources (
    job_id text primary key references jobs (id) on delete cascade,
    bytes  blob not null
) strict, without rowid;
