"""The server under test: set up by its own commands and pages, as an operator would."""

import contextlib
import http.client
import json
import re
import os
import secrets
import subprocess
import urllib.parse

from .build import GATEPASS
from .process import free_port, running

EMAIL = "load@example.com"
SCOPE = "openid profile email offline_access account api:read"
CODE_SCOPE = "account offline_access"
OIDC_SCOPE = "openid account offline_access"
CC_SCOPE = "api:read"
API = "https://api.example"
JWT_API = "https://jwt.example"
REDIRECT_URI = "http://127.0.0.1:9/callback"
GRANTS = [
    "authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code",
]  # fmt: skip


class Place:
    """A data folder and, if it is not SQLite, a database URL."""

    def __init__(self, folder, database_url):
        folder.mkdir()
        self.folder = folder
        self.data = folder / "data"
        self.database_url = database_url
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.log = folder / "serve.log"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("GATEPASS_")}
        self.environment |= {"GATEPASS_HOME": str(folder / "home"), "GATEPASS_KEYRING": "off"}
        # One address and one client start thousands of devices in a second here, which nobody else may.
        settings = folder / "gatepass.toml"
        names = ["device_start_address", "device_start_client", "device_poll", "device_poll_address", "junk_address"]
        settings.write_text("[limits]\n" + "".join(f'{name} = "off"\n' for name in names))
        self.options = ["--data-dir", self.data, "--config", settings]
        if database_url:
            self.options += ["--database-url", database_url]
        self.command = [GATEPASS, "serve", *self.options, "--listen", f"127.0.0.1:{self.port}"]

    @contextlib.contextmanager
    def serving(self):
        with running(self.command, f"{self.base}/healthz", self.log, self.environment) as process:
            yield Running(self, process)

    def admin(self, *arguments, stdin=None):
        command = [GATEPASS, "admin", *arguments, *self.options]
        ended = subprocess.run(map(str, command), env=self.environment, input=stdin, capture_output=True, text=True)
        if ended.returncode:
            raise SystemExit(f"gatepass admin {' '.join(arguments[:2])} failed:\n{ended.stderr}")
        return ended.stdout


class Running:
    """A server that answers."""

    def __init__(self, place, process):
        self.place = place
        self.process = process
        self.cookie = None

    def set_up(self):
        """A person, a client, a web session and a consent; the load generator's profile of them."""
        password = secrets.token_urlsafe(18)
        self.place.admin("user", "add", EMAIL, "--password-stdin", stdin=password + "\n")
        client = self.add_client()
        asker = self.add_resource(API, "opaque")
        self.add_resource(JWT_API, "jwt")
        self.sign_in(password)
        for scope in (CODE_SCOPE, OIDC_SCOPE):
            self.consent(client["client_id"], scope)
        profile = {
            "name": "gatepass",
            "issuer": self.place.base,
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
            "token_auth": "basic",
            "redirect_uri": REDIRECT_URI,
            "cookie": self.cookie,
            "cc_scope": CC_SCOPE,
            "code_scope": CODE_SCOPE,
            "oidc_scope": OIDC_SCOPE,
            "device_scope": CODE_SCOPE,
            "jwt_extra": urllib.parse.urlencode({"resource": JWT_API}),
            "introspect_extra": urllib.parse.urlencode({"resource": API}),
            "introspect_id": asker["client_id"],
            "introspect_secret": asker["client_secret"],
            "rpc_url": f"{self.place.base}/api/v1/user/rpc",
        }
        path = self.place.folder / "profile.json"
        path.write_text(json.dumps(profile))
        return path

    def add_resource(self, uri, token_format):
        return json.loads(self.place.admin(
            "resource", "add", "--uri", uri, "--token-format", token_format, "--scope", CC_SCOPE, "--open", "--json",
        ))  # fmt: skip

    def add_client(self):
        grants = [word for grant in GRANTS for word in ("--grant", grant)]
        out = self.place.admin(
            "client", "add", "--name", "Load", "--confidential", "--redirect-uri", REDIRECT_URI, *grants,
            "--scope", SCOPE, "--json",
        )  # fmt: skip
        return json.loads(out)

    def sign_in(self, password):
        form = {"email": EMAIL, "password": password, "next": "/"}
        answer, headers, _ = self.request("POST", "/login", form)
        cookie = headers.get("set-cookie")
        if answer != 303 or not cookie:
            raise SystemExit(f"the sign-in was answered with {answer}")
        self.cookie = cookie.split(";")[0]

    def consent(self, client_id, scope):
        """Allows the client once, so that later sign-ins pass through."""
        query = urllib.parse.urlencode({
            "response_type": "code", "client_id": client_id, "redirect_uri": REDIRECT_URI, "scope": scope,
            "state": "set-up", "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
        })  # fmt: skip
        status, _, page = self.request("GET", f"/authorize?{query}")
        if status == 200:
            form = {"authorization_request": query, "user": hidden(page, "user"), "answer": "allow"}
            status, _, page = self.request("POST", "/authorize", form)
        if status != 303:
            raise SystemExit(f"the consent to {scope} was answered with {status}")

    def approve_device(self, user_code):
        status, _, page = self.request("GET", f"/device/{user_code}")
        if status == 200:
            form = {"user": hidden(page, "user"), "answer": "approve"}
            status, _, page = self.request("POST", f"/device/{user_code}", form)
        return status == 200

    def request(self, method, path, form=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.place.port, timeout=10)
        headers = {"origin": self.place.base, "content-type": "application/x-www-form-urlencoded"}
        if self.cookie:
            headers["cookie"] = self.cookie
        connection.request(method, path, urllib.parse.urlencode(form) if form else None, headers)
        response = connection.getresponse()
        page = response.read().decode()
        connection.close()
        return response.status, response.headers, page


def hidden(page, name):
    """The value of a hidden field, which here needs no unescaping."""
    found = re.search(f'name="{name}" value="([^"]*)"', page)
    return found.group(1) if found else ""
