"""The person at the browser: goes where a client program says, signs in, and presses the button.

A browser without scripts. It knows no page by name: it fills in the form that it is shown, keeps the hidden fields,
the cookies and the `Origin` that a browser would send, and follows redirects until one leaves the server.

The client programs reach it as an HTTP service on the loopback address:

1. `POST /visit` with `url`: it goes there, signs in, allows what it is asked, and answers with the `location`
   at which it left the server.
2. `POST /device` with `verification_uri` and `user_code`: it types the code, and approves.
"""

import contextlib
import http.client
import http.cookiejar
import http.server
import json
import threading
import urllib.error
import urllib.parse
import urllib.request

from .form import first_form

PATIENCE = 10
PAGES = 8
"""How many pages it looks at before it gives up."""


class LostError(Exception):
    """The person does not know what to do now."""


class Person:
    def __init__(self, issuer, email, password):
        self.issuer = issuer
        self.pages = PAGES
        self.answers = {"email": email, "password": password}
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.browser = urllib.request.build_opener(cookies, StaysHere())

    def visit(self, url, **answers):
        """The address at which the server sends the browser away, or `None` if it ends at a page."""
        known = self.answers | answers
        fields = None
        for _ in range(self.pages):
            if not self.is_ours(url):
                return url
            url, status, page = self.open(url, fields)
            if page is None:
                fields = None
                continue
            form = first_form(page)
            if status >= 400:
                raise LostError(f"{urllib.parse.urlsplit(url).path} answered {status}: {said(page)}")
            if form is None:
                return None
            url, fields = urllib.parse.urljoin(url, form.action), form.filled_in(known)
        raise LostError(f"no end after {self.pages} pages")

    def is_ours(self, url):
        return url == self.issuer or url.startswith(self.issuer + "/")

    def open(self, url, fields):
        """Where it leads, the status, and the page; no page if it is a redirect."""
        body = None if fields is None else urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(url, body, {"Accept": "text/html"})
        if body is not None:
            request.add_header("Origin", self.issuer)
        try:
            answer = self.browser.open(request, timeout=PATIENCE)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            if location := answer.headers.get("location"):
                return urllib.parse.urljoin(url, location), answer.status, None
            return url, answer.status, answer.read().decode()


class StaysHere(urllib.request.HTTPRedirectHandler):
    """Redirects are followed one by one, by the person."""

    def redirect_request(self, *_):
        return None


def said(page):
    """The words of a page."""
    start = page.find("<main")
    text = "".join(part.partition(">")[2] for part in page[max(start, 0):].split("<"))
    return " ".join(text.split())[:200]


@contextlib.contextmanager
def waiting(person):
    """The person as a service; gives its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = PATIENCE

        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            try:
                status, answer = 200, {"location": obey(person, self.path, asked)}
            except (LostError, OSError, http.client.HTTPException, KeyError) as error:
                status, answer = 502, {"problem": f"the person is lost: {error}"}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as service:
        thread = threading.Thread(target=service.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{service.server_port}"
        finally:
            service.shutdown()


def obey(person, path, asked):
    if path == "/visit":
        return person.visit(asked["url"])
    if path == "/device":
        return person.visit(asked["verification_uri"], user_code=asked["user_code"])
    raise KeyError(path)
