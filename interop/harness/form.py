"""The form of a page: its fields, and the button that says yes."""

import html.parser

SAYS_NO = {"deny", "cancel", "no"}


class Form:
    def __init__(self, action):
        self.action = action
        self.fields = {}
        self.to_fill_in = []
        self.buttons = []

    def filled_in(self, answers):
        """What is sent: the hidden fields, the answers that are known, and the first button that does not refuse."""
        known = {name: answers[name] for name in self.to_fill_in if name in answers}
        button = next((button for button in self.buttons if button[1] not in SAYS_NO), None)
        return self.fields | known | ({button[0]: button[1]} if button else {})


class Reader(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.forms = []
        self.inside = None

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        name = attributes.get("name")
        if tag == "form" and attributes.get("method", "get").lower() == "post":
            self.inside = Form(attributes.get("action", ""))
            self.forms.append(self.inside)
        elif self.inside is None or not name:
            return
        elif tag == "input" and attributes.get("type") == "hidden":
            self.inside.fields[name] = attributes.get("value", "")
        elif tag == "input":
            self.inside.to_fill_in.append(name)
        elif tag == "button":
            self.inside.buttons.append((name, attributes.get("value", "")))

    def handle_endtag(self, tag):
        if tag == "form":
            self.inside = None


def first_form(page):
    """The first form of the page that posts, or `None`."""
    reader = Reader()
    reader.feed(page)
    return next(iter(reader.forms), None)
