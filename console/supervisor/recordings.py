"""Recordings of an order: to play, to look at as a waveform, and, for a reason, to take away."""

from __future__ import annotations

from pathlib import Path

from console.errors import NotFound
from console.http.messages import Request, Response
from console.http.routes import route
from console.supervisor.charts import SVG
from console.supervisor.compliance import SUPERVISORS
from console.supervisor.order import asked_order
from console.supervisor.story import Recording, recordings
from console.supervisor.waveform import waveform

_WAV = "audio/wav"


@route("/orders/<order_id>/recordings/<key>", roles=SUPERVISORS)
async def play(request: Request) -> Response:
    """Give the recording to a player, which asks for it piece by piece (range requests)."""
    _, file = await _found(request)
    note_played(request, file)
    return request.file(file, _WAV)


@route("/orders/<order_id>/recordings/<key>/waveform", roles=SUPERVISORS)
async def picture(request: Request) -> Response:
    """Give the waveform; 404 for a file that no sound is in."""
    _, file = await _found(request)
    try:
        drawn = await request.parts.in_thread(lambda: waveform(file))
    except (OSError, RuntimeError) as unreadable:  # soundfile raises RuntimeErrors of its own
        raise NotFound from unreadable
    return Response(body=drawn, content_type=SVG)


@route("/orders/<order_id>/recordings/<key>/download", roles=SUPERVISORS)
async def ask_download(request: Request) -> Response:
    """Ask for the reason to take a recording away."""
    recording, _ = await _found(request)
    order = await asked_order(request)
    return request.page("orders/reason.html", order=order, purpose="download", recording=recording)


@route("/orders/<order_id>/recordings/<key>/download", methods=("POST",), roles=SUPERVISORS)
async def download(request: Request) -> Response:
    """Give the file; who took it, and why, is in the audit log before the first byte is sent."""
    request.needed("why")
    _, file = await _found(request)
    request.note(about=f"{request.args['order_id']} {file.name}", result="recording taken away")
    return request.file(file, _WAV, download_as=file.name)


def note_played(request: Request, file: Path) -> None:
    """Let the audit log know who listens: once for a player, which asks for the beginning first and then for more."""
    if request.headers.get("range", "bytes=0-").strip().startswith("bytes=0-"):
        request.note(about=f"{request.args['order_id']} {file.name}", result="recording played")


async def _found(request: Request) -> tuple[Recording, Path]:
    """Return a recording of the order of the address, and nothing else's; OperationRefused if it is gone."""
    order = await asked_order(request)
    calls = await request.operations.calls_of(order.order_id)
    for one in recordings(order, calls):
        if one.key == request.args["key"]:
            file: Path = request.operations.recording(one.path)
            return one, file
    raise NotFound
