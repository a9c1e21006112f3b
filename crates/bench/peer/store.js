// Jobs and their sources in one SQLite file. What is written in one turn of the event loop, or while
// the last commit was being synced, shares a transaction: an answered write survives power loss.

import Database from "better-sqlite3";

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, status TEXT NOT NULL, num_layers INTEGER NOT NULL, request_id TEXT,
    layers TEXT, error TEXT, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS jobs_unfinished ON jobs (status) WHERE status IN ('pending', 'processing');
  CREATE INDEX IF NOT EXISTS jobs_expiry ON jobs (expires_at);
  -- Apart from the rows, which are rewritten whole when a job moves on.
  CREATE TABLE IF NOT EXISTS sources (id TEXT PRIMARY KEY, type TEXT NOT NULL, bytes BLOB NOT NULL);`;

export class Store {
  #db;
  #group = [];

  constructor(path) {
    this.#db = new Database(path);
    // A picture is a few pages of this size, not a chain of many small ones.
    this.#db.pragma("page_size = 16384");
    this.#db.pragma("journal_mode = WAL");
    this.#db.pragma("synchronous = FULL");
    this.#db.exec(SCHEMA);
    const prepare = (sql) => this.#db.prepare(sql);
    this.statements = {
      insert: prepare(`INSERT INTO jobs (id, status, num_layers, created_at, expires_at)
        VALUES (@id, 'pending', @numLayers, @createdAt, @expiresAt)`),
      insertSource: prepare("INSERT INTO sources (id, type, bytes) VALUES (@id, @type, @bytes)"),
      submitted: prepare(`UPDATE jobs SET status = 'processing', request_id = @requestId
        WHERE id = @id AND status = 'pending'`),
      completed: prepare(`UPDATE jobs SET status = 'completed', layers = @layers
        WHERE id = @id AND status IN ('pending', 'processing')`),
      failed: prepare(`UPDATE jobs SET status = 'failed', error = @error
        WHERE id = @id AND status IN ('pending', 'processing')`),
      job: prepare("SELECT * FROM jobs WHERE id = ?"),
      source: prepare("SELECT type, bytes FROM sources WHERE id = ?"),
      unfinished: prepare("SELECT * FROM jobs WHERE status IN ('pending', 'processing')"),
      expired: prepare("SELECT id, layers FROM jobs WHERE expires_at < ? LIMIT 100"),
      removeSource: prepare("DELETE FROM sources WHERE id = ?"),
      remove: prepare("DELETE FROM jobs WHERE id = ?"),
    };
  }

  create(job, type, bytes) {
    return this.#write(() => {
      this.statements.insert.run(job);
      this.statements.insertSource.run({ id: job.id, type, bytes });
    });
  }

  submitted = (id, requestId) => this.#write(() => this.statements.submitted.run({ id, requestId }));
  completed = (id, layers) =>
    this.#write(() => this.statements.completed.run({ id, layers: JSON.stringify(layers) }));
  failed = (id, error) => this.#write(() => this.statements.failed.run({ id, error }));

  remove(id) {
    return this.#write(() => {
      this.statements.removeSource.run(id);
      this.statements.remove.run(id);
    });
  }

  job = (id) => this.statements.job.get(id);
  source = (id) => this.statements.source.get(id);
  unfinished = () => this.statements.unfinished.all();
  expired = (now) => this.statements.expired.all(now);

  close() {
    this.#commit();
    this.#db.close();
  }

  /** Resolves once it is on the disk. */
  #write(run) {
    return new Promise((resolve, reject) => {
      this.#group.push({ run, resolve, reject });
      if (this.#group.length === 1) setImmediate(() => this.#commit());
    });
  }

  #commit() {
    const group = this.#group.splice(0);
    if (group.length === 0) return;
    try {
      this.#db.transaction(() => group.forEach(({ run }) => run()))();
    } catch (error) {
      group.forEach(({ reject }) => reject(error));
      return;
    }
    group.forEach(({ resolve }) => resolve());
  }
}
