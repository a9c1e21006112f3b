// Formats every Dart file under a folder: `node format.mjs FOLDER`; with --check it only says which ones differ.
// It parses each file whole, so a file that cannot be compiled where the tests run (Flutter, the web) is at least read here.
import { format } from "@wasm-fmt/dart_fmt";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const check = process.argv[2] === "--check";
const folder = process.argv[check ? 3 : 2];
const line_width = 110; // as in analysis_options.yaml

function* dartFiles(path) {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.name.startsWith(".") || entry.name === "node_modules") continue;
    const full = join(path, entry.name);
    if (entry.isDirectory()) yield* dartFiles(full);
    else if (entry.name.endsWith(".dart")) yield full;
  }
}

let passed = 0;
let failed = 0;
for (const file of dartFiles(folder)) {
  const source = readFileSync(file, "utf8");
  let formatted;
  try {
    formatted = format(source, file, { line_width });
  } catch (error) {
    console.log(`FAILED  ${file} does not parse: ${error}`);
    failed += 1;
    continue;
  }
  if (formatted === source) {
    passed += 1;
  } else if (check) {
    console.log(`FAILED  ${file} is not formatted: node clients/dart/tool/format/format.mjs clients`);
    failed += 1;
  } else {
    writeFileSync(file, formatted);
    console.log(`wrote ${file}`);
    passed += 1;
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
