"""The server under test: the real binary, set up by its own commands, as an operator would."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

from joserfc.jwk import ECKey, KeySet

from . import workload

EMAIL = "person@example.com"
SCOPE = "openid profile email offline_access api:read api:write"
RESOURCE = "https://api.example"
REDIRECT_URI = "http://127.0.0.1:9/callback"
SIGNED_OUT_URI = "http://127.0.0.1:9/signed-out"
PATIENCE = 30

CODE, REFRESH = "authorization_code", "refresh_token"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
GRANTS = [CODE, REFRESH, DEVICE, "client_credentials", EXCHANGE, BEARER]


class Server:
    def __init__(self, binary, folder):
        self.binary = binary
        self.folder = folder
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("GATEPASS_")}
        self.environment |= {"GATEPASS_HOME": str(folder / "home"), "GATEPASS_KEYRING": "off"}
        self.options = ["--data-dir", folder / "data"]

    @contextlib.contextmanager
    def serving(self):
        command = [self.binary, "serve", *self.options, "--listen", f"127.0.0.1:{self.port}"]
        with open(self.log, "ab") as log:
            process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        try:
            self.wait(process)
            yield self
        finally:
            stop(process)

    def wait(self, process):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError):
                self.get("/healthz")
                return
            time.sleep(0.02)
        raise SystemExit(f"gatepass serve does not answer:\n{self.log.read_text()}")

    def get(self, path):
        with urllib.request.urlopen(self.issuer + path, timeout=PATIENCE) as answer:
            return answer.read()

    def admin(self, *arguments, stdin=None):
        command = [self.binary, "admin", *arguments, *self.options]
        ended = subprocess.run(
            command, env=self.environment, input=stdin, capture_output=True, text=True, timeout=PATIENCE
        )
        if ended.returncode:
            raise SystemExit(f"gatepass admin {' '.join(arguments[:2])} failed:\n{ended.stderr}")
        return ended.stdout

    def add_person(self):
        password = secrets.token_urlsafe(18)
        self.admin("user", "add", EMAIL, "--password-stdin", stdin=password + "\n")
        return EMAIL, password

    def add_clients(self):
        """One client per way to authenticate, each with every grant that the server offers.

        A grant that it does not offer is left out here, and missed by the runner that needs it.
        """
        metadata = json.loads(self.get("/.well-known/oauth-authorization-server"))
        grants = [grant for grant in GRANTS if grant in metadata["grant_types_supported"]]
        links = ["--redirect-uri", REDIRECT_URI]
        if "end_session_endpoint" in metadata:
            links += ["--post-logout-redirect-uri", SIGNED_OUT_URI]
        key, jwks_file = self.make_key("client")
        return {
            "basic": self.add_client("--confidential", *links, grants=grants),
            "post": self.add_client("--confidential", "--auth-method", "client_secret_post", *links, grants=grants),
            "jwt": self.add_client("--confidential", "--jwks-file", jwks_file, *links, grants=grants) | {"jwk": key},
            "api": self.add_resource(),
            "native": self.add_client("--public", *links, grants=[CODE, REFRESH, DEVICE]),
        }

    def add_client(self, *options, grants):
        options += tuple(word for grant in grants for word in ("--grant", grant))
        return json.loads(self.admin("client", "add", "--name", "Interop", "--scope", SCOPE, "--json", *options))

    def trust_workload(self):
        """Lets the server trust the platform of `workload.py`; gives the platform's key."""
        key, jwks_file = self.make_key("workload")
        self.admin("service", "add", "interop")
        self.admin(
            "trust", "add", "--issuer", workload.ISSUER, "--jwks-file", jwks_file, "--subject", workload.SUBJECT,
            "--service-account", "interop", "--scope", "api:read",
        )  # fmt: skip
        return key

    def add_resource(self):
        """An API for which every client may have tokens, and the client that looks into them."""
        scopes = ["--scope", "api:read", "--scope", "api:write"]
        return json.loads(self.admin("resource", "add", "--uri", RESOURCE, "--open", *scopes, "--json"))

    def make_key(self, name):
        """A private ES256 key as a JWK, and the file of its public half as a JWK set."""
        key = ECKey.generate_key("P-256", {"kid": name, "alg": "ES256", "use": "sig"})
        path = self.folder / f"{name}.jwks.json"
        path.write_text(json.dumps(KeySet([key]).as_dict(private=False)))
        return key.as_dict(private=True), path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
