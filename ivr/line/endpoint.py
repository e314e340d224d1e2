"""A line: one pjsua2 endpoint in one thread, waiting for commands and SIP at once."""

from __future__ import annotations

import collections
import functools
import gc
import os
import select
import time
from collections.abc import Callable
from typing import Any

import pjsua2 as pj

from ivr.line import messages as m
from ivr.line.bridge import Bridges, PatchBoard
from ivr.line.leg import Account, Leg
from ivr.line.players import Plays, wrong_text
from ivr.line.recorders import Recordings
from ivr.line.wire import Wire

_HEARTBEAT_EVERY_S = 1.0
# How long the loop may sleep when neither a command nor SIP wakes it. Timers of SIP, ends of prompts and
# (without a thread of their own) RTP packets wait that long.
_LISTENING_PERIOD_S = 0.005
_TALKING_PERIOD_S = 0.02
_IDLE_PERIOD_S = 0.1
_QUIT_WITHIN_S = 3.0


class Line:
    """Does what commands say and tells what happened; decides nothing."""

    def __init__(self, config: m.LineConfig, wire: Wire) -> None:
        self._config = config
        self._wire = wire
        self._queue: collections.deque[Callable[[], None]] = collections.deque()
        self._legs: dict[int, Leg] = {}
        self._gone: list[Leg] = []
        self._next_incoming = 2
        self._next_heartbeat = 0.0
        self._quits_at = float("inf")
        self._board = PatchBoard()
        self._bridges = Bridges(self._board)
        self._plays = Plays(self._board, self.send)
        self._recordings = Recordings(self._board, self.send, self._legs.__contains__)
        self._endpoint = pj.Endpoint()
        self.max_legs = 0
        self.sip_port = 0
        self._sip_descriptor = -1
        self._verbs: dict[type[Any], Callable[[Any], None]] = {
            m.Answer: lambda c: self._to_leg(c.leg, lambda leg: leg.respond(200)),
            m.Progress: lambda c: self._to_leg(c.leg, lambda leg: leg.respond(c.sip_status)),
            m.Reject: lambda c: self._to_leg(c.leg, lambda leg: leg.respond(c.sip_status, c.retry_after_s)),
            m.Hangup: lambda c: self._to_leg(c.leg, lambda leg: leg.end(c.sip_status)),
            m.SendKeys: lambda c: self._to_leg(c.leg, lambda leg: self._send_keys(leg, c)),
            m.Ring: self._ring,
            m.Play: self._play,
            m.Stop: lambda c: self._plays.stop(c.play),
            m.Bridge: lambda c: self._bridges.set(c.bridge, [leg for leg in c.legs if leg in self._legs]),
            m.Mute: lambda c: self._board.mute(("leg", c.leg), c.muted),
            m.Record: self._recordings.start,
            m.StopRecord: lambda c: self._recordings.stop(c.recording),
            m.Quit: self._quit,
        }

    # -- birth and death --------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Bring SIP and the conference up, and say Hello."""
        endpoint, config = self._endpoint, pj.EpConfig()
        endpoint.libCreate()
        self.max_legs = config.uaConfig.maxCalls
        config.uaConfig.threadCnt = 0
        config.uaConfig.mainThreadOnly = True
        config.uaConfig.userAgent = self._config.user_agent
        config.logConfig.consoleLevel = 0
        config.logConfig.level = 4 if self._config.log_path else 0
        config.logConfig.filename = self._config.log_path
        sound = config.medConfig
        sound.clockRate = sound.sndClockRate = 8000
        sound.channelCount = 1
        sound.audioFramePtime = sound.ptime = 20
        sound.quality = 1
        sound.ecTailLen = 0
        sound.noVad = True
        # RTP is read by the loop itself: no media thread
        sound.hasIoqueue = False
        sound.threadCnt = 0
        sound.sndAutoCloseTime = -1
        endpoint.libInit(config)
        for codec in endpoint.codecEnum2():
            name = codec.codecId
            endpoint.codecSetPriority(name, {"PCMA/8000/1": 255, "PCMU/8000/1": 254}.get(name, 0))
        endpoint.audDevManager().setNullDev()
        self._listen()
        endpoint.libStart()
        self._account = Account(self)
        self._account.create(self._account_config())
        self.send(m.Hello(line=self._config.line, pid=os.getpid(), sip_port=self.sip_port, max_legs=self.max_legs))

    def _listen(self) -> None:
        before = set(os.listdir("/proc/self/fd"))
        transport = pj.TransportConfig()
        transport.boundAddress = "127.0.0.1"
        transport.port = self._config.sip_port
        number = self._endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
        self.sip_port = int(self._endpoint.transportGetInfo(number).localName.rpartition(":")[2])
        for name in set(os.listdir("/proc/self/fd")) - before:
            try:
                if os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                    self._sip_descriptor = int(name)
            except OSError:
                continue

    def _account_config(self) -> Any:
        config = pj.AccountConfig()
        config.idUri = f"sip:line{self._config.line}@127.0.0.1:{self.sip_port}"
        if self._config.outbound_proxy:
            proxies = pj.StringVector()
            proxies.append(f"<{self._config.outbound_proxy.strip('<>')}>")
            config.sipConfig.proxies = proxies
        if self._config.auth_username:
            credentials = pj.AuthCredInfoVector()
            credentials.append(
                pj.AuthCredInfo(
                    "digest", self._config.auth_realm, self._config.auth_username, 0, self._config.auth_password
                )
            )
            config.sipConfig.authCreds = credentials
        transport = config.mediaConfig.transportConfig
        transport.boundAddress = self._config.media_address
        transport.publicAddress = self._config.media_public_address
        transport.port = self._config.rtp_port
        # RTCP takes the port above; lines share the range, so each begins somewhere else in it (at most 100 tries)
        transport.portRange = max(0, self._config.rtp_port_range - 2)
        transport.randomizePort = True
        return config

    def local_uri(self, number: str, display_name: str = "") -> str:
        """Return the From value that shows `number`."""
        uri = number if number.startswith("sip:") else f"sip:{number}@127.0.0.1:{self.sip_port}"
        quoted = display_name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{uri}>' if display_name else f"<{uri}>"

    def _quit(self, _command: m.Quit | None = None) -> None:
        self._quits_at = min(self._quits_at, time.monotonic() + _QUIT_WITHIN_S)
        self._recordings.stop_all()
        for leg in list(self._legs.values()):
            self._try(functools.partial(leg.end), leg.leg_id)

    # -- the loop ---------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until the node is gone or says Quit."""
        wake = select.epoll()
        wake.register(self._wire.fileno(), select.EPOLLIN)
        if self._sip_descriptor >= 0:
            wake.register(self._sip_descriptor, select.EPOLLIN)
        gc.disable()
        while not self._is_finished():
            try:
                ready = wake.poll(self._period_s())
            except InterruptedError:
                ready = []
            for descriptor, _mask in ready:
                if descriptor == self._wire.fileno():
                    self._obey()
            self._endpoint.libHandleEvents(0)
            self._drain()
            now = time.monotonic()
            self._plays.tick(now)
            self._recordings.tick(now)
            if now >= self._next_heartbeat:
                self._beat(now)
            self._wire.flush()

    def _period_s(self) -> float:
        if self._legs:
            if self._plays.is_playing or not all(self._bridges.holds(leg) for leg in self._legs):
                return _LISTENING_PERIOD_S
            return _TALKING_PERIOD_S
        return _TALKING_PERIOD_S if self._recordings.is_busy else _IDLE_PERIOD_S

    def _is_finished(self) -> bool:
        if self._wire.is_closed:
            self._quit()
        if self._quits_at == float("inf"):
            return False
        return time.monotonic() >= self._quits_at or not (self._legs or self._recordings.is_busy)

    def _obey(self) -> None:
        for command in self._wire.commands():
            verb = self._verbs.get(type(command))
            if verb is None:
                self.fault(f"no command: {command!r}")
            else:
                self._try(functools.partial(verb, command), getattr(command, "leg", 0))
        while self._wire.malformed:
            self.fault(self._wire.malformed.pop(0))

    def _drain(self) -> None:
        while self._queue:
            self._try(self._queue.popleft())
        # their C++ half goes now, before a new call may take the same id (pjproject #3856)
        self._gone.clear()

    def _beat(self, now: float) -> None:
        self._next_heartbeat = now + _HEARTBEAT_EVERY_S
        for leg in self._legs.values():
            leg.count_packets()
        self.send(m.Heartbeat(rx_packets={number: leg.rx_packets for number, leg in self._legs.items()}))
        if not self._legs:
            gc.collect()

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
        self.send(m.Fault(text=text, leg=leg))

    def leg_comes_in(self, call_id: int) -> None:
        """An INVITE has come in."""
        leg = Leg(self, self._account, self._next_incoming, call_id)
        self._next_incoming += 2
        self._legs[leg.leg_id] = leg
        event = leg.incoming()
        self.later(functools.partial(self.send, event))

    def leg_has_media(self, leg: Leg, media: Any | None) -> None:
        """The sound of a leg has come up, changed or gone."""
        if leg.is_over:
            return
        if media is None:
            self._board.forget(("leg", leg.leg_id))
        else:
            self._board.plug(("leg", leg.leg_id), media)

    def leg_is_over(self, leg: Leg, sip_status: int, reason: str) -> None:
        """A leg has ended: everything of it ends, and that is told last."""
        if self._legs.pop(leg.leg_id, None) is None:
            return
        self._board.forget(("leg", leg.leg_id))
        self._board.mute(("leg", leg.leg_id), False)
        self._plays.stop_leg(leg.leg_id)
        self._bridges.remove_leg(leg.leg_id)
        self._recordings.remove_leg(leg.leg_id)
        self._gone.append(leg)
        self.send(leg.ended(sip_status, reason))

    def key_pressed(self, leg: Leg, digit: str, source: str) -> None:
        """A key of a leg was pressed."""
        if leg.leg_id in self._legs:
            self._plays.key_pressed(leg.leg_id)
            self.send(m.KeyPressed(leg=leg.leg_id, digit=digit, source=source))

    # -- verbs ------------------------------------------------------------------------------------------------------

    def _to_leg(self, number: int, act: Callable[[Leg], None]) -> None:
        leg = self._legs.get(number)
        if leg is not None and not leg.is_over:
            act(leg)

    def _ring(self, command: m.Ring) -> None:
        if command.leg in self._legs:
            self.fault(f"leg {command.leg} is there already", command.leg)
            return
        if len(self._legs) >= self.max_legs:
            self.send(m.LegEnded(leg=command.leg, sip_status=486, reason="no leg free", by_remote=False))
            return
        leg = Leg(self, self._account, command.leg)
        try:
            leg.ring(command)
        except pj.Error as wrong:
            self.send(m.LegEnded(leg=command.leg, sip_status=0, reason=wrong_text(wrong), by_remote=False))
            return
        self._legs[command.leg] = leg

    def _play(self, command: m.Play) -> None:
        if command.leg in self._legs:
            self._plays.start(command)
        else:
            self.send(m.PlayEnded(leg=command.leg, play=command.play, finished=False))

    def _send_keys(self, leg: Leg, command: m.SendKeys) -> None:
        if command.method == "info":
            parameters = pj.CallSendDtmfParam()
            parameters.method = pj.PJSUA_DTMF_METHOD_SIP_INFO
            parameters.digits = command.keys
            leg.sendDtmf(parameters)
        else:
            leg.dialDtmf(command.keys)


def serve(config: m.LineConfig) -> None:
    """Be a line until the node lets go of it."""
    line = Line(config, Wire(config.socket_path))
    line.start()
    line.run()
