// The real program with a folder of its own: started, killed, started again on the same port.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_MS = 60_000;

export class Service {
  constructor(options = {}) {
    this.options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'lamina-page-'));
    this.port = 0;
  }

  static async start(options) {
    const service = new Service(options);
    await service.up();
    return service;
  }

  get base() { return `http://127.0.0.1:${this.port}`; }

  // Resolves when it serves.
  async up() {
    const kept = Object.fromEntries(Object.entries(process.env).filter(([name]) => ['PATH', 'HOME', 'TMPDIR', 'LANG'].includes(name)));
    const env = { ...kept, PORT: String(this.port), DATABASE_PATH: join(this.folder, 'lamina.db'), LOG_FORMAT: 'json', ...this.options };
    this.process = spawn(process.env.LAMINA_BIN, ['serve'], { env, cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] });
    this.log = '';
    this.ended = new Promise((resolve) => { this.process.once('exit', resolve); });
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.process.kill('SIGKILL');
        reject(new Error(`lamina did not start:\n${this.log}`));
      }, START_MS);
      const read = (chunk) => {
        this.log += chunk;
        const address = /lamina serves on http:\/\/127\.0\.0\.1:(\d+)/.exec(this.log);
        if (!address) return;
        this.port = Number(address[1]);
        clearTimeout(timer);
        resolve();
      };
      this.process.stdout.on('data', read);
      this.process.stderr.on('data', read);
      this.ended.then(() => { clearTimeout(timer); reject(new Error(`lamina ended:\n${this.log}`)); });
    });
  }

  // As a machine loses power.
  async kill() {
    this.process.kill('SIGKILL');
    await this.ended;
  }

  async stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGKILL');
      await this.ended;
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async json(path, key) {
    const answer = await fetch(`${this.base}${path}`, { headers: key ? { Authorization: `Bearer ${key}` } : {} });
    return { status: answer.status, body: await answer.json().catch(() => null) };
  }
}

export const picture = (name) => readFileSync(new URL(`../../../page/samples/${name}`, import.meta.url));
