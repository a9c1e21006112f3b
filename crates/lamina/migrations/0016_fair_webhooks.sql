-- What is due is looked for owner by owner, so that a hundred thousand deliveries of one cost the others nothing.

create index deliveries_due_by_owner on deliveries (owner, due_at) where state = 'due';
