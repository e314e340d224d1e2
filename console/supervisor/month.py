"""The report of a month: to print, and as CSV and an Excel workbook; the same figures as `hotline report`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from callback_scheduler.reports.calls import total_calls
from callback_scheduler.reports.files import as_csv, call_lines, miss_lines, order_lines, save_xlsx
from callback_scheduler.reports.orders import total
from callback_scheduler.reports.report import Report
from console.errors import BadInput
from console.http.messages import Request, Response
from console.http.routes import route
from console.supervisor.charts import funnel
from console.supervisor.compliance import SUPERVISORS, read_asked, shared, unit_names
from console.supervisor.question import Asked, last_of, month_of
from console.supervisor.ring_chart import SHOWN

_LINES = {"orders": order_lines, "calls": call_lines, "misses": miss_lines}
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MISSES_PRINTED = 200


@route("/reports/month", roles=SUPERVISORS, nav="nav.month", nav_order=14)
async def month_page(request: Request) -> Response:
    """Show a month on paper: ?month=2026-02&unit=…&rule=…"""
    asked = _asked(request)
    report = await _report(request, asked)
    return request.page(
        "compliance/month.html", **shared(request, asked), report=report, unit_names=unit_names(request), total=total,
        table_verdicts=SHOWN, calls=total_calls(report.calls), call_rows=report.calls, steps=funnel(report),
        misses=report.misses[:_MISSES_PRINTED], month=f"{asked.since:%Y-%m}", at=request.parts.now(),
    )  # fmt: skip


@route("/reports/month.csv", roles=SUPERVISORS)
async def month_csv(request: Request) -> Response:
    """Give the month as CSV: ?table=orders, calls or misses."""
    lines = _LINES.get(request.args.get("table", "orders"))
    if lines is None:
        raise BadInput
    report, units = await _report(request, asked := _asked(request)), unit_names(request)
    text: str = await request.parts.in_thread(lambda: as_csv(lines(report, units)))
    name = f"hotline-{asked.since:%Y-%m}-{request.args.get('table', 'orders')}.csv"
    return Response(body=text.encode(), content_type="text/csv; charset=utf-8", headers=_as_file(name))


@route("/reports/month.xlsx", roles=SUPERVISORS)
async def month_xlsx(request: Request) -> Response:
    """Give the month as a workbook."""
    report, units = await _report(request, asked := _asked(request)), unit_names(request)
    body: bytes = await request.parts.in_thread(lambda: _workbook(report, units))
    return Response(body=body, content_type=_XLSX, headers=_as_file(f"hotline-{asked.since:%Y-%m}.xlsx"))


def _workbook(report: Report, units: Mapping[str, str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.xlsx"
        save_xlsx(report, units, path)
        return path.read_bytes()


def _as_file(name: str) -> tuple[tuple[str, str], ...]:
    return (("Content-Disposition", f'attachment; filename="{name}"'),)


def _asked(request: Request) -> Asked:
    """Return the month asked for, as a period."""
    first = month_of(request.args.get("month", ""), request.parts.now().date())
    named = read_asked(request)
    return Asked("chosen", first, last_of(first), named.unit_id, named.rule)


async def _report(request: Request, asked: Asked) -> Report:
    report: Report = await request.operations.report(
        asked.question(request.parts.now(), request.operations.calendar)
    )
    return report
