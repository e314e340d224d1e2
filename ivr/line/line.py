"""A line: obeys commands and tells what happens, in one thread; it decides nothing."""

from __future__ import annotations

import collections
import functools
import gc
import os
import time
from collections.abc import Callable
from typing import Any

import pjsua2 as pj

from ivr.line import endpoint
from ivr.line import messages as m
from ivr.line.bridge import Bridges, PatchBoard
from ivr.line.leg import Account, SipLeg
from ivr.line.players import Plays, wrong_text
from ivr.line.recorders import Recordings
from ivr.line.rtp_taps import RtpTaps, Tap
from ivr.line.wakeups import Wakeups
from ivr.line.wire import Wire

_HEARTBEAT_EVERY_S = 1.0
# How long the loop sleeps when neither a command nor SIP wakes it. RTP is read that often while people talk: each 10 ms
# more saves 0.1 % of a core a conversation, and adds as much delay. Ends of prompts are noticed within the second one.
_TALKING_PERIOD_S = 0.03
_LISTENING_PERIOD_S = 0.02
_RINGING_PERIOD_S = 0.1
_IDLE_PERIOD_S = 0.5
_QUIT_WITHIN_S = 3.0
_MOST_TROUBLES = 100
# a phone that is there answers a BYE or CANCEL within some milliseconds
_BYE_ANSWERED_WITHIN_S = 0.3


