"""A token server (RFC 6749, RFC 8628) with the introspection endpoint (RFC 7662) that a Dovecot asks.

    with TokenServer() as server:
        dovecot = Dovecot(extra=server.dovecot(directory))       # logs in with tokens, too
        refresh = server.grant("ann")                            # a refresh token, as a person granted it
        ... a client that asks server.url("token") ...

Every token and secret of it holds the tests' password, so that Unit finds one wherever none may be.
With `tls`, a server's context, it is asked by https. What it does may be changed at any time: `lifetime` of access tokens in seconds, as it says, `rotate`
refresh tokens, `answers` of an endpoint in its place. `requests` are those it was asked, as
(endpoint, fields). Expiry is told by expire(), not by the clock.
"""

import http.server
import itertools
import json
import threading
import time
import urllib.parse

from passwords import PASSWORD

CLIENT = "unit-1"
SECRET = f"secret-{PASSWORD}"
DROP = object()  # an answer: the connection is closed instead


class TokenServer:
    def __init__(self, tls=None):
        self._tls = tls
        self.lifetime = 3600
        self.padding = 600  # longer than an initial response may be
        self.rotate = False
        self.application = None  # the user whose account the client's own credentials open
        self.clients = {CLIENT: SECRET, "public-1": None}
        self.answers = {}  # by endpoint: (status, body) or (status, body, headers), DROP, or a function that gives one
        self.requests = []
        self.device = {"interval": 1, "expires_in": 300}  # what is said to a device
        self._access = {}  # token: user
        self._refresh = {}  # token: user
        self._devices = {}  # code: None, a user, or an error
        self._codes = {}  # of a browser: user
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._asked = threading.Condition(self._lock)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                length = int(self.headers.get("Content-Length", 0))
                fields = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
                outer._serve(self, self.path.strip("/"), fields)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 50

            def handle_error(self, *_):  # who asked has gone
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def restore(self):
        """As it was made, but for what it has granted."""
        self.answers.clear()
        self.requests.clear()
        self.lifetime, self.padding, self.rotate, self.application = 3600, 600, False, None
        self.device = {"interval": 1, "expires_in": 300}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def url(self, endpoint):
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/{endpoint}"

    def options(self, **more):
        """Mailbox Options of a mailbox whose provider it is, with _ for the blanks."""
        return {
            "OAuth2_Provider": "Other",
            "OAuth2_Client_ID": CLIENT,
            "OAuth2_Client_Secret": SECRET,
            "OAuth2_Token_Endpoint": self.url("token"),
            "OAuth2_Device_Endpoint": self.url("device"),
            "OAuth2_Scope": "mail offline_access",
            **more,
        }

    def dovecot(self, directory, mechanisms="xoauth2 oauthbearer"):
        """More for a Dovecot's configuration: logins with this server's tokens."""
        args = directory / "oauth2.conf"
        args.write_text(
            f"introspection_url = {self.url('introspect')}\nintrospection_mode = post\nforce_introspection = yes\n"
            "username_attribute = username\nactive_attribute = active\nactive_value = true\n"
        )
        args.chmod(0o644)
        return (
            f"auth_mechanisms = plain login cram-md5 {mechanisms}\nauth_failure_delay = 0\n"
            f"passdb {{\n  driver = oauth2\n  mechanisms = xoauth2 oauthbearer\n  args = {args}\n}}\n"
        )

    # ---- what persons and the provider do -----------------------------------------------------------
    def grant(self, user):
        """A refresh token for the user's account."""
        with self._lock:
            return self._new_refresh(user)

    def code(self, user):
        """What a browser brings back when the user has granted access there."""
        with self._lock:
            code = f"code-{next(self._numbers)}"
            self._codes[code] = user
            return code

    def enter_code(self, answer, code=None):
        """A person enters the code of the device, the last one, and grants access to the account of the
        user `answer`; or what is said instead: "access_denied", "expired_token"."""
        with self._lock:
            self._devices[code or list(self._devices)[-1]] = answer

    def expire(self):
        """All access tokens there are."""
        with self._lock:
            self._access.clear()

    def revoke(self):
        """All that was granted."""
        with self._lock:
            self._access.clear()
            self._refresh.clear()

    def asked(self, endpoint="token", **fields):
        """How often it was asked so."""
        with self._lock:
            return sum(
                1
                for name, sent in self.requests
                if name == endpoint and all(sent.get(key) == value for key, value in fields.items())
            )

    def wait_until_asked(self, count, endpoint="token", seconds=60, **fields):
        """Until it was asked so often."""
        with self._asked:
            if not self._asked.wait_for(lambda: self.asked(endpoint, **fields) >= count, seconds):
                raise AssertionError(f"asked {self.asked(endpoint, **fields)} times, not {count}")

    def valid_tokens(self):
        with self._lock:
            return list(self._access)

    # ---- the endpoints ------------------------------------------------------------------------------
    def _new_refresh(self, user):
        token = f"rt-{next(self._numbers)}-{PASSWORD}"
        self._refresh[token] = user
        return token

    def _tokens(self, user, refresh=None):
        access = f"at-{next(self._numbers)}-{PASSWORD}-{'x' * self.padding}"
        self._access[access] = user
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": self.lifetime, "scope": "mail"}
        if refresh:
            answer["refresh_token"] = refresh
        return 200, answer

    def _serve(self, handler, endpoint, fields):
        with self._asked:
            self.requests.append((endpoint, fields))
            answer = self.answers.get(endpoint)
            self._asked.notify_all()
        if callable(answer):
            answer = answer(fields)
        if answer is None:
            with self._lock:
                answer = getattr(self, f"_{endpoint}")(fields)
        if answer is DROP:
            handler.close_connection = True
            return
        status, body, *headers = answer
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        for name, value in dict(*headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _introspect(self, fields):
        user = self._access.get(fields.get("token"))
        if not user:
            return 200, {"active": False}
        return 200, {"active": True, "username": user, "exp": int(time.time()) + self.lifetime}

    def _client_is_known(self, fields):
        known = self.clients.get(fields.get("client_id"), "")
        return fields.get("client_id") in self.clients and known == fields.get("client_secret")

    def _token(self, fields):
        if not self._client_is_known(fields):
            return 401, {"error": "invalid_client", "error_description": "unknown client or wrong secret"}
        kind = fields.get("grant_type")
        if kind == "refresh_token":
            user = self._refresh.get(fields.get("refresh_token"))
            if not user:
                return 400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."}
            if not self.rotate:
                return self._tokens(user)
            del self._refresh[fields["refresh_token"]]
            return self._tokens(user, self._new_refresh(user))
        if kind == "client_credentials":
            return self._tokens(self.application)
        if kind == "urn:ietf:params:oauth:grant-type:device_code":
            code = fields.get("device_code")
            said = self._devices.get(code, "expired_token")
            if said is None:
                return 400, {"error": "authorization_pending"}
            if said in ("access_denied", "expired_token", "slow_down"):
                if said == "slow_down":
                    self._devices[code] = None
                return 400, {"error": said}
            del self._devices[code]
            return self._tokens(said, self._new_refresh(said))
        if kind == "authorization_code":
            user = self._codes.pop(fields.get("code"), None)
            return self._tokens(user, self._new_refresh(user)) if user else (400, {"error": "invalid_grant"})
        return 400, {"error": "unsupported_grant_type"}

    def _device(self, fields):
        if fields.get("client_id") not in self.clients:
            return 401, {"error": "invalid_client"}
        code = f"dc-{next(self._numbers)}-{PASSWORD}"
        self._devices[code] = None
        return 200, {
            "device_code": code,
            "user_code": "WDJB-MJHT",
            "verification_uri": self.url("enter"),
            **self.device,
        }
