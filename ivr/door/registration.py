"""Registration of the door at a trunk that wants it (RFC 3261 section 10): kept fresh, retried, taken back."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Callable
from typing import Any

import structlog
from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred

from config.errors import ConfigError
from config.settings import Trunk
from ivr.door.relay import Premises
from ivr.sip.answers import new_branch, request
from ivr.sip.digest import Challenge, best_challenge, credentials
from ivr.sip.fields import DEFAULT_PORT, BadMessage, address, written
from ivr.sip.message import SipMessage
from ivr.sip.sockets import Hop

log = structlog.get_logger()

FIRST_RETRY_S, LAST_RETRY_S = 30.0, 600.0
UNREGISTER_S = 2.0
MAX_EXPIRES_S = 86_400


class RegistrationState(enum.Enum):
    """Where a registration stands."""

    TRYING = "trying"  # no answer yet
    REGISTERED = "registered"  # the trunk knows where we are
    REFUSED = "refused"  # the trunk said no; tried again later
    UNREACHABLE = "unreachable"  # no answer, or no address; tried again later
    STOPPED = "stopped"  # taken back


class Registration:
    """One trunk's registration, through the door's public socket."""

    def __init__(
        self, trunk: Trunk, reactor: Any, premises: Premises, on_change: Callable[[], None] = lambda: None
    ) -> None:
        self.name = trunk.name
        self.state, self._on_change = RegistrationState.TRYING, on_change
        self._trunk, self._reactor, self._premises = trunk, reactor, premises
        self._call_id = secrets.token_hex(12).encode() + b"@hotline"
        self._tag = secrets.token_hex(6).encode()
        self._cseq = 0
        self._expires_s = trunk.expires_s
        self._challenge: Challenge | None = None
        self._challenge_header = b"Authorization"
        self._nonce_uses = 0
        self._retry_s = FIRST_RETRY_S
        self._timer: DelayedCall | None = None
        self._last_status = 0
        self._registered_until = 0.0
        self._stopped: Deferred[None] | None = None

    def start(self) -> None:
        """Register now."""
        self._register()

    def stop(self) -> Deferred[None]:
        """Take the registration back; fires when answered, or after 2 s."""
        self._cancel_timer()
        done: Deferred[None] = Deferred()
        if self.state is not RegistrationState.REGISTERED:
            self.state = RegistrationState.STOPPED
            done.callback(None)
            return done
        self._stopped, self._expires_s = done, 0
        self._timer = self._reactor.callLater(UNREGISTER_S, self._has_stopped)
        self._register()
        return done

    def status(self) -> dict[str, Any]:
        """Return state, last SIP status, and seconds until the registration runs out (0 if there is none)."""
        left_s = self._registered_until - self._reactor.seconds()
        is_up = self.state is RegistrationState.REGISTERED
        return {"state": self.state.value, "sip_status": self._last_status, "left_s": round(left_s) if is_up else 0}

    def _register(self) -> None:
        host, port = self._trunk.address

        def send(numeric_host: str | None) -> None:
            if numeric_host is None:
                self._failed(RegistrationState.UNREACHABLE)
            else:
                self._send(Hop(self._trunk.transport, numeric_host, port), attempt=1)

        self._premises.resolver.lookup(host, send)

    def _send(self, hop: Hop, attempt: int) -> None:
        try:
            data, branch = self._message()
        except ConfigError as wrong:
            log.error("registration_password_missing", trunk=self.name, error=str(wrong))
            self._failed(RegistrationState.REFUSED)
            return
        self._premises.own.send(data, branch, "REGISTER", hop, lambda answer: self._answered(answer, hop, attempt))

    def _message(self) -> tuple[bytes, bytes]:
        trunk, addresses = self._trunk, self._premises.addresses
        host, port = trunk.address
        registrar = b"sip:" + (written(host, port) if port != DEFAULT_PORT else written(host, port)[: -len(":5060")])
        user = trunk.username.encode()
        transport = b";transport=tcp" if trunk.transport == "tcp" else b""
        domain = registrar.removeprefix(b"sip:")
        shown, branch = written(addresses.outer_host, addresses.outer_port), new_branch()
        self._cseq += 1
        headers = [
            (b"Via", b"SIP/2.0/%s %s;rport;branch=%s" % (trunk.transport.upper().encode(), shown, branch)),
            (b"From", b"<sip:%s@%s>;tag=%s" % (user, domain, self._tag)),
            (b"To", b"<sip:%s@%s>" % (user, domain)),
            (b"Contact", b"<sip:%s@%s%s>" % (user, shown, transport)),
            (b"Expires", b"%d" % self._expires_s),
        ]
        if self._challenge is not None:
            self._nonce_uses += 1
            value = credentials(
                self._challenge, username=trunk.username, password=trunk.password(), method="REGISTER",
                uri=registrar.decode(), count=self._nonce_uses,
            )  # fmt: skip
            headers.append((self._challenge_header, value))
        return request("REGISTER", registrar, headers, call_id=self._call_id, cseq=self._cseq), branch

    def _answered(self, answer: SipMessage | None, hop: Hop, attempt: int) -> None:
        self._last_status = answer.status if answer else 408
        if self._stopped is not None and (answer is None or answer.status not in (401, 407) or attempt > 1):
            self._has_stopped()
        elif answer is None:
            self._failed(RegistrationState.UNREACHABLE)
        elif answer.status < 300:
            self._registered(answer)
        elif answer.status in (401, 407) and self._may_answer(answer, attempt):
            self._send(hop, attempt + 1)
        elif answer.status == 423 and attempt < 3 and (least_s := _number(answer.first(b"min-expires"))):
            self._expires_s = min(max(self._expires_s, least_s), MAX_EXPIRES_S)
            self._send(hop, attempt + 1)
        else:
            self._failed(RegistrationState.REFUSED)

    def _may_answer(self, answer: SipMessage, attempt: int) -> bool:
        """Take up a challenge; not twice for the same credentials, unless only the nonce was too old."""
        name = b"www-authenticate" if answer.status == 401 else b"proxy-authenticate"
        values = [answer.lines[at].partition(b":")[2] for at, its_name in enumerate(answer.names) if its_name == name]
        challenge = best_challenge(values)
        had_one = self._challenge is not None
        if challenge is None or attempt > 3 or (had_one and attempt > 1 and not challenge.is_stale):
            self._challenge = None
            return False
        self._challenge, self._nonce_uses = challenge, 0
        self._challenge_header = b"Authorization" if answer.status == 401 else b"Proxy-Authorization"
        return True

    def _registered(self, answer: SipMessage) -> None:
        granted_s = _granted(answer, self._expires_s)
        is_new = self.state is not RegistrationState.REGISTERED
        self.state, self._retry_s = RegistrationState.REGISTERED, FIRST_RETRY_S
        self._registered_until = self._reactor.seconds() + granted_s
        if is_new:
            log.info("trunk_registered", trunk=self.name, expires_s=granted_s)
            self._on_change()
        self._again_in(max(granted_s / 2, 5.0))

    def _failed(self, state: RegistrationState) -> None:
        if self._stopped is not None:
            self._has_stopped()
            return
        log.warning("trunk_not_registered", trunk=self.name, state=state.value, sip_status=self._last_status)
        self.state = state
        self._on_change()
        self._again_in(self._retry_s)
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)

    def _again_in(self, seconds: float) -> None:
        self._cancel_timer()
        self._timer = self._reactor.callLater(seconds, self._register)

    def _has_stopped(self) -> None:
        self._cancel_timer()
        self.state = RegistrationState.STOPPED
        stopped, self._stopped = self._stopped, None
        if stopped is not None:
            stopped.callback(None)

    def _cancel_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None


def _number(text: bytes | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 8 else 0


def _granted(answer: SipMessage, asked_s: int) -> int:
    """Return the seconds granted: of a Contact, else of Expires, else what was asked."""
    try:
        # a registrar lists every binding of the account; the shortest is on the safe side
        listed = [_number(address(value)[1].get(b"expires")) for value in answer.values(b"contact")]
    except BadMessage:
        listed = []
    return min((one for one in listed if one), default=_number(answer.first(b"expires")) or asked_s)
