-- Layers that were raised to the source's size have a mask beside them of what the source shows of them. Its bytes count as
-- the layer's.

alter table layers add column fidelity_bytes integer check (fidelity_bytes >= 0);

drop trigger layers_kept;
create trigger layers_kept after insert on layers begin
    insert into kept (owner, kind, bytes)
    select owner, 'layer', new.bytes + coalesce(new.fidelity_bytes, 0) from jobs where id = new.job_id
    on conflict (owner, kind) do update set bytes = bytes + excluded.bytes;
end;

drop trigger layers_gone;
create trigger layers_gone after delete on layers begin
    update kept set bytes = bytes - old.bytes - coalesce(old.fidelity_bytes, 0)
    where kind = 'layer' and owner = (select owner from jobs where id = old.job_id);
end;

-- Of a job that is run a second time, because its layers gave the picture back poorly, both stacks are stored until one is
-- chosen: so a layer's file has a number of its own. A job with a first stack never fails.

alter table layers add column file integer not null default 0 check (file >= 0);
update layers set file = ord;

alter table jobs add column first_stack integer not null default 0 check (first_stack in (0, 1));

-- Its layers are stored, so it is not what a job that is to be submitted waits for.
alter table submissions add column collected integer not null default 0 check (collected in (0, 1));
