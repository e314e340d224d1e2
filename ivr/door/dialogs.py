"""The door's table of dialogs: enough of each to route it, to guard it, and to end it when its line has died."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ivr.door.exchanges import Exchanges
from ivr.sip.alias import NO_TAG, alias, tag_alias
from ivr.sip.fields import BadMessage, address, uri
from ivr.sip.message import SipMessage, read
from ivr.sip.sockets import Hop

EARLY_S = 300.0
CONFIRMED_S = 12 * 3600.0
LINGER_S = 32.0  # RFC 3261 17: 64 * T1, after which no retransmission is on its way
MAX_DIALOGS = 10_000
MAX_TALKS = 8


class DialogState(enum.Enum):
    """How far a dialog has come."""

    EARLY = "early"  # INVITE seen, no final answer
    CONFIRMED = "confirmed"  # answered with 2xx
    ENDED = "ended"  # BYE or a final refusal; lingers for retransmissions


@dataclass(slots=True)
class Talk:
    """One dialog proper: an INVITE that forks on its way out may lead to several, one for each To-tag.

    `near` and `far` are the From/To values of our side and of the outside party as the network sees them, tags
    included; `target` is the outside party's Contact URI and `routes` the Route values toward it.
    """

    near: bytes
    far: bytes
    target: bytes
    routes: tuple[bytes, ...]
    is_answered: bool = False
    has_final: bool = False
    has_ended: bool = False


@dataclass(slots=True)
class Dialog:
    """What grew from one INVITE. `peer` is where it came from, or where it went to.

    Call-ID, tags and party values are the network's own; a line speaks of the same dialog by their aliases.
    """

    call_id: bytes
    caller_tag: bytes
    is_incoming: bool
    line_port: int
    peer: Hop
    invite: bytes  # as received with the source stamped in, or as sent out
    invite_cseq: int
    invite_branch: bytes  # of its top Via as received
    state: DialogState = DialogState.EARLY
    talks: dict[bytes, Talk] = field(default_factory=dict)
    hosts: set[str] = field(default_factory=set)  # outside addresses that may speak in it
    line_cseq: int = 0  # last CSeq of a request from the line
    party: bytes = b""  # our From value in a call out, as the network sees it
    far_target: bytes = b""  # where its requests go: Contact and Record-Route of an incoming INVITE, the URI rung else
    far_routes: tuple[bytes, ...] = ()
    exchanges: Exchanges = field(default_factory=Exchanges)
    on_refused: Callable[[int], None] = lambda _sip_status: None  # called when its line refuses an INVITE that came in
    has_provisional: bool = False
    line_is_gone: bool = False
    answered_at: float = 0.0
    is_confirmed: bool = False  # the caller has sent the ACK of our 200
    touched_at: float = 0.0

    @property
    def key(self) -> tuple[bytes, bytes]:
        """Call-ID and tag of who called, by which both sides find it."""
        return alias(self.call_id), tag_alias(self.caller_tag or NO_TAG)

    def expires_after_s(self) -> float:
        """Return how long it is kept without activity."""
        if self.state is DialogState.ENDED or self.line_is_gone:
            return LINGER_S
        return EARLY_S if self.state is DialogState.EARLY else CONFIRMED_S


@dataclass(frozen=True, slots=True)
class DialogMatch:
    """A dialog a message belongs to; `talk` is None while its To-tag is new; `from_caller`: who sent the request."""

    dialog: Dialog
    talk: Talk | None
    from_caller: bool


class DialogTable:
    """All dialogs by Call-ID and caller's tag, by line and by outside address; bounded, and swept of what is stale."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self.seconds = seconds
        self._by_key: dict[tuple[bytes, bytes], Dialog] = {}
        self._by_line: dict[int, set[tuple[bytes, bytes]]] = {}
        self._host_uses: dict[str, int] = {}
        self.on_change: Callable[[Dialog], None] = lambda _dialog: None  # one is answered, or has ended

    def __len__(self) -> int:
        return len(self._by_key)

    def __iter__(self) -> Iterator[Dialog]:
        return iter(list(self._by_key.values()))

    def add(self, dialog: Dialog) -> bool:
        """Add a dialog (in place of an ended one of the same key); False when the table is full of living ones."""
        if dialog.key in self._by_key:
            self.remove(self._by_key[dialog.key])
        if len(self._by_key) >= MAX_DIALOGS and not self._drop_oldest_ended():
            return False
        dialog.touched_at = self.seconds()
        self._by_key[dialog.key] = dialog
        self._by_line.setdefault(dialog.line_port, set()).add(dialog.key)
        self.allow_host(dialog, dialog.peer.host)
        return True

    def get(self, call_id: bytes, caller_tag: bytes) -> Dialog | None:
        """Return the dialog of an INVITE without To-tag."""
        return self._by_key.get((alias(call_id), tag_alias(caller_tag or NO_TAG)))

    def find(self, message: SipMessage) -> DialogMatch | None:
        """Return the dialog whose two tags a message carries; in answers to INVITE the To-tag may be new."""
        from_tag, to_tag = tag_alias(message.from_tag), tag_alias(message.to_tag)
        dialog = self.get(message.call_id, from_tag)
        if dialog is not None and (to_tag in dialog.talks or message.status):
            return DialogMatch(dialog, dialog.talks.get(to_tag), from_caller=True)
        dialog = self.get(message.call_id, to_tag)
        if dialog is not None and from_tag in dialog.talks:
            return DialogMatch(dialog, dialog.talks[from_tag], from_caller=False)
        return None

    def knows_host(self, host: str) -> bool:
        """Tell whether an outside address takes part in any dialog."""
        return host in self._host_uses

    def allow_host(self, dialog: Dialog, host: str) -> None:
        """Let `host` speak in `dialog`."""
        if host and host not in dialog.hosts and len(dialog.hosts) < MAX_TALKS:
            dialog.hosts.add(host)
            self._host_uses[host] = self._host_uses.get(host, 0) + 1

    def touch(self, dialog: Dialog) -> None:
        """Note activity. An ended dialog is not kept longer by retransmissions."""
        if dialog.state is not DialogState.ENDED:
            dialog.touched_at = self.seconds()

    def end(self, dialog: Dialog) -> None:
        """Mark as ended; it lingers so that retransmissions still find their way."""
        if dialog.state is not DialogState.ENDED:
            dialog.touched_at = self.seconds()
            dialog.state = DialogState.ENDED
            self.on_change(dialog)

    def confirm(self, dialog: Dialog) -> None:
        """Mark as answered."""
        dialog.state, dialog.answered_at = DialogState.CONFIRMED, dialog.touched_at
        self.on_change(dialog)

    def of_line(self, line_port: int) -> list[Dialog]:
        """Return the dialogs of one line."""
        return [self._by_key[key] for key in self._by_line.get(line_port, ())]

    def detach(self, dialog: Dialog) -> None:
        """Its line has died: no port leads to it any more, since another line may get that port."""
        keys = self._by_line.get(dialog.line_port, set())
        keys.discard(dialog.key)
        if not keys:
            self._by_line.pop(dialog.line_port, None)
        dialog.line_is_gone, dialog.line_port, dialog.touched_at = True, 0, self.seconds()
        self.on_change(dialog)

    def remove(self, dialog: Dialog) -> None:
        """Forget a dialog."""
        del self._by_key[dialog.key]
        if dialog.line_port:
            keys = self._by_line.get(dialog.line_port, set())
            keys.discard(dialog.key)
            if not keys:
                self._by_line.pop(dialog.line_port, None)
        for host in dialog.hosts:
            self._host_uses[host] -= 1
            if not self._host_uses[host]:
                del self._host_uses[host]

    def sweep(self) -> int:
        """Forget what is stale; returns how many."""
        now = self.seconds()
        stale = [dialog for dialog in self if now - dialog.touched_at >= dialog.expires_after_s()]
        for dialog in stale:
            self.remove(dialog)
        return len(stale)

    def _drop_oldest_ended(self) -> bool:
        for dialog in self._by_key.values():  # dicts keep the order of insertion
            if dialog.state is DialogState.ENDED:
                self.remove(dialog)
                return True
        return False


