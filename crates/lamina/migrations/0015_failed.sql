-- What an operator looks at again and again: what failed of late, and why. It is of failed jobs alone, so that a job that
-- goes well costs no write more.

create index jobs_failed on jobs (finished_at, error_code, engine) where phase = 'failed';
