"""A telephone of another make, baresip, in a process of its own: we are never tested against ourselves alone."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

from demo.tones import write_tone
from tests.sip.ports import free_port
from tests.sip.processes import dying_with_us

MODULES = Path("/usr/lib/baresip/modules")
EVENTS_AS = 97  # its own payload number for telephone-event: neither ours nor the usual 101
TONE_HZ = 500  # what it says, unless told otherwise
_RTP_PORTS = 12
_SAYS_S = 120
_SETTINGS = """\
poll_method epoll
sip_listen 127.0.0.1:{sip_port}
net_interface 127.0.0.1
audio_source aufile,{folder}/says.wav
audio_player aufile,{folder}/heard.wav
audio_alert aufile,{folder}/alert.wav
audio_telev_pt {events_as}
ausrc_srate 8000
auplay_srate 8000
rtp_ports {rtp_ports}
call_local_timeout 120
call_max_calls 4
module_path {modules}
module g711.so
module aufile.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
"""


def is_installed() -> bool:
    """Tell whether this machine has baresip."""
    return shutil.which("baresip") is not None and (MODULES / "ctrl_tcp.so").is_file()


class Baresip:
    """One such phone; it speaks a tone, and with `answers` it answers by itself."""

    def __init__(self, folder: Path, number: str, *, tone_hz: int = TONE_HZ, answers: bool = False) -> None:
        folder.mkdir(parents=True)
        self.number, self._heard = number, b""
        self.sip_port, _for_tls, control_port = free_port(), free_port(), free_port()  # TLS takes the one above SIP's
        rtp = [free_port() for _ in range(_RTP_PORTS)]
        mode = "auto" if answers else "manual"
        settings = _SETTINGS.format(
            sip_port=self.sip_port, control_port=control_port, folder=folder, modules=MODULES,
            events_as=EVENTS_AS, rtp_ports=f"{rtp[0]}-{rtp[-1]}",
        )  # fmt: skip
        write_tone(folder / "says.wav", tone_hz, duration_s=_SAYS_S)
        (folder / "config").write_text(settings)
        (folder / "accounts").write_text(f"<sip:{number}@127.0.0.1:{self.sip_port}>;regint=0;answermode={mode}\n")
        (folder / "contacts").write_text("")
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                dying_with_us([shutil.which("baresip") or "baresip", "-4", "-f", str(folder)]),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self._control = self._connected(control_port)

    def __str__(self) -> str:
        return f"baresip {self.number}"

    def dial(self, uri: str) -> None:
        """Ring somebody."""
        self._command("dial", uri)

    def press(self, keys: str, pause_s: float = 0.15) -> None:
        """Press keys by RFC 4733, one after the other."""
        for key in keys:
            self._command("sndcode", key)
            time.sleep(pause_s)

    def hangup(self) -> None:
        """End the call."""
        self._command("hangup")

    def hold(self) -> None:
        """Press its own hold key."""
        self._command("hold")

    def resume(self) -> None:
        """End its hold."""
        self._command("resume")

    def lose_power(self) -> None:
        """Be gone without a word."""
        self.process.kill()
        self.process.wait(10)

    def wait_event(self, kind: str, timeout_s: float = 20.0) -> str:
        """Wait until it has told an event such as CALL_ESTABLISHED; returns what it told."""
        end = time.monotonic() + timeout_s
        pattern = re.compile(rb'\{[^{}]*"type":"%s"[^{}]*\}' % kind.encode())
        while (event := pattern.search(self._heard)) is None:
            assert time.monotonic() < end, f"{self} told no {kind}, but: {self._heard[-2000:]!r}"
            self._hear()
        self._heard = self._heard[event.end() :]
        return event[0].decode()

    def close(self) -> None:
        """End it."""
        self._control.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(5)

    def _command(self, name: str, parameters: str = "") -> None:
        text = json.dumps({"command": name, "params": parameters, "token": name})
        self._control.sendall(f"{len(text)}:{text},".encode())

    def _hear(self) -> None:
        try:
            self._heard += self._control.recv(65536)
        except TimeoutError:
            return

    def _connected(self, port: int) -> socket.socket:
        end = time.monotonic() + 20
        while True:
            try:
                control = socket.create_connection(("127.0.0.1", port), timeout=1)
            except OSError:
                assert self.process.poll() is None, f"{self} did not start"
                assert time.monotonic() < end, f"{self} has not started yet"
                time.sleep(0.05)
            else:
                control.settimeout(0.1)
                return control


