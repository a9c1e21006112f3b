-- The account of submissions by engine and state, kept by triggers: the table of submissions only
-- grows, and whoever asks what was spent must not read all of it.

create table account (
    engine      text not null,
    state       text not null,
    submissions integer not null,
    microusd    integer not null,
    primary key (engine, state)
) strict, without rowid;

insert into account (engine, state, submissions, microusd)
    select engine, state, count(*), sum(price_microusd) from submissions group by engine, state;

create trigger account_opened after insert on submissions begin
    insert into account (engine, state, submissions, microusd)
    values (new.engine, new.state, 1, new.price_microusd)
    on conflict (engine, state) do update
        set submissions = submissions + 1, microusd = microusd + excluded.microusd;
end;

create trigger account_moved after update of state on submissions when new.state <> old.state begin
    update account set submissions = submissions - 1, microusd = microusd - old.price_microusd
    where engine = old.engine and state = old.state;
    insert into account (engine, state, submissions, microusd)
    values (new.engine, new.state, 1, new.price_microusd)
    on conflict (engine, state) do update
        set submissions = submissions + 1, microusd = microusd + excluded.microusd;
end;
