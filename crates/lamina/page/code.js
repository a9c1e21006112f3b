// What was just done here, as a script for a shell and as a program in Dart.

import { base, key } from './api.js';

const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;
const address = () => base.href.replace(/\/$/, '');

export function curl(name, options) {
  const header = key() ? ' -H "Authorization: Bearer $KEY"' : '';
  const wishes = Object.entries(options).map(([field, value]) => `, ${JSON.stringify(field)}: ${JSON.stringify(value)}`).join('');
  return [
    `LAMINA=${quoted(address())}`,
    ...(key() ? ['KEY=…'] : []),
    '',
    `upload=$(curl -sf${header} -F file=@${quoted(name)} "$LAMINA/api/upload" | jq -r .upload_id)`,
    `body='{"upload_id": "'$upload'"${wishes.replaceAll("'", String.raw`'\''`)}}'`,
    `job=$(curl -sf${header} -H 'Content-Type: application/json' -d "$body" "$LAMINA/api/jobs" | jq -r .job_id)`,
    '',
    `until curl -sf${header} "$LAMINA/api/jobs/$job" | jq -e '.status | . == "completed" or . == "failed"' > /dev/null`,
    'do sleep 1; done',
    '',
    `curl -sf${header} "$LAMINA/api/jobs/$job/layers" | jq -r '.layers[] | .id + " " + .url' |`,
    '  while read -r id url; do curl -sf -o "$id.png" "$url"; done',
  ].join('\n');
}

const FIELDS = { num_layers: 'numLayers', prompt: 'prompt', negative_prompt: 'negativePrompt', seed: 'seed', num_inference_steps: 'numInferenceSteps', guidance_scale: 'guidanceScale', engine: 'engine', resolution: 'resolution' };

function dartValue(field, value) {
  if (field === 'engine') return `Engine.${value}`;
  if (field === 'resolution') return `Resolution.${value}`;
  if (field === 'num_layers' && value === 'auto') return 'SplitOptions.autoLayers';
  if (typeof value === 'string') return `'${value.replace(/[\\'$]/g, '\\$&').replaceAll('\n', '\\n')}'`;
  return String(value);
}

export function dart(name, options) {
  const wishes = Object.entries(options).map(([field, value]) => `${FIELDS[field]}: ${dartValue(field, value)}`);
  const given = wishes.length ? `,\n      options: const SplitOptions(${wishes.join(', ')})` : '';
  const token = key() ? ',\n      token: () async => LaminaToken(yourToken)' : '';
  return [
    "import 'dart:io';",
    "import 'package:lamina_client/lamina_client.dart';",
    '',
    'Future<void> main() async {',
    `  final lamina = LaminaClient(Uri.parse('${address()}')${token});`,
    `  final job = await lamina.split(ImageInput.file(${dartValue('', name)})${given}).done;`,
    '  for (final layer in job.layers) {',
    "    await File('${layer.id}.png').writeAsBytes(await lamina.layerBytes(layer));",
    '  }',
    '  lamina.close();',
    '}',
  ].join('\n');
}
