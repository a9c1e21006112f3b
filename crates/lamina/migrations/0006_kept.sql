-- Bytes that are kept, by owner and kind: the account that caps on storage are checked against. Kept
-- by triggers, so that no statement can forget it and a check reads a handful of rows.
-- Kinds: upload (checked), incoming (promised or on its way, on this machine's disk), bucket (the
-- same, in the bucket), source and layer (of jobs, until their bytes are erased).

create table kept (
    owner text not null,
    kind  text not null check (kind in ('upload', 'incoming', 'bucket', 'source', 'layer')),
    bytes integer not null,
    primary key (owner, kind)
) strict, without rowid;

-- The same of all owners.
create table kept_total (
    kind  text primary key,
    bytes integer not null
) strict, without rowid;

create trigger kept_begun after insert on kept begin
    insert into kept_total (kind, bytes) values (new.kind, new.bytes)
    on conflict (kind) do update set bytes = bytes + excluded.bytes;
end;

create trigger kept_changed after update of bytes on kept begin
    update kept_total set bytes = bytes + new.bytes - old.bytes where kind = new.kind;
end;

-- What an upload will have at most, or has: counted before a byte of it comes.
alter table incoming add column reserved integer not null default 0 check (reserved >= 0);
update incoming set reserved = coalesce(bytes, 0);

insert into kept (owner, kind, bytes)
    select owner, 'upload', sum(bytes) from uploads group by owner;
insert into kept (owner, kind, bytes)
    select owner, 'incoming', sum(reserved) from incoming where arrival <> 'bucket' group by owner;
insert into kept (owner, kind, bytes)
    select owner, 'bucket', sum(reserved) from incoming where arrival = 'bucket' group by owner;
insert into kept (owner, kind, bytes)
    select owner, 'source', sum(coalesce(source_bytes, 0)) from jobs where erased_at is null group by owner;
insert into kept (owner, kind, bytes)
    select jobs.owner, 'layer', sum(layers.bytes) from layers join jobs on jobs.id = layers.job_id group by jobs.owner;
create trigger uploads_kept after insert on uploads begin
    insert into kept (owner, kind, bytes) values (new.owner, 'upload', new.bytes)
    on conflict (owner, kind) do update set bytes = bytes + excluded.bytes;
end;

create trigger uploads_gone after delete on uploads begin
    update kept set bytes = bytes - old.bytes where owner = old.owner and kind = 'upload';
end;

create trigger incoming_kept after insert on incoming begin
    insert into kept (owner, kind, bytes)
    values (new.owner, iif(new.arrival = 'bucket', 'bucket', 'incoming'), new.reserved)
    on conflict (owner, kind) do update set bytes = bytes + excluded.bytes;
end;

create trigger incoming_changed after update of reserved on incoming begin
    update kept set bytes = bytes + new.reserved - old.reserved
    where owner = new.owner and kind = iif(new.arrival = 'bucket', 'bucket', 'incoming');
end;

create trigger incoming_gone after delete on incoming begin
    update kept set bytes = bytes - old.reserved
    where owner = old.owner and kind = iif(old.arrival = 'bucket', 'bucket', 'incoming');
end;

create trigger jobs_kept after insert on jobs begin
    insert into kept (owner, kind, bytes)
    values (new.owner, 'source', iif(new.erased_at is null, coalesce(new.source_bytes, 0), 0))
    on conflict (owner, kind) do update set bytes = bytes + excluded.bytes;
end;

create trigger jobs_source_changed after update of source_bytes, erased_at on jobs
when iif(old.erased_at is null, coalesce(old.source_bytes, 0), 0)
     <> iif(new.erased_at is null, coalesce(new.source_bytes, 0), 0)
begin
    update kept set bytes = bytes + iif(new.erased_at is null, coalesce(new.source_bytes, 0), 0)
                                  - iif(old.erased_at is null, coalesce(old.source_bytes, 0), 0)
    where owner = new.owner and kind = 'source';
end;

-- Layers first, so that theirs are counted while their job says whose they are.
create trigger jobs_going before delete on jobs begin
    delete from layers where job_id = old.id;
    update kept set bytes = bytes - iif(old.erased_at is null, coalesce(old.source_bytes, 0), 0)
    where owner = old.owner and kind = 'source';
end;

create trigger layers_kept after insert on layers begin
    insert into kept (owner, kind, bytes)
    select owner, 'layer', new.bytes from jobs where id = new.job_id
    on conflict (owner, kind) do update set bytes = bytes + excluded.bytes;
end;

create trigger layers_gone after delete on layers begin
    update kept set bytes = bytes - old.bytes
    where kind = 'layer' and owner = (select owner from jobs where id = old.job_id);
end;
