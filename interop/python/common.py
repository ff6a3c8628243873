"""What the runners for Python share: the world that they are told of, the person, and the report."""

import json
import os
import signal
import sys
import traceback
import types
import urllib.error
import urllib.request

PATIENCE = 30
"""Seconds for one feature."""

world = json.loads(os.environ["INTEROP"], object_hook=lambda members: types.SimpleNamespace(**members))
"""Issuer, clients and addresses, as `harness/__main__.py` gives them."""

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


def grant(name):
    return f"urn:ietf:params:oauth:grant-type:{name}"


def visit(url):
    """Sends the person to a page; gives the address at which the browser left the server."""
    return ask("/visit", {"url": url})["location"]


def approve(verification_uri, user_code):
    """Lets the person approve a device."""
    ask("/device", {"verification_uri": verification_uri, "user_code": user_code})


def ask(path, body):
    request = urllib.request.Request(world.person + path, json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AssertionError(json.load(error)["problem"]) from None


def offered(metadata, member, value=None):
    """Fails unless the metadata have what a feature needs."""
    found = metadata.get(member)
    if value is None:
        assert found is not None, f"not offered: no {member}"
    else:
        assert value in (found or []), f"not offered: {value} in {member}"


def run(features):
    """Tries each function, which is named as its feature, and prints one line of JSON for it."""

    def late(*_):
        raise TimeoutError(f"no end after {PATIENCE} s")

    signal.signal(signal.SIGALRM, late)
    for attempt in features:
        signal.alarm(PATIENCE)
        try:
            attempt()
            problem = None
        except Exception as error:
            traceback.print_exc()
            problem = " ".join(f"{type(error).__name__}: {error}".removeprefix("AssertionError: ").split())
        finally:
            signal.alarm(0)
        print(json.dumps({"feature": attempt.__name__, "problem": problem}), flush=True)
    sys.exit(0)