def note_answer(dialog: Dialog, answer: SipMessage, target: bytes = b"", routes: tuple[bytes, ...] = ()) -> Talk | None:
    """Learn from an answer to the INVITE of `dialog`; returns its talk, None for an answer without To-tag.

    `target` and `routes` are the way to who answered a call of ours; the way to a caller is known from its INVITE.
    """
    dialog.has_provisional = True
    tag = tag_alias(answer.to_tag)
    if not tag:
        return None
    talk = dialog.talks.get(tag)
    if talk is None:
        if len(dialog.talks) >= MAX_TALKS:
            return None
        talk = dialog.talks[tag] = _talk(dialog, answer)
    if target and not dialog.is_incoming:
        talk.target, talk.routes = target, routes
    talk.has_final = talk.has_final or answer.status >= 200
    talk.is_answered = talk.is_answered or 200 <= answer.status < 300
    return talk


def _talk(dialog: Dialog, answer: SipMessage) -> Talk:
    if not dialog.is_incoming:
        return Talk(dialog.party, answer.first(b"to") or b"", dialog.far_target, ())
    invite = read(dialog.invite)
    near = (invite.first(b"to") or b"") + b";tag=" + answer.to_tag
    return Talk(near, invite.first(b"from") or b"", dialog.far_target, dialog.far_routes)


def contact_uri(message: SipMessage) -> bytes:
    """Return the URI of the first Contact, empty if there is none that a request could be sent to."""
    try:
        text = address(message.top(b"contact") or b"")[0]
        return text if uri(text).scheme == "sip" else b""
    except BadMessage:
        return b""
