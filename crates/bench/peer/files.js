// Layers as files of one folder, and the links they are fetched by. A file that `write` and `sync`
// were awaited for survives power loss; jobs that end together share the sync of the folder.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

export class Files {
  #folder;
  #handle;
  #secret;
  #running = Promise.resolve();
  #next = null;

  static async open(folder, secret) {
    await mkdir(folder, { recursive: true });
    const files = new Files();
    files.#folder = folder;
    files.#handle = await open(folder);
    files.#secret = secret;
    return files;
  }

  write = (name, bytes) => writeFile(this.#path(name), bytes, { flush: true });
  read = (name) => createReadStream(this.#path(name));
  remove = (name) => unlink(this.#path(name)).catch(() => {});

  /** Puts the names of all files written so far on the disk. */
  sync() {
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#running = this.#next;
        this.#next = null;
        return this.#handle.sync();
      });
    return this.#next;
  }

  link(name, expiresAt) {
    return `/files/${name}?exp=${expiresAt}&sig=${this.#sign(name, expiresAt).toString("hex")}`;
  }

  /** Whether a link was made here and is not over. */
  allows(name, { exp, sig }) {
    const given = Buffer.from(String(sig), "hex");
    const right = this.#sign(name, exp);
    return given.length === right.length && timingSafeEqual(given, right) && Date.now() < Number(exp);
  }

  close = () => this.#handle.close();

  #path = (name) => join(this.#folder, name);
  #sign = (name, exp) => createHmac("sha256", this.#secret).update(`${name}\n${exp}`).digest();
}
