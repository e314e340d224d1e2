"""Recordings of an order: to play, to look at as a waveform, and, for a reason, to take away."""

from __future__ import annotations

from pathlib import Path

from console.errors import NotFound
from console.http.messages import Response
from console.http.routes import route
from console.supervisor.charts import SVG
from console.supervisor.compliance import SUPERVISORS
from console.supervisor.order import order_of
from console.supervisor.story import Recording, recordings
from console.supervisor.waveform import waveform
from console.visit import Visit

_WAV = "audio/wav"


@route("/orders/<order_id>/recordings/<key>", roles=SUPERVISORS)
async def play(visit: Visit) -> Response:
    """Give the recording to a player, which asks for it piece by piece (range requests)."""
    _, file = await _recording(visit)
    visit.note_played(file)
    return visit.file(file, _WAV)


@route("/orders/<order_id>/recordings/<key>/waveform", roles=SUPERVISORS)
async def picture(visit: Visit) -> Response:
    """Give the waveform; 404 for a file that no sound is in."""
    _, file = await _recording(visit)
    try:
        drawn = await visit.console.in_thread(lambda: waveform(file))
    except (OSError, RuntimeError) as unreadable:  # soundfile raises RuntimeErrors of its own
        raise NotFound from unreadable
    return Response(body=drawn, content_type=SVG)


@route("/orders/<order_id>/recordings/<key>/download", roles=SUPERVISORS)
async def ask_download(visit: Visit) -> Response:
    """Ask for the reason to take a recording away."""
    recording, _ = await _recording(visit)
    order = await order_of(visit)
    return visit.page("orders/reason.html", order=order, purpose="download", recording=recording)


@route("/orders/<order_id>/recordings/<key>/download", methods=("POST",), roles=SUPERVISORS)
async def download(visit: Visit) -> Response:
    """Give the file; who took it, and why, is in the audit log before the first byte is sent."""
    visit.needed("why")
    _, file = await _recording(visit)
    visit.note(about=f"{visit.args['order_id']} {file.name}", result="recording taken away")
    return visit.file(file, _WAV, download_as=file.name)


async def _recording(visit: Visit) -> tuple[Recording, Path]:
    """Return a recording of the order of the address, and nothing else's; OperationRefused if it is gone."""
    order = await order_of(visit)
    calls = await visit.operations.calls_of(order.order_id)
    for one in recordings(order, calls):
        if one.key == visit.args["key"]:
            file: Path = visit.operations.recording(one.path)
            return one, file
    raise NotFound
