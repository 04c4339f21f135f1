"""Who calls: loaded into schemathesis. A stranger needs nothing of this but the media types."""

import itertools
import json
import os
import subprocess

import requests
import schemathesis

URL = os.environ["VESTIBULE_URL"]
ROLE = os.environ["VESTIBULE_ROLE"]

# Those of the document's examples: so that its examples of a log-in, a changed password or a deletion are what this very
# user would send, and succeed.
PASSWORD = "violet-harbour-quartz"
NEW_PASSWORD = "copper-lantern-fjord"
EMAIL = "mira@example.com"
OTHER_EMAILS = (f"mira{number}@example.com" for number in itertools.count(2))


# Both are JSON, which only the second says in its name.
@schemathesis.serializer("application/csp-report", "application/reports+json")
def as_json(_context, value):
    return {"data": json.dumps(value).encode()}


class SignedIn:
    """Somebody who signs in again whenever what was tried has ended the session, and who comes back with another account
    whenever it was deleted."""

    email = EMAIL
    token = None

    def get(self, _case, _context):
        if SignedIn.token is None:
            SignedIn.token = self.sign_in()
        return SignedIn.token

    def set(self, case, token, _context):
        case.headers["Authorization"] = f"Bearer {token}"

    def sign_in(self):
        while (token := self.log_in()) is None:
            self.make_account()
            if (token := self.log_in()) is not None:
                break
            SignedIn.email = next(OTHER_EMAILS)
        return token

    def log_in(self):
        if (token := self.token_for(PASSWORD)) is None and (token := self.token_for(NEW_PASSWORD)) is not None:
            change = {"current_password": NEW_PASSWORD, "new_password": PASSWORD}
            post("/api/auth/me/password", change, {"Authorization": f"Bearer {token}"})
        return token

    def token_for(self, password):
        answer = post("/api/auth/login", {"email": self.email, "password": password})
        return answer.json()["access_token"] if answer.ok else None

    def make_account(self):
        if ROLE == "admin":
            command = [os.environ["VESTIBULE_BIN"], "user", "create", "--admin", "--email", self.email]
            subprocess.run(command, input=PASSWORD, text=True, capture_output=True, check=False)
        else:
            post("/api/auth/register", {"email": self.email, "password": PASSWORD})


def get(path, token):
    return requests.get(f"{URL}{path}", headers={"Authorization": f"Bearer {token}"}, timeout=60)


def post(path, body, headers=None):
    return requests.post(f"{URL}{path}", json=body, headers=headers, timeout=60)


@schemathesis.hook
def before_call(_context, case, _kwargs):
    """Nobody guesses the id of a message: where any would do, it is one that there is."""
    resends = case.method == "POST" and case.path == "/api/mail/{id}/resend"
    if ROLE == "admin" and resends and case.meta is not None and case.meta.generation.mode.is_positive:
        case.path_parameters["id"] = some_message()


def some_message():
    while not (messages := get("/api/mail", SignedIn.token).json()["items"]):
        # It is mailed a link.
        post("/api/auth/register", {"email": next(OTHER_EMAILS), "password": PASSWORD})
    return messages[0]["id"]


if ROLE != "stranger":
    # Not kept by schemathesis, and not its business to renew: it would take an answer that is to be checked for one that
    # asks for a log-in.
    schemathesis.auth(refresh_interval=None, retry_on=[])(SignedIn)


@schemathesis.hook
def after_call(_context, case, response):
    """A token that was refused is used no more, and a changed password is changed back at the next log-in."""
    sent = response.request.headers.get("Authorization")
    was_refused = response.status_code == 401 and sent == f"Bearer {SignedIn.token}"
    if was_refused or (response.status_code == 200 and case.path == "/api/auth/me/password"):
        SignedIn.token = None
