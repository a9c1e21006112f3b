// One example for each route, as a shell takes it. They belong together: what one puts into a variable another uses, and
// a test runs them all, in this order, against a real server. PICTURE is a file of yours, a PNG.

const CALL = 'curl -sf -H "Authorization: Bearer $KEY"';
const OPERATE = 'curl -sf -H "Authorization: Bearer $ADMIN_KEY"';
const JSON_BODY = "-H 'Content-Type: application/json'";
const TUS = "-H 'Tus-Resumable: 1.0.0'";
const DONE = `until ${CALL} "$LAMINA/api/jobs/$JOB" | jq -e '.status | . == "completed" or . == "failed"'; do sleep 1; done`;

export const EXAMPLES = {
  upload: `UPLOAD=$(${CALL} -F file=@"$PICTURE" "$LAMINA/api/upload" | jq -r .upload_id)`,
  get_webhooks: `SECRET=$(${CALL} "$LAMINA/api/webhooks" | jq -r .secret)`,
  set_webhooks: `${CALL} -X PUT ${JSON_BODY} -d '{"url": "https://hooks.example/lamina"}' "$LAMINA/api/webhooks" | jq .url`,
  create_job: `JOB=$(${CALL} ${JSON_BODY} -H "Idempotency-Key: $UPLOAD" \\
  -d '{"upload_id": "'$UPLOAD'", "num_layers": 4}' "$LAMINA/api/jobs" | jq -r .job_id)`,
  job_events: `curl -sN --max-time 600 -H "Authorization: Bearer $KEY" "$LAMINA/api/jobs/$JOB/events"`,
  events: 'curl -sN --max-time 5 -H "Authorization: Bearer $KEY" "$LAMINA/api/events" || test $? = 28   # 28: its time was over',
  get_job: DONE,
  list_deliveries: `DELIVERY=$(${CALL} "$LAMINA/api/webhooks/deliveries?job_id=$JOB" | jq -er '.deliveries[0].id')`,
  get_delivery: `${CALL} "$LAMINA/api/webhooks/deliveries/$DELIVERY" | jq '{event, state, attempts, status}'`,
  replay_delivery: `${CALL} -X POST "$LAMINA/api/webhooks/deliveries/$DELIVERY/replay" | jq .state`,
  rotate_webhook_secret: `SECRET=$(${CALL} -X POST "$LAMINA/api/webhooks/secret" | jq -r .secret)`,
  list_jobs: `${CALL} "$LAMINA/api/jobs?limit=20" | jq -r '.jobs[] | .job_id + " " + .status'`,
  get_layers: `LAYER=$(${CALL} "$LAMINA/api/jobs/$JOB/layers" | jq -r '.layers[0].url')`,
  get_export: `${CALL} -OJ "$LAMINA/api/jobs/$JOB/export/psd?name=My%20picture" && test -s My-picture.psd`,
  export_arranged: `${CALL} ${JSON_BODY} -d '{"layers": [{"id": "layer_0"}], "background": "#ffffff"}' -o arranged.ora "$LAMINA/api/jobs/$JOB/export/ora"`,
  composite: `${CALL} ${JSON_BODY} -d '{"layers": [{"id": "layer_0", "dx": 20, "opacity": 0.5}], "max_side": 512}' -o arranged.png "$LAMINA/api/jobs/$JOB/composite"`,
  get_export_file: `curl -sf -o layers.zip "$(${CALL} "$LAMINA/api/jobs/$JOB/layers" | jq -r '.exports[] | select(.format == "zip").url')"`,
  get_file: 'curl -sf -o layer_0.png "$LAYER"',
  create_ticket: `TICKET=$(${CALL} ${JSON_BODY} -d '{"content_type": "image/png"}' "$LAMINA/api/uploads")`,
  put_file: `curl -sf -T "$PICTURE" -H 'Content-Type: image/png' "$(jq -r .url <<< "$TICKET")"`,
  get_upload: `${CALL} "$LAMINA/api/uploads/$(jq -r .upload_id <<< "$TICKET")" | jq .status`,
  tus_options: `${CALL} -i -X OPTIONS "$LAMINA/api/uploads/tus" | grep -i '^tus-max-size'`,
  tus_create: `LENGTH=$(wc -c < "$PICTURE")
TUS_URL=$LAMINA$(${CALL} -i -X POST ${TUS} -H "Upload-Length: $LENGTH" "$LAMINA/api/uploads/tus" |
  tr -d '\\r' | sed -n 's/^location: *//Ip')`,
  tus_part: `head -c 1000 "$PICTURE" | ${CALL} -X PATCH ${TUS} -H 'Upload-Offset: 0' \\
  -H 'Content-Type: application/offset+octet-stream' --data-binary @- "$TUS_URL"`,
  tus_offset: `${CALL} -I ${TUS} "$TUS_URL" | grep -i '^upload-offset: 1000'`,
  tus_instead: `tail -c +1001 "$PICTURE" | ${CALL} -X POST -H 'X-HTTP-Method-Override: PATCH' ${TUS} -H 'Upload-Offset: 1000' \\
  -H 'Content-Type: application/offset+octet-stream' --data-binary @- "$TUS_URL"`,
  tus_end: `${CALL} -X DELETE ${TUS} "$TUS_URL"`,
  delete_job: `${CALL} -X DELETE "$LAMINA/api/jobs/$JOB"`,
  health: 'curl -sf "$LAMINA/healthz"',
  ready: `curl -s "$LAMINA/readyz" | jq .status`,
  create_key: `NEW=$(${OPERATE} ${JSON_BODY} -d '{"name": "app", "rate": "20/s burst 40", "daily_usd": 5}' "$LAMINA/api/admin/keys")`,
  list_keys: `${OPERATE} "$LAMINA/api/admin/keys" | jq .keys`,
  revoke_key: `${OPERATE} -X DELETE "$LAMINA/api/admin/keys/$(jq -r .id <<< "$NEW")"`,
  set_limits: `${OPERATE} -X PUT ${JSON_BODY} -d '{"rate": "50/s", "max_jobs": null, "daily_usd": null, "storage_bytes": null}' \\
  "$LAMINA/api/admin/owners/app/limits"`,
  survey_jobs: `${OPERATE} "$LAMINA/api/admin/jobs?state=failed" | jq -r '.jobs[] | .job_id + " " + .error_code'`,
  show_job: `${OPERATE} "$LAMINA/api/admin/jobs/$JOB" | jq .`,
  retry_job: `curl -s -X POST -H "Authorization: Bearer $ADMIN_KEY" "$LAMINA/api/admin/jobs/$JOB/retry" | jq -r .code`,
  cancel_job: `curl -s -X DELETE -H "Authorization: Bearer $ADMIN_KEY" "$LAMINA/api/admin/jobs/$JOB" | jq -r .code`,
  overview: `${OPERATE} "$LAMINA/api/admin/overview" | jq '.alarms[].summary'`,
  stats: `${OPERATE} "$LAMINA/api/admin/stats" | jq .jobs`,
};

// fal alone can sign a call of it.
export const WITHOUT = ['fal_webhook'];
