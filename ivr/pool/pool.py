"""The pool of lines: keeps spare ones ready, hands them out, watches, recycles and buries them."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from twisted.internet.defer import Deferred

from config.settings import LineSettings
from ivr.line import messages as m
from ivr.pool.births import Births
from ivr.pool.process import LineConnection, LineProcess, LinesDidNotStart, LineState, connections
from ivr.pool.slot import CallRefused, LineDied, LineSlot
from ivr.pool.warm_parent import Spawn, WarmParent
from processes.socket_address import short_address

__all__ = ["CallRefused", "LineDied", "LinePool", "LineSlot", "LinesDidNotStart"]

log = structlog.get_logger()

_WATCH_EVERY_S = 1.0
_START_WITHIN_S = 20.0
_HELLO_WITHIN_S = 10.0
_FORKED_WITHIN_S = 5.0
_STOP_WITHIN_S = 6.0
# An outgoing leg whose INVITE nobody answered at all cannot be cancelled before a first answer (RFC 3261 9.1).
_RELEASE_WITHIN_S = 6.0
_LAST_BYES_S = 8.0
_FIRST_RESTART_AFTER_S, _LAST_RESTART_AFTER_S = 0.5, 30.0
_HEALTHY_AFTER_S = 60.0


class LinePool:
    """Up to `settings.count` lines. Of all their conversations, `reserved_for_callbacks_percent` (rounded) are kept
    for callbacks: an ordinary call is not given the last free ones, unless callbacks hold that many already.
    """

    def __init__(
        self,
        settings: LineSettings,
        line_config: Callable[[], m.LineConfig],
        reactor: Any,
        on_line_died: Callable[[int], None] = lambda _sip_port: None,
        spawn: Spawn = WarmParent.spawn,
        *,
        on_line_ready: Callable[[], None] = lambda: None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._line_config = line_config  # what all lines have in common, once they are started
        self._reactor = reactor
        self._on_line_died = on_line_died
        self._on_line_ready, self._on_change = on_line_ready, on_change
        self._asked_in_vain = 0  # since the last look: so many lines are wanted at once
        self._spawn = spawn
        self._lines: dict[int, LineProcess] = {}
        self._next_number = 0
        self._capacity = 1
        self._recycled = self._died = 0
        self._births = Births()
        self._is_starting = self._is_stopping = self._is_parent_hung = False
        self._parent: WarmParent | None = None
        self._parent_born_at = self._looked_at = 0.0
        self._restart_after_s = _FIRST_RESTART_AFTER_S
        self._restart: Any = None
        self._watch: Any = None
        self._port: Any = None
        self._folder: str | None = None
        self._socket_folder: int | None = None
        self._socket, self._socket_path = Path(), ""  # where it lies, and the address that it is bound to
        self._later: list[Any] = []
        self._waiting: list[tuple[Callable[[], bool], Deferred[None], Any]] = []

    # -- start and stop ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the warm parent and the spare lines; LinesDidNotStart if none comes up."""
        self._is_stopping, self._is_starting = False, True
        self._socket = path = self._make_socket_path()
        self._socket_folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        self._socket_path = short_address(path, self._socket_folder)
        self._port = self._reactor.listenUNIX(self._socket_path, connections(self), mode=0o600)
        self._start_parent()
        self._looked_at = self._reactor.seconds()
        self._watch = self._reactor.callLater(_WATCH_EVERY_S, self._look_after)
        needed = min(max(1, self._settings.spare), self._settings.count)
        if not await self._until(lambda: self._free() >= needed, _START_WITHIN_S):
            await self.stop()
            raise LinesDidNotStart(f"of {needed} lines, fewer said Hello within {_START_WITHIN_S:.0f} s")
        self._is_starting = False
        log.info("lines_started", **self.status())

    async def stop(self) -> None:
        """End all lines, hanging up what they carry, and the warm parent; wait for it."""
        self._is_stopping = True
        for timer in (self._watch, self._restart, *self._later):
            if timer is not None and timer.active():
                timer.cancel()
        for line in list(self._lines.values()):
            line.state = LineState.LEAVING
            line.send(m.Quit())
        if self._parent is not None and not await self._until(lambda: not self._lines, _STOP_WITHIN_S):
            log.warning("lines_killed", lines=sorted(self._lines))
        if self._parent is not None:
            self._parent.finish()
            if not await self._until(lambda: self._parent is None, _STOP_WITHIN_S):
                self._parent.kill_itself()
                await self._until(lambda: self._parent is None, _STOP_WITHIN_S)
        if self._port is not None:
            await self._port.stopListening()
            self._port = None
        self._socket.unlink(missing_ok=True)
        if self._socket_folder is not None:
            os.close(self._socket_folder)
            self._socket_folder = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def _make_socket_path(self) -> Path:
        configured = self._line_config().socket_path
        if configured:
            path = Path(configured).absolute()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # left over from a node that was killed
            path.unlink(missing_ok=True)
            return path
        self._folder = tempfile.mkdtemp(prefix="lines-")  # 0700; the service names a place in its data folder
        return Path(self._folder) / "lines.sock"

    def _until(self, holds: Callable[[], bool], within_s: float) -> Deferred[bool]:
        """Fire with True once `holds`, with False when the time is over; looked at whenever something changes."""
        done: Deferred[Any] = Deferred()
        timer = self._reactor.callLater(within_s, lambda: self._settle(done, False))
        self._waiting.append((holds, done, timer))
        self._changed()
        return done

    def _settle(self, done: Deferred[Any], result: bool) -> None:
        for waiting in list(self._waiting):
            if waiting[1] is done:
                self._waiting.remove(waiting)
                if waiting[2].active():
                    waiting[2].cancel()
                done.callback(result)

    def _changed(self) -> None:
        self._on_change()
        for holds, done, _timer in list(self._waiting):
            if holds():
                self._settle(done, True)

    # -- for the node -----------------------------------------------------------------------------------------------

    def take(self, for_callback: bool = False) -> LineSlot | None:
        """Return a slot for a conversation; None if the pool is full, or no line is ready at this moment."""
        left, reserved = self._left()
        if self._is_stopping or left <= (0 if for_callback else reserved):
            return None
        free = [line for line in self._lines.values() if line.is_free]
        if not free:
            self._asked_in_vain += 1
            self._keep_spares()
            return None
        # the one that rested longest: late retransmissions of its last conversation are over
        slot = min(free, key=lambda line: line.rests_since).take(for_callback)
        self._keep_spares()
        self._on_change()
        return slot

    def free_for_callbacks(self) -> int:
        """Return how many callbacks may begin now: those kept for them, and beyond what live callers may need next."""
        left, reserved = self._left()
        return min(left, max(reserved, left - self._settings.spare))

    @property
    def is_growing(self) -> bool:
        """Whether a line is being born."""
        return any(line.state is LineState.STARTING for line in self._lines.values())

    def is_line(self, sip_port: int) -> bool:
        """Return whether a line of ours listens at this loopback port."""
        return any(line.sip_port == sip_port for line in self._lines.values() if line.state is not LineState.DEAD)

    def _left(self) -> tuple[int, int]:
        """Return how many conversations there is room for, and how many of these are kept for callbacks."""
        in_use = [slot for line in self._lines.values() for slot in line.slots.values()]
        most = self._settings.count * self._capacity
        reserved = round(most * self._settings.reserved_for_callbacks_percent / 100)
        return max(0, most - len(in_use)), max(0, reserved - sum(slot.for_callback for slot in in_use))

    def _free(self) -> int:
        return sum(line.capacity - len(line.slots) for line in self._lines.values() if line.state is LineState.READY)

    @property
    def _can_grow(self) -> bool:
        """Whether a line would be born for a caller who finds none free."""
        return self._parent is not None and not self._is_failing and self._left()[0] > 0

    @property
    def _is_failing(self) -> bool:
        return self._births.is_failing or self._is_parent_hung

    def status(self) -> dict[str, int]:
        """Return counts: lines there are, conversations free and in use, lines recycled and died, legs a line takes.

        `can_grow` is 1 while lines are born at need, `is_failing` 1 while none comes up.
        """
        living = [line for line in self._lines.values() if line.state is not LineState.DEAD]
        return {
            "total": len(living),
            "free": self._free(),
            "in_use": sum(len(line.slots) for line in living),
            "recycled": self._recycled,
            "died": self._died,
            "births_failed": self._births.failed,
            "can_grow": int(self._can_grow),
            "is_failing": int(self._is_failing),
            "cap": max((line.max_legs for line in living), default=0),
        }

    # -- births -----------------------------------------------------------------------------------------------------

    def _start_parent(self) -> None:
        self._parent_born_at = self._reactor.seconds()
        # the watchdog may wait for killed lines while their successors are born already
        self._is_parent_hung = False
        try:
            self._parent = self._spawn(self._reactor, self, self._settings.count * 2 + 2)
        except OSError as wrong:  # no process or descriptor left
            self._births.failure(self._reactor.seconds())
            self.parent_ended(f"it cannot be started: {wrong}")
            return
        self._keep_spares()

    def _keep_spares(self) -> None:
        """Fork until enough lines are ready or coming: the spare ones, and more of them the busier the house is."""
        if self._is_stopping or self._parent is None or not self._births.may_begin(self._reactor.seconds()):
            return
        living = [line for line in self._lines.values() if line.state in (LineState.STARTING, LineState.READY)]
        coming = sum(line.state is LineState.STARTING for line in living)
        in_use = sum(len(line.slots) for line in living)
        # the first line shows that they come up at all, also where none is kept ready
        target = max(self._settings.spare, in_use // 4, int(self._is_starting)) + self._asked_in_vain
        missing = -(-(target - self._free()) // self._capacity) - coming
        for _ in range(min(missing, self._settings.count - len(living))):
            number, self._next_number = self._next_number, self._next_number + 1
            self._lines[number] = LineProcess(number, self, self._reactor, _RELEASE_WITHIN_S)
            self._parent.fork(dataclasses.replace(self._line_config(), line=number, socket_path=str(self._socket)))

    def line_forked(self, number: int, pid: int) -> None:
        """A line has been born."""
        if number in self._lines:
            self._lines[number].pid = pid
            self._is_parent_hung = False

    def hello(self, connection: LineConnection, hello: m.Hello) -> LineProcess | None:
        """A line is ready; None if the kernel knows the process at the other end by another number."""
        line = self._lines.get(hello.line)
        if line is None or line.state is not LineState.STARTING or connection.peer_pid() not in (None, hello.pid):
            log.error("hello_from_stranger", line_id=hello.line, pid=hello.pid)
            return None
        line.ready(connection, hello)
        self._births.succeeded()
        self._capacity = line.capacity
        self._asked_in_vain = max(0, self._asked_in_vain - self._capacity)
        self._changed()
        self._reactor.callLater(0, self._on_line_ready)
        return line

    # -- watching, recycling, burying -------------------------------------------------------------------------------

    def _look_after(self) -> None:
        self._watch = self._reactor.callLater(_WATCH_EVERY_S, self._look_after)
        self._later = [timer for timer in self._later if timer.active()]
        now, last = self._reactor.seconds(), self._looked_at
        self._asked_in_vain = 0
        self._looked_at = now
        if now - last > 2 * _WATCH_EVERY_S:
            # we were the ones who slept: what the lines said meanwhile is still unread
            for line in self._lines.values():
                line.heard_at = now
        for line in list(self._lines.values()):
            silent_s = now - line.heard_at
            most_s = _HELLO_WITHIN_S if line.state is LineState.STARTING else self._settings.heartbeat_silence_s
            is_unborn = line.state is LineState.STARTING and line.pid == 0 and silent_s > _FORKED_WITHIN_S
            if is_unborn and now - self._parent_born_at > _START_WITHIN_S:
                self._note_hung_parent(line)
            if silent_s > most_s:
                log.error("line_silent", line_id=line.number, pid=line.pid, silent_s=round(silent_s, 1))
                self._kill(line)
            else:
                self._recycle_if_due(line)
        if now - self._parent_born_at > _HEALTHY_AFTER_S:
            self._restart_after_s = _FIRST_RESTART_AFTER_S
        self._keep_spares()

    def _note_hung_parent(self, line: LineProcess) -> None:
        """The warm parent does not fork: it is ended once nobody talks, since its lines end with it."""
        if not self._is_parent_hung:
            self._is_parent_hung = True
            log.error("warm_parent_hung", line_id=line.number)
        if self._parent is not None and not any(one.slots for one in self._lines.values()):
            self._parent.kill_itself()

    def _recycle_if_due(self, line: LineProcess) -> None:
        is_old = self._reactor.seconds() - line.born_at > self._settings.recycle_after_h * 3600
        is_due = is_old or line.served >= self._settings.recycle_after_calls
        if line.state is not LineState.READY or line.slots:
            return
        if self._reactor.seconds() < line.lingers_until:
            # some places of this line are taken by legs whose other side is silent; BYE is sent to it some times more
            line.state = LineState.LEAVING
            self._later.append(self._reactor.callLater(_LAST_BYES_S, self._recycle, line))
            self._keep_spares()
        elif is_due:
            self._recycle(line)

    def _recycle(self, line: LineProcess) -> None:
        if line.state is LineState.DEAD:
            return
        line.state = LineState.LEAVING
        line.send(m.Quit())
        self._recycled += 1
        log.info("line_recycled", line_id=line.number, served=line.served)
        self._keep_spares()

    def slot_freed(self, line: LineProcess) -> None:
        """A conversation is over."""
        line.rests_since = self._reactor.seconds()
        self._recycle_if_due(line)
        self._changed()
        self._reactor.callLater(0, self._on_line_ready)

    def slot_stuck(self, line: LineProcess) -> None:
        """A leg of a given-back conversation does not end: the line is not worth keeping, once it is alone."""
        log.warning("line_stuck", line_id=line.number)
        if all(slot.is_released for slot in line.slots.values()):
            line.slots.clear()
            self._recycle(line)

    def _kill(self, line: LineProcess) -> None:
        if self._parent is not None:
            self._parent.kill(line.number)
        self._bury(line)

    def line_mute(self, line: LineProcess) -> None:
        """A line does not answer SIP, whatever its heart says."""
        if line.state is not LineState.DEAD:
            self._kill(line)

    def connection_lost(self, line: LineProcess) -> None:
        """A line has closed its socket: it is ending, or broken."""
        if line.state is not LineState.LEAVING and line.state is not LineState.DEAD:
            self._kill(line)

    def line_exited(self, number: int, status: int) -> None:
        """A line has ended and is reaped."""
        line = self._lines.get(number)
        if line is not None:
            if line.state is not LineState.DEAD:
                self._bury(line, status)
            del self._lines[number]
        self._keep_spares()
        self._changed()

    def _bury(self, line: LineProcess, status: int | None = None) -> None:
        """Tell the slots of a line, then the door, that it has died; one that left as it was told has not died."""
        was_leaving = line.state is LineState.LEAVING
        if line.state is LineState.STARTING and not self._is_stopping:
            pause_s = self._births.failure(self._reactor.seconds())
            log.error("line_not_born", line_id=line.number, status=status, again_in_s=pause_s)
        slots = line.bury()
        if was_leaving and not slots:
            return
        self._died += 1
        log.error("line_died", line_id=line.number, pid=line.pid, status=status, conversations=len(slots))
        if line.sip_port:
            self._on_line_died(line.sip_port)
        self._keep_spares()

    def parent_ended(self, reason: str) -> None:
        """The warm parent has ended, and its lines with it: all anew, later each time it happens."""
        self._parent = None
        for line in list(self._lines.values()):
            if line.state is not LineState.DEAD:
                self._bury(line)
        self._lines.clear()
        if not self._is_stopping:
            log.error("warm_parent_ended", reason=reason, again_in_s=self._restart_after_s)
            self._restart = self._reactor.callLater(self._restart_after_s, self._start_parent)
            self._restart_after_s = min(2 * self._restart_after_s, _LAST_RESTART_AFTER_S)
        self._changed()
