"""The stock Python client, not touched at all: hosts by environment, and a TLS front before the
emulator, because the client always speaks https to them. Certificate and front live as long as
this script."""

import datetime
import http.client
import ipaddress
import os
import ssl
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from emulated import MODEL, URL, check


def certificate(folder):
    """A self-signed certificate of 127.0.0.1; returns its file and its key's."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    with open(paths[0], "wb") as file:
        file.write(made.public_bytes(serialization.Encoding.PEM))
    with open(paths[1], "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
    return paths


class Front(BaseHTTPRequestHandler):
    """Passes each request on and says that it came over https, so that returned URLs do too."""

    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = dict(self.headers.items())
        headers["X-Forwarded-Proto"] = "https"
        behind = http.client.HTTPConnection(urlsplit(URL).netloc)
        behind.request(self.command, self.path, body, headers)
        answer = behind.getresponse()
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        behind.close()

    do_GET = do_POST = do_PUT = pass_on

    def log_message(self, *_):
        pass


with tempfile.TemporaryDirectory() as folder:
    certificate_file, key_file = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    front = ThreadingHTTPServer(("127.0.0.1", 0), Front)
    front.socket = context.wrap_socket(front.socket, server_side=True)
    threading.Thread(target=front.serve_forever, daemon=True).start()

    host = f"127.0.0.1:{front.server_port}"
    os.environ["SSL_CERT_FILE"] = certificate_file
    os.environ["FAL_QUEUE_RUN_HOST"] = host
    os.environ["FAL_RUN_HOST"] = f"{host}/run"

    import fal_client  # Reads the hosts when it is imported.

    given = {"image_url": f"data:image/png;base64,{os.environ['IMAGE_BASE64']}"}
    handle = fal_client.submit(MODEL, given)
    check("returned URLs are the front's", handle.status_url.startswith(f"https://{host}/"))
    result = handle.get()
    check("the result has its layers", len(result["images"]) == 4)
    check("status by id", isinstance(fal_client.status(MODEL, handle.request_id), fal_client.Completed))
    check("result by id", fal_client.result(MODEL, handle.request_id) == result)
    check("run", len(fal_client.run(MODEL, given)["images"]) == 4)
    try:
        fal_client.cancel(MODEL, handle.request_id)
        check("a finished request cannot be cancelled", False)
    except fal_client.FalClientHTTPError as error:
        check("a finished request cannot be cancelled", error.response.status_code == 400)
