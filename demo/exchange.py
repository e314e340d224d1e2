"""The room where the phones of demo and tests stand: it starts a process for each and ends them all."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import ivr
from demo.phone import Phone
from demo.phone_log import ProcessGone
from demo.tones import AudioMatrix, audio_matrix, write_tone
from ivr.line.messages import Event, Hello, LineConfig, MalformedMessage, Quit, decode, encode

_START_S = 15.0  # a machine under load needs seconds for the first import of pjsua2
_END_S = 4.0


class ExchangeBroken(RuntimeError):
    """The phones' parent process did not start, or started no phone; the message ends with what it printed."""


class _Handset:
    """A phone's process, seen from here: its socket, and whether it is up or gone."""

    def __init__(self) -> None:
        self.phone: Phone | None = None
        self.pid = 0
        self.ready = threading.Event()
        self.exited = threading.Event()
        self._socket: socket.socket | None = None
        self._sending = threading.Lock()

    def send(self, command: object) -> None:
        with self._sending, contextlib.suppress(OSError):  # a phone that is gone has said so in its log
            if self._socket is not None:
                self._socket.sendall(encode(command))

    def serve(self, connection: socket.socket, lines: TextLines) -> None:
        """Pass what the process says to the phone, until it closes the socket."""
        assert self.phone is not None
        self._socket = connection
        self.ready.set()
        for event in lines:
            self.phone.heard(event)
        with self._sending:
            self._socket = None
            connection.close()

    def is_gone(self) -> None:
        """Wake who waits for the process to come up, and who waits for its end."""
        self.exited.set()
        self.ready.set()

    def end(self, kill: bool) -> None:
        """End the process, kindly first unless `kill`, and return when it is gone."""
        if not kill:
            self.send(Quit())
        if self.pid and (kill or not self.exited.wait(_END_S)) and not self.exited.is_set():
            # not reaped yet, since the parent has not reported it: the id is still this phone's
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.exited.wait(_END_S)


class TextLines:
    """The events that come out of a socket, one after the other, until it is closed."""

    def __init__(self, connection: socket.socket) -> None:
        self._text = connection.makefile("rb")

    def __iter__(self) -> TextLines:
        return self

    def __next__(self) -> Event:
        while True:
            try:
                line = self._text.readline()
            except OSError:
                line = b""
            if not line:
                raise StopIteration
            with contextlib.suppress(MalformedMessage):
                event = decode(line)
                if isinstance(event, Event):
                    return event


class PhoneExchange:
    """Starts phones, each a line process of its own on 127.0.0.1; all of them end with it, or with this process.

    `folder` receives tones and recordings; without it they are in a temporary folder that close() removes.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._own_folder = Path(tempfile.mkdtemp(prefix="phones-"))  # short: a Unix socket's path ends at 107 bytes
        self.folder = folder or self._own_folder
        self._handsets: dict[int, _Handset] = {}
        self._socket_path = self._own_folder / "socket"
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(self._socket_path))
        self._server.listen(128)
        self._stderr_path = self._own_folder / "stderr"
        self._parent = self._start_parent()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._accept, self._watch_parent)]
        for thread in self._threads:
            thread.start()

    def _start_parent(self) -> subprocess.Popen[bytes]:
        with self._stderr_path.open("wb") as stderr:
            return subprocess.Popen(
                [sys.executable, "-m", "ivr.line"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                cwd=Path(ivr.__file__).parent.parent,  # found there also when the package is not installed
            )

    def __enter__(self) -> PhoneExchange:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def phone(self, name: str, number: str = "", *, tone_hz: int = 0, sip_port: int = 0) -> Phone:
        """Start a phone that shows `number`, listens on `sip_port` (0: any) and talks with a tone of `tone_hz`.

        Returns when it can be called. Raises ExchangeBroken when its process does not come up.
        """
        line = len(self._handsets) + 1
        handset = self._handsets[line] = _Handset()
        tone_file = self._tone_file(tone_hz) if tone_hz else None
        phone = handset.phone = Phone(name, number or str(8000 + line), handset, tone_hz, tone_file)
        config = LineConfig(line, str(self._socket_path), sip_port=sip_port, user_agent=f"phone-{line}")
        try:
            assert self._parent.stdin is not None
            self._parent.stdin.write(json.dumps(dataclasses.asdict(config)).encode() + b"\n")
            self._parent.stdin.flush()
        except OSError as wrong:
            raise self._broken(f"cannot start the phone {name}: {wrong}") from wrong
        if not handset.ready.wait(_START_S) or not phone.sip_port:
            raise self._broken(f"the phone {name} did not come up" + (f" on port {sip_port}" if sip_port else ""))
        return phone

    def audio_matrix(self, *phones: Phone, seconds: float = 2.0, settle_s: float = 0.7,
                     folder: Path | None = None) -> AudioMatrix:
        """Let the phones (all in calls) talk at once, and measure who hears whom; keys of the matrix are their names.

        What each heard is left as `NAME_hears.wav` in `folder`.
        """
        folder = folder or self.folder
        recordings = {phone.name: folder / f"{phone.name}_hears.wav" for phone in phones}
        for phone in phones:
            phone.talk()
        time.sleep(settle_s)  # the first packets of a tone still have to cross two jitter buffers
        for phone in phones:
            phone.listen_to(recordings[phone.name])
        time.sleep(seconds)
        for phone in phones:
            phone.stop_listening()
        for phone in phones:
            phone.hush()
        return audio_matrix(recordings, {phone.name: phone.tone_hz for phone in phones})

    def close(self) -> None:
        """End all phones and their parent, and remove what belongs to them."""
        handsets = list(self._handsets.values())
        for handset in handsets:
            handset.send(Quit())
        until = time.monotonic() + _END_S
        for handset in handsets:
            if handset.pid and not handset.exited.wait(max(0.0, until - time.monotonic())):
                handset.end(kill=True)
        self._end_parent()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept()
        self._server.close()
        for thread in self._threads:
            thread.join(_END_S)
        shutil.rmtree(self._own_folder, ignore_errors=True)

    # -- inside -------------------------------------------------------------------------------------------------

    def _tone_file(self, tone_hz: int) -> Path:
        path = self._own_folder / f"{tone_hz}.wav"
        return path if path.exists() else write_tone(path, tone_hz)

    def _broken(self, text: str) -> ExchangeBroken:
        return ExchangeBroken(f"{text}\n{self._printed()}")

    def _printed(self) -> str:
        try:
            return self._stderr_path.read_text(errors="replace")[-2000:]
        except OSError:  # close() has removed it
            return ""

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        lines = TextLines(connection)
        hello = next(lines, None)
        handset = self._handsets.get(hello.line) if isinstance(hello, Hello) else None
        if handset is None or handset.phone is None or not isinstance(hello, Hello):
            connection.close()
            return
        handset.pid = hello.pid
        handset.phone.heard(hello)
        handset.serve(connection, lines)
        handset.phone.heard(ProcessGone(self._printed()))

    def _watch_parent(self) -> None:
        assert self._parent.stdout is not None
        for line in self._parent.stdout:
            with contextlib.suppress(ValueError):
                exited = json.loads(line).get("exited")
                if exited in self._handsets:
                    self._handsets[exited].is_gone()
        for handset in list(self._handsets.values()):
            handset.is_gone()

    def _end_parent(self) -> None:
        assert self._parent.stdin is not None
        with contextlib.suppress(OSError):
            self._parent.stdin.close()  # its sign to end
        try:
            self._parent.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._parent.kill()
            self._parent.wait()
        assert self._parent.stdout is not None
        self._parent.stdout.close()
