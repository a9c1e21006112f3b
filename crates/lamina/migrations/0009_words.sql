-- What a layer is and what is written in it, where the engine tells. Both are words of the picture:
-- they go at the moment the job is gone, as its prompt does, though the row stays until the files do.

alter table layers add column kind text;
alter table layers add column words text;
alter table layers add column words_sure real;

create trigger layers_forget_words after update of gone_at on jobs when new.gone_at is not null
begin
    update layers set name = null, words = null, words_sure = null where job_id = new.id;
end;
