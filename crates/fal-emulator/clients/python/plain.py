"""The stock Python client against the emulator over plain HTTP: the only change is to the module's
URL constants, for which the client has no setting."""

import asyncio
import json

import fal_client
import fal_client.client as constants

from emulated import MODEL, URL, Receiver, check, control, fetch, png, script, signed

constants.QUEUE_URL_FORMAT = f"{URL}/"
constants.RUN_URL_FORMAT = f"{URL}/run/"
constants.REST_URL = constants.CDN_URL = URL

client = fal_client.SyncClient()

# Uploads: the CDN's own endpoint, the fallback by announcement, and parts.
image = png(96, 64)
image_url = client.upload(image, "image/png", file_name="a.png")
check("an upload is served again", fetch(image_url) == image)
fallback = client.upload(image, "image/png", file_name="b.png", repository="fal")
check("so is one through the fallback", fetch(fallback) == image)
settings = fal_client.StorageSettings(expires_in="1h")
lasting = client.upload(image, "image/png", file_name="c.png", lifecycle=settings)
check("a lifecycle is taken", fetch(lasting) == image)
lifecycles = [upload["lifecycle"] for upload in control("/uploads")]
wanted = {"expiration_duration_seconds": 3600}
check("and recorded", json.loads(lifecycles[2]) == wanted and lifecycles[0] is None)
large = bytes(range(256)) * (101 * 4096)
check("101 MiB arrive in parts", fetch(client.upload(large, "image/png", "large.png")) == large)

# Submit, status, events, result.
receiver = Receiver()
given = {"image_url": image_url, "num_layers": 3, "prompt": "a card"}
handle = client.submit(
    MODEL, given, webhook_url=receiver.url, priority="low", hint="h1", start_timeout=30
)
events = list(handle.iter_events(with_logs=True, interval=0.01))
check("the last event is the completion", isinstance(events[-1], fal_client.Completed))
check("it carries logs", events[-1].logs[-1]["message"] == "step 28/28")
check("and metrics", events[-1].metrics["inference_time"] >= 0)
result = handle.get()
check("the result has its layers", len(result["images"]) == 3)
check("layers can be fetched", fetch(result["images"][0]["url"]).startswith(b"\x89PNG"))
check("seeds are larger than i64", result["seed"] > 2**63)
by_id = client.result(f"{MODEL}/lora", handle.request_id)
check("a result by id drops the model's path", by_id == result)

headers, body = receiver.next()
check("the webhook is signed", signed(headers, body))
check("a changed byte is noticed", not signed(headers, body + b" "))
told = json.loads(body)
check("it carries the result", told["status"] == "OK" and told["payload"] == result)
check("its bytes are those of json.dumps", body == json.dumps(told, sort_keys=True).encode())
seen = next(one for one in control("/requests") if one["request_id"] == handle.request_id)
kept = ["x-fal-queue-priority", "x-fal-runner-hint", "x-fal-request-timeout"]
check("its headers arrived", [seen["headers"][name] for name in kept] == ["low", "h1", "30.0"])

check("run answers at once", len(client.run(MODEL, given)["images"]) == 3)
check("subscribe waits", len(client.subscribe(MODEL, given)["images"]) == 3)
answered = asyncio.run(fal_client.AsyncClient().subscribe(MODEL, given))
check("the async client too", len(answered["images"]) == 3)

# Errors.
try:
    client.subscribe(MODEL, {"image_url": image_url, "num_layers": 11})
    check("a wrong input is refused", False)
except fal_client.FalClientHTTPError as error:
    check("a wrong input is refused with 422", error.response.status_code == 422)
    check("with its details", "less_than_equal" in str(error))
try:
    script({"request_error": "runner_disconnected"})
    client.subscribe(MODEL, given)
    check("a broken runner is told", False)
except fal_client.FalClientHTTPError as error:
    check("a broken runner is told", error.error_type == "runner_disconnected")
script("gateway_503_nginx", "rate_limited")
check("nginx and 429 are retried", len(client.subscribe(MODEL, given)["images"]) == 3)
try:
    script("gateway_503_json")
    client.submit(MODEL, given)
    check("fal's own 503 is final", False)
except fal_client.FalClientHTTPError as error:
    check("fal's own 503 is final", error.response.status_code == 503)

# A lost answer: the client asks again, and fal has two requests.
before = control("")["counters"]["submissions"]
script("drop_after_enqueue")
client.submit(MODEL, given).get()
check("a lost answer is paid twice", control("")["counters"]["submissions"] == before + 2)

# Cancel.
control("/hold", {"hold": True})
handle = client.submit(MODEL, given)
check("a held request is queued", handle.status() == fal_client.Queued(position=0))
handle.cancel()
check("a cancelled one is completed", isinstance(handle.status(), fal_client.Completed))
try:
    client.cancel(MODEL, handle.request_id)
    check("cancelling twice is refused", False)
except fal_client.FalClientHTTPError as error:
    check("cancelling twice is refused", error.response.status_code == 400)
