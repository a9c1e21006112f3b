// Reads deliveries (`[{ headers, body }]`) and the secret from its input, and says of each whether the library takes it: the type
// of the event, or the refusal.
import { readFileSync } from 'node:fs';
import { Webhook } from 'standardwebhooks';

const { secret, deliveries } = JSON.parse(readFileSync(0, 'utf8'));
const webhook = new Webhook(secret);
const said = deliveries.map(({ headers, body }) => {
  try {
    return webhook.verify(body, headers).type;
  } catch (error) {
    return `refused: ${error.message}`;
  }
});
console.log(JSON.stringify(said));
