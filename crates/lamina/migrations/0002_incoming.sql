-- Uploads that were promised and are not checked yet: tickets and resumable uploads. A row moves to
-- `uploads`, under the same id, once its picture was checked. How many bytes are there is not
-- written here: the file (or the bucket's object) says so itself.

create table incoming (
    id         text primary key,
    owner      text not null,
    -- link: one body through a link of lamina; bucket: a presigned PUT; resumable: tus.
    arrival    text not null check (arrival in ('link', 'bucket', 'resumable')),
    -- What the whole will be, as far as it was declared.
    bytes      integer check (bytes >= 0),
    -- Upload-Metadata of a resumable upload, as it was sent.
    metadata   text,
    created_at integer not null,
    expires_at integer not null,
    check (arrival = 'resumable' or metadata is null)
) strict;

create index incoming_by_expiry on incoming (expires_at);
