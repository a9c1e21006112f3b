-- Bytes that one owner may keep; null means the service's default (MAX_STORED_BYTES_PER_KEY).
alter table owners add column storage_bytes integer check (storage_bytes >= 0);

-- Where a call to an engine went (its model and account, never a key): only there it can be asked for,
-- whatever the settings say by then. Null in rows from before, and of engines that have one place.
alter table submissions add column place text;

-- What all owners spent on a day: a cap on it is checked against one row for each engine, not against
-- one for each owner of the day.
create table spending_days (
    day      integer not null,
    engine   text not null,
    microusd integer not null,
    primary key (day, engine)
) strict, without rowid;

insert into spending_days (day, engine, microusd)
    select day, engine, sum(microusd) from spending group by day, engine;

create trigger spending_begun after insert on spending begin
    insert into spending_days (day, engine, microusd) values (new.day, new.engine, new.microusd)
    on conflict (day, engine) do update set microusd = microusd + excluded.microusd;
end;

create trigger spending_moved after update of microusd on spending begin
    update spending_days set microusd = microusd + new.microusd - old.microusd
    where day = new.day and engine = new.engine;
end;
