-- How well a completed job's layers give its picture back, and what is odd about them, as JSON; none of jobs from before, and where it could not be
-- measured. It goes with the bytes.

alter table jobs add column quality text;