class Line:
    """Does what commands say and tells what happened."""

    def __init__(self, config: m.LineConfig) -> None:
        self._config = config
        self.retry_after_s = config.retry_after_s
        self._wire = Wire(config.socket_path)
        self._wakeups = Wakeups(self._wire.fileno())
        self._endpoint, self.sip_port = endpoint.start(config)
        self._wakeups.watch_sip()
        self._account = Account(self)
        self._account.create(endpoint.account_config(config, self.sip_port))
        self._most_legs = endpoint.most_legs()
        self._queue: collections.deque[Callable[[], None]] = collections.deque()
        self._legs: dict[int, SipLeg] = {}
        self._over: list[SipLeg] = []
        self._lingering: list[SipLeg] = []
        self._next_incoming = 2
        self._board = PatchBoard(self._endpoint.audDevManager().getPlaybackDevMedia())
        self._bridges = Bridges(self._board)
        self._plays = Plays(self._board, self.send)
        self._taps = RtpTaps(self._key_heard)
        self._recordings = Recordings(self._board, self.send, self._legs.__contains__, config.least_free_bytes)
        self._period_s = _IDLE_PERIOD_S
        self._next_heartbeat = self._next_tick = 0.0
        self._quits_at: float | None = None
        self._troubles = 0
        self._is_littered = False
        self._verbs = self._table_of_verbs()
        self.send(m.Hello(line=config.line, pid=os.getpid(), sip_port=self.sip_port, max_legs=self._most_legs))

    def _table_of_verbs(self) -> dict[type[Any], Callable[[Any], None]]:
        return {
            m.Answer: lambda c: self._to_leg(c.leg, lambda leg: leg.respond(200)),
            m.Progress: lambda c: self._to_leg(c.leg, lambda leg: leg.respond(c.sip_status)),
            m.Reject: lambda c: self._to_leg(c.leg, lambda leg: leg.respond(c.sip_status, c.retry_after_s)),
            m.Hangup: lambda c: self._to_leg(c.leg, lambda leg: leg.end(c.sip_status)),
            m.SendKeys: lambda c: self._to_leg(c.leg, lambda leg: leg.send_keys(c.keys, c.method)),
            m.Ring: self._ring,
            m.Play: self._play,
            m.Stop: lambda c: self._plays.stop(c.play),
            m.Bridge: lambda c: self._bridges.set(c.bridge, [leg for leg in c.legs if leg in self._legs]),
            m.Overhear: self._overhear,
            m.Mute: lambda c: self._board.mute(("leg", c.leg), c.muted),
            m.Record: self._recordings.start,
            m.StopRecord: lambda c: self._recordings.stop(c.recording),
            m.Quit: lambda _c: self._quit(),
        }

    # -- the loop ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until the node is gone or says Quit."""
        gc.disable()
        while not self._is_finished():
            try:
                self._rounds()
            except Exception as wrong:
                self.fault(f"the loop: {type(wrong).__name__}: {wrong_text(wrong)}")
                self._troubles += 1
                if self._troubles > _MOST_TROUBLES:
                    raise

    def _rounds(self) -> None:
        # 33 rounds a second do nothing but move RTP: they must stay short (this shape took 0.2 % of a core away)
        wait, look, now_s, queue, wire, peek = (
            self._wakeups.wait, self._endpoint.libHandleEvents, time.monotonic, self._queue, self._wire.fileno(),
            self._taps.look,
        )  # fmt: skip
        while True:
            ready = wait(self._period_s)
            for descriptor, _mask in ready:
                if descriptor == wire:
                    self._obey()
                    self._next_tick = 0.0
            peek()
            look(0)
            if queue:
                self._drain()
            if self._over or self._lingering:
                self._let_go(now_s())
            now = now_s()
            if now >= self._next_tick:
                self._tick(now)
                if self._is_finished():
                    return

    def _drain(self) -> None:
        while self._queue:
            self._try(self._queue.popleft())
        self._next_tick = 0.0

    def _tick(self, now: float) -> None:
        self._plays.tick(now)
        self._recordings.tick(now)
        if now >= self._next_heartbeat:
            self._beat(now)
        self._wire.flush()
        is_listening = self._choose_period()
        self._wakeups.watch_rtp(self._taps.descriptors if is_listening else set())
        is_waiting = self._plays.is_busy or self._recordings.needs_looks or self._over or self._quits_at is not None
        self._next_tick = min(self._next_heartbeat, now + _LISTENING_PERIOD_S if is_waiting else now + 1.0)

    def _choose_period(self) -> bool:
        """Set how long the loop may sleep; tell whether a leg may press keys that decide something now."""
        with_sound = [number for number, leg in self._legs.items() if leg.has_media]
        is_listening = not all(self._bridges.holds(number) for number in with_sound)
        if self._plays.is_busy or self._recordings.needs_looks or self._over or is_listening:
            self._period_s = _LISTENING_PERIOD_S
        elif with_sound:
            self._period_s = _TALKING_PERIOD_S
        else:
            self._period_s = _RINGING_PERIOD_S if self._legs else _IDLE_PERIOD_S
        return is_listening

    def _is_finished(self) -> bool:
        if self._wire.is_closed:
            self._quit()
        if self._quits_at is None:
            return False
        return time.monotonic() >= self._quits_at or not (self._legs or self._over or self._recordings.is_busy)

    def _quit(self) -> None:
        if self._quits_at is None:
            self._quits_at = time.monotonic() + _QUIT_WITHIN_S
            self._recordings.stop_all()
            for leg in list(self._legs.values()):
                self._try(leg.end, leg.leg_id)

    def _obey(self) -> None:
        for command in self._wire.commands():
            verb = self._verbs.get(type(command))
            if verb is None:
                self.fault(f"no command: {command!r}")
            else:
                self._try(functools.partial(verb, command), getattr(command, "leg", 0))
        while self._wire.malformed:
            self.fault(self._wire.malformed.pop(0))

    def _beat(self, now: float) -> None:
        self._next_heartbeat = now + _HEARTBEAT_EVERY_S
        for leg in self._legs.values():
            leg.count_packets()
        rtp = {number: leg.rx_packets for number, leg in self._legs.items()}
        signs = {number: leg.signs_of_life(self._taps.packets(number)) for number, leg in self._legs.items()}
        self.send(m.Heartbeat(rx_packets=rtp, signs_of_life=signs))
        if self._is_littered and not self._legs and not self._plays.is_busy:
            gc.collect()
            self._is_littered = False

    def _try(self, act: Callable[[], None], leg: int = 0) -> None:
        try:
            act()
        except Exception as wrong:  # a line survives whatever goes wrong with one leg
            self.fault(f"{type(wrong).__name__}: {wrong_text(wrong)}", leg)

    # -- what callbacks queue ---------------------------------------------------------------------------------------

    def later(self, act: Callable[[], None]) -> None:
        """Do `act` in the loop, outside any callback."""
        self._queue.append(act)

    def send(self, event: m.Event) -> None:
        """Tell the node."""
        self._wire.send(event)

    def fault(self, text: str, leg: int = 0) -> None:
        """Tell the node that something went wrong and was survived."""
        self.send(m.LineFault(text=text, leg=leg))

    def leg_comes_in(self, call_id: int) -> None:
        """An INVITE has come in."""
        leg = SipLeg(self, self._account, self._next_incoming, call_id)
        self._next_incoming += 2
        self._legs[leg.leg_id] = leg
        event = leg.incoming()
        self.later(functools.partial(self.send, event))

    def leg_has_media(self, leg: SipLeg, media: Any | None) -> None:
        """The sound of a leg has come up, changed or gone."""
        if leg.is_over:
            return
        self._taps.set(leg.leg_id, leg.rtp_port(), leg.rtp_named(), by_tones=not leg.has_key_events)
        if media is None:
            self._board.forget(("leg", leg.leg_id))
        else:
            self._board.plug(("leg", leg.leg_id), media)

    def leg_is_over(self, leg: SipLeg) -> None:
        """A leg has ended: everything of it ends, and that is told last."""
        if self._legs.pop(leg.leg_id, None) is None:
            return
        self._taps.set(leg.leg_id, None)
        self._board.forget(("leg", leg.leg_id))
        self._board.mute(("leg", leg.leg_id), False)
        self._plays.stop_leg(leg.leg_id)
        self._bridges.remove_leg(leg.leg_id)
        self._recordings.remove_leg(leg.leg_id)
        leg.tells_end_at = time.monotonic() + _BYE_ANSWERED_WITHIN_S
        self._over.append(leg)
        self._is_littered = True

    def _let_go(self, now: float) -> None:
        """Tell the end of legs and drop them, as soon as pjsua has given their place free.

        The C++ half of a leg must not go later: its destructor would hang up the next call of the same id (pjproject
        #3856). Should that call be there already, the old half stays until it has ended too.
        """
        taken = {leg.getId() for leg in self._legs.values()}
        for leg in self._over + self._lingering:
            is_replaced = leg.getId() in taken
            is_there = not is_replaced and leg.still_occupies()
            if leg in self._over and (not is_there or now >= leg.tells_end_at):
                self._over.remove(leg)
                self._lingering.append(leg)
                self.send(leg.ended(is_lingering=is_there))
            if leg in self._lingering and not is_there and not is_replaced:
                self._lingering.remove(leg)

    def _key_heard(self, number: int, digit: str) -> None:
        leg = self._legs.get(number)
        if leg is not None and not leg.is_over:
            leg.key_heard(digit)

    def tap_of(self, leg: SipLeg) -> Tap | None:
        """Return what looks into the RTP of a leg; None where its socket was not found."""
        return self._taps.of(leg.leg_id)

    def key_pressed(self, leg: SipLeg, digit: str, source: str) -> None:
        """A key of a leg was pressed."""
        if leg.leg_id in self._legs:
            self._plays.key_pressed(leg.leg_id)
            self.send(m.KeyPressed(leg=leg.leg_id, digit=digit, source=source))

    def local_uri(self, number: str, display_name: str = "") -> str:
        """Return the From value that shows `number`."""
        uri = number if number.startswith("sip:") else f"sip:{number}@127.0.0.1:{self.sip_port}"
        quoted = display_name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{uri}>' if display_name else f"<{uri}>"

    # -- verbs ------------------------------------------------------------------------------------------------------

    def _to_leg(self, number: int, act: Callable[[SipLeg], None]) -> None:
        leg = self._legs.get(number)
        if leg is not None and not leg.is_over:
            act(leg)

    def _ring(self, command: m.Ring) -> None:
        if command.leg in self._legs:
            self.fault(f"leg {command.leg} is there already", command.leg)
            return
        if len(self._legs) + len(self._over) + len(self._lingering) >= self._most_legs:
            self.send(m.LegEnded(leg=command.leg, sip_status=486, reason="no leg free", by_remote=False))
            return
        leg = SipLeg(self, self._account, command.leg)
        try:
            leg.ring(command)
        except pj.Error as wrong:
            self.send(m.LegEnded(leg=command.leg, sip_status=0, reason=wrong_text(wrong), by_remote=False))
            return
        self._legs[command.leg] = leg

    def _overhear(self, command: m.Overhear) -> None:
        if command.leg in self._legs:
            hears, heard_by = ([leg for leg in legs if leg in self._legs] for legs in (command.hears, command.heard_by))
            self._bridges.overhear(command.leg, hears, heard_by)

    def _play(self, command: m.Play) -> None:
        if command.leg in self._legs:
            self._plays.start(command)
        else:
            self.send(m.PlayEnded(leg=command.leg, play=command.play, finished=False))


def serve(config: m.LineConfig) -> None:
    """Be a line until the node lets go of it."""
    Line(config).run()
