-- Where an engine keeps a copy of a job's source, and until when: noted before the call, so that a
-- process that takes over uses that copy. Forgotten with the phase that needs it.
alter table jobs add column input_address text;
alter table jobs add column input_until integer;

-- A submission whose answer was lost: how often the engine's list was asked, and which request the
-- last answer pointed to.
alter table submissions add column asked integer not null default 0;
alter table submissions add column found text;

-- Whether a listed request is one that is known.
create index submissions_by_request on submissions (request_id) where request_id is not null;
-- Few are open at any time; a service that starts, and every resolution, looks for them.
create index submissions_open on submissions (opened_at) where state = 'open';
