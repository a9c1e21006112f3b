-- The order in which an owner's jobs ended or went, so that a stream of events goes on behind what its client has read.
-- Kept by triggers, so that no statement can forget it. A job that goes after its end gets a later place and leaves
-- its first one; jobs that ended before this have none, for no client has read of them.
alter table jobs add column ended_seq integer;
create unique index jobs_ended on jobs (owner, ended_seq) where ended_seq is not null;

create trigger jobs_ended after update of phase on jobs
when new.phase <> old.phase and new.phase in ('completed', 'failed', 'deleted', 'expired')
begin
    update jobs set ended_seq = 1 + coalesce(
        (select max(ended_seq) from jobs where owner = new.owner and ended_seq is not null), 0)
    where rowid = new.rowid;
end;

-- An operator lets it begin anew.
create trigger jobs_begun_anew after update of phase on jobs
when old.ended_seq is not null and new.phase in ('prepare', 'submit', 'wait', 'collect')
begin
    update jobs set ended_seq = null where rowid = new.rowid;
end;
