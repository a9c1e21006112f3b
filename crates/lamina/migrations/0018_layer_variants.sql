-- Small likenesses of layers, and other variants of their files that links asked for: made once, kept and counted as long as the layer.

alter table layers add column thumbhash text;

create table layer_variants (
    job_id text not null,
    ord    integer not null,
    name   text not null,
    bytes  integer not null check (bytes >= 0),
    primary key (job_id, ord, name),
    foreign key (job_id, ord) references layers (job_id, ord) on delete cascade
) strict, without rowid;

create trigger layer_variants_kept after insert on layer_variants begin
    insert into kept (owner, kind, bytes)
    select owner, 'layer', new.bytes from jobs where id = new.job_id
    on conflict (owner, kind) do update set bytes = bytes + excluded.bytes;
end;

create trigger layer_variants_gone after delete on layer_variants begin
    update kept set bytes = bytes - old.bytes
    where kind = 'layer' and owner = (select owner from jobs where id = old.job_id);
end;

-- Before their layer, so that they are counted off while their job says whose they are.
create trigger layers_going before delete on layers begin
    delete from layer_variants where job_id = old.job_id and ord = old.ord;
end;
