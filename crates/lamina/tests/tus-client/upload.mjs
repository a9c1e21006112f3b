// Sends FILE to ENDPOINT with the stock tus client as its users do, and prints what came of it as
// one line of JSON. MODE chooses one of its ways.
import {readFileSync} from 'node:fs';
import {PassThrough} from 'node:stream';
import * as tus from 'tus-js-client';

const {ENDPOINT: endpoint, FILE: path, MODE: mode} = process.env;

const ways = {
  whole: {},
  chunks: {chunkSize: 150_000},
  override: {chunkSize: 150_000, overridePatchMethod: true},
  first: {chunkSize: 150_000, uploadDataDuringCreation: true},
  deferred: {chunkSize: 150_000, uploadLengthDeferred: true},
};
const requests = [];
const retryDelays = Array(200).fill(100);

function send() {
  const file = readFileSync(path);
  const source = mode === 'deferred' ? new PassThrough().end(file) : file;
  return new Promise((resolve, reject) => {
    const upload = new tus.Upload(source, {
      endpoint,
      retryDelays,
      metadata: {filename: 'a picture.png', filetype: 'image/png'},
      ...ways[mode],
      onBeforeRequest: (request) => requests.push(request.getMethod()),
      onError: reject,
      onSuccess: () => resolve(upload),
    });
    upload.start();
  });
}

/** Sends some of it, ends it at the server, and looks for it again. */
async function end() {
  const upload = new tus.Upload(readFileSync(path), {endpoint, retryDelays, chunkSize: 150_000});
  await new Promise((resolve, reject) => {
    upload.options.onChunkComplete = resolve;
    upload.options.onError = reject;
    upload.start();
  });
  await upload.abort(true);
  const answer = await fetch(upload.url, {method: 'HEAD', headers: {'Tus-Resumable': '1.0.0'}});
  return {status: answer.status};
}

const told = mode === 'end' ? await end() : {url: (await send()).url, requests};
console.log(JSON.stringify(told));
