"""What both scripts share: the emulator's address, its controls, checks, and a webhook receiver
that verifies signatures as fal documents them. Nothing here imports fal_client."""

import base64
import hashlib
import json
import os
import queue
import struct
import threading
import time
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

URL = os.environ["EMULATOR_URL"]
MODEL = "fal-ai/qwen-image-layered"


def check(name, holds):
    """Fails the script unless `holds`; otherwise says what was shown."""
    if not holds:
        raise SystemExit(f"not so: {name}")
    print(f"ok: {name}")


def control(path, body=None):
    """Calls the emulator's controls: GET without a body, POST with one."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/_emulator{path}", data=data)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as response:
        return json.load(response)


def script(*faults):
    """The next submissions meet these faults."""
    control("/script", {"faults": list(faults)})


def fetch(url):
    with urllib.request.urlopen(url) as response:
        return response.read()


def png(width, height):
    """A plain PNG, made by hand."""
    rows = b"".join(b"\0" + bytes([200, y % 256, 90]) * width for y in range(height))

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(rows)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


class Receiver:
    """Receives webhooks; `next()` waits for one."""

    def __init__(self):
        deliveries = self.deliveries = queue.Queue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                deliveries.put((dict(self.headers.items()), body))

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?x=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self):
        return self.deliveries.get(timeout=60)


def signed(headers, body):
    """fal's verification: any key of the set, four lines, five minutes."""
    headers = {name.lower(): value for name, value in headers.items()}
    timestamp = headers["x-fal-webhook-timestamp"]
    if abs(time.time() - int(timestamp)) > 300:
        return False
    lines = [
        headers["x-fal-webhook-request-id"],
        headers["x-fal-webhook-user-id"],
        timestamp,
        hashlib.sha256(body).hexdigest(),
    ]
    message = "\n".join(lines).encode()
    signature = bytes.fromhex(headers["x-fal-webhook-signature"])
    for key in json.loads(fetch(f"{URL}/.well-known/jwks.json"))["keys"]:
        try:
            public = base64.urlsafe_b64decode(key["x"])
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
            return True
        except InvalidSignature:
            continue
    return False
