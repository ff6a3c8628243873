"""The command line at a server of others: the real binary signs in at oidc-provider, as people and scripts would."""

import base64
import contextlib
import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
import traceback
import urllib.parse
import urllib.request

from . import places
from .person import Person

PATIENCE = 40
SCOPE = "openid profile email offline_access api:read"

FEATURES = {
    "register": "the command line registers itself, once (RFC 7591), and again when it was forgotten (RFC 7592)",
    "device": "a device waits, the person approves on the server's own pages (RFC 8628)",
    "loopback": "a browser on this machine comes back to the loopback port (RFC 8252)",
    "secret": "a client with a secret signs in; the secret comes by stdin",
    "resource": "the resource is sent byte for byte, also with each refresh (RFC 8707)",
    "token": "a script gets a token, which the server's userinfo takes",
    "refresh": "refresh with rotation; the tokens change, the account does not",
    "whoami": "whoami asks the server's userinfo",
    "logout": "the tokens are revoked (RFC 7009), and nobody is signed in",
}


class Failed(Exception):
    """A promise that was not kept."""


class Foreign:
    """oidc-provider, in a process of its own."""

    def __init__(self, log):
        self.log = log

    @contextlib.contextmanager
    def serving(self):
        script = places.HERE / "node" / "oidc-provider.mjs"
        with open(self.log, "wb") as log:
            process = subprocess.Popen(
                [places.NODE, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        try:
            told = json.loads(process.stdout.readline())
            self.issuer, self.resource = told["issuer"], told["resource"]
            self.origin = "{0.scheme}://{0.netloc}".format(urllib.parse.urlsplit(self.issuer))
            yield self
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def get(self, path):
        with urllib.request.urlopen(self.origin + path, timeout=PATIENCE) as answer:
            return answer.read()


class Terminal:
    """A home of its own for the binary, and a browser that signs in by itself."""

    def __init__(self, binary, folder, server):
        self.binary, self.server = binary, server
        self.folder = folder
        folder.mkdir()
        browser = folder / "browser"
        package = places.HERE
        browser.write_text(
            f"#!{sys.executable}\nimport sys; sys.path.insert(0, {str(package)!r})\n"
            f"from harness.foreign import browse\nbrowse({server.origin!r}, sys.argv[1])\n"
        )
        browser.chmod(browser.stat().st_mode | stat.S_IXUSR)
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GATEPASS_", "SSH_"))}
        self.environment = kept | {
            "GATEPASS_HOME": str(folder / "home"), "GATEPASS_KEYRING": "off", "BROWSER": f"{browser} %s"
        }  # fmt: skip

    def run(self, *arguments, stdin=None, code=0):
        ended = subprocess.run(
            [self.binary, *arguments], env=self.environment, input=stdin, capture_output=True, text=True,
            timeout=PATIENCE, stdin=subprocess.DEVNULL if stdin is None else None,
        )  # fmt: skip
        expect(ended.returncode == code, f"gatepass {' '.join(arguments)}: {ended.returncode}: {ended.stderr}")
        return ended.stdout

    def login(self, *options, stdin=None):
        base = ["login", "--issuer", self.server.issuer, "--resource", self.server.resource, "--scope", SCOPE, "--json"]
        process = subprocess.Popen(
            [self.binary, *base, *options], env=self.environment, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        if stdin is not None:
            process.stdin.write(stdin)
        process.stdin.close()
        end = threading.Timer(PATIENCE, process.kill)
        end.start()
        events = []
        try:
            for line in process.stdout:
                events.append(json.loads(line))
                if events[-1]["event"] == "code":
                    ada_at(self.server.origin).visit(events[-1]["verification_uri_complete"])
            said = process.stderr.read()
        finally:
            end.cancel()
            process.kill()
            process.wait()
        expect(events and events[-1]["event"] == "done", f"login {' '.join(options)}: {events[-1:]} {said}")
        return events

    def clients(self):
        status = json.loads(self.run("status", "--json"))
        return [account["client_id"] for account in status["accounts"]]

    def token(self, *options):
        return self.run("token", *options).strip()


def ada_at(origin):
    """A person before the development pages of oidc-provider, which take any password and redirect a lot."""
    person = Person(origin, None, None)
    person.answers = {"login": "ada", "password": "any"}
    person.pages = 24
    return person


def browse(origin, url):
    """What the browser does: sign in on the server's pages, and bring the answer to the port."""
    urllib.request.urlopen(ada_at(origin).visit(url), timeout=PATIENCE).read()


def expect(holds, otherwise):
    if not holds:
        raise Failed(otherwise)


def story(binary, folder, server):
    """Each feature with what shows it, in an order in which one stands on another."""
    terminal = Terminal(binary, folder / "one", server)

    def device():
        terminal.login("--device")
        expect(json.loads(terminal.run("whoami", "--json"))["id"] == "ada", "somebody else is signed in")

    def register():
        first = terminal.clients()
        terminal.login("--device")
        expect(terminal.clients() == first, "it registered twice")
        server.get(f"/test/forget/{first[0]}")
        terminal.login("--device")
        expect(len(set(terminal.clients())) == 2, "it did not register again")
        terminal.run("logout", "--all", "--force")

    def loopback():
        events = terminal.login("--loopback")
        expect(any(event["event"] == "url" for event in events), "no address was shown")

    def resource():
        claims = terminal.token().split(".")[1]
        decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        expect(decoded["aud"] == server.resource, f"the token is for {decoded['aud']}")
        terminal.token("--min-ttl", "2h")
        said = json.loads(server.get("/test/refreshes"))
        expect(said and set(said) == {server.resource}, f"the refreshes were for {said}")

    def token():
        expect(re.fullmatch(r"[\w.-]+", terminal.token()), "no token")
        header = terminal.run("token", "--header")
        expect(header.startswith("Authorization: Bearer "), header)

    def refresh():
        before, account = terminal.token(), terminal.clients()
        time.sleep(1.1)  # a JWT of the same second is the same JWT
        after = terminal.token("--min-ttl", "2h")
        expect(before != after, "the token did not change")
        expect(terminal.token("--min-ttl", "2h") and terminal.clients() == account, "the account changed")

    def whoami():
        who = json.loads(terminal.run("whoami", "--json"))
        expect(who["id"] == "ada", f"{who}")
        terminal.run("status")

    def logout():
        terminal.run("logout")
        terminal.run("token", code=3)

    def secret():
        other = Terminal(binary, folder / "two", server)
        other.login("--loopback", "--client-id", "by-secret", "--client-secret-file", "-", stdin="a secret/with:signs\n")
        other.token("--min-ttl", "2h")
        other.run("logout")

    return {
        "device": device, "register": register, "loopback": loopback, "token": token, "resource": resource,
        "refresh": refresh, "whoami": whoami, "logout": logout, "secret": secret,
    }  # fmt: skip


def run(binary, folder, logs):
    """Runs all features and shows them; the problems."""
    problems = {}
    with Foreign(logs / "oidc-provider.log").serving() as server:
        for feature, shown in story(binary, folder, server).items():
            try:
                shown()
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                problems[feature] = f"oidc-provider: {feature}: {str(error).strip() or type(error).__name__}"
    print("\nThe command line at servers of others\n")
    print(" " * 13, *FEATURES, sep="  ")
    cells = (("FAIL" if feature in problems else "pass").ljust(len(feature)) for feature in FEATURES)
    print("oidc-provider", *cells, sep="  ")
    for problem in problems.values():
        print(problem)
    return list(problems.values())
