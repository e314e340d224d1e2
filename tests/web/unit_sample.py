"""A busy morning of one unit, and a site that was changed some times: for pages to be looked at.

`python unit_sample.py <folder>` serves it as `serving.py` does.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from callback_scheduler.orders.order import Attempt, AttemptOutcome, Evidence, Order
from callback_scheduler.orders.states import OrderState
from config.hours import Closure, Window
from demo.tones import write_tone
from node.operations.site.hours_preview import HoursPreview, hours_preview
from node.operations.site.previews import CalendarPreview, DayChange, DirectoryPreview, Redated
from routing.hours import Hours
from tests.fakes.operations import MORNING, FakeOperations
from tests.fakes.orders import an_order
from tests.fakes.site_operations import CONFIG, sample_site

_COMPANIES = ("长宁纸业有限公司", "虹桥餐饮", "", "天山机电设备（上海）有限公司", "古北贸易")
NOTICE = "date,type,name\n2027-01-01,放假,元旦\n"


def sample(folder: Path) -> FakeOperations:
    """Return the operations of it at 09:05, with recordings in `folder`."""
    operations = FakeOperations()
    sound = folder / "sound.wav"
    folder.mkdir(parents=True, exist_ok=True)
    write_tone(sound, 430, duration_s=3)
    for order in orders():
        operations.orders_there[order.order_id] = order
    operations.recordings_there = {"message.wav": sound, "talk.wav": sound}
    operations.status_now["calls"] = [{"orders": ["2603101004"], "stage": "unit_decides", "direction": "callback"}]
    operations.status_now["opening"] = {
        "is_open": True, "reason": "工作时间", "until": (MORNING + timedelta(hours=3)).isoformat(),
    }  # fmt: skip
    operations.status_now["trunks"] = {"city": {"state": "registered"}}
    operations.answers |= site_answers(sound)
    operations.answers["number_check.last"] = {
        "at": MORNING - timedelta(minutes=20), "who": "unit:tax:李四", "numbers": 3, "is_running": False,
        "results": [
            {"number": "6111", "result": "answered", "seconds": 4.0},
            {"number": "6112", "result": "no_answer", "seconds": 18.0},
            {"number": "6113", "result": "wrong_number", "seconds": 0.0},
        ],
    }  # fmt: skip
    return operations


def orders() -> list[Order]:
    """Return nine orders of the tax unit, in as many conditions."""
    tried = Attempt(
        attempt_id="a1", begun_at=MORNING - timedelta(minutes=4), by="timetable", number="13812345678",
        outcome=AttemptOutcome.ENTERPRISE_BUSY,
    )  # fmt: skip
    evidence = Evidence(call_id="c1", unit_number="6111", two_way_s=95.0, recording="talk.wav", talk_began_at=MORNING)
    talked = replace(tried, by="unit", outcome=AttemptOutcome.REACHED, evidence=evidence)
    begun = replace(tried, by="unit", outcome=AttemptOutcome.UNDER_WAY, begun_at=MORNING - timedelta(seconds=20))
    conditions: list[tuple[OrderState, float, dict[str, Any]]] = [
        (OrderState.NOT_REACHED, -95.0, {"attempts": (tried, tried)}),
        (OrderState.SENT, 55.0, {}),
        (OrderState.ACKNOWLEDGED, 55.0, {"acknowledged_at": MORNING - timedelta(minutes=15),
                                         "acknowledged_by": "unit:tax:李四", "message_path": "message.wav"}),
        (OrderState.CALLING_BACK, 55.0, {"attempts": (tried, begun), "message_path": "message.wav"}),
        (OrderState.SENT, 1495.0, {"written_request": "小规模纳税人转一般纳税人，需要准备哪些材料？"}),
        (OrderState.SELF_REPORTED, 55.0, {"self_report": "已用手机联系，企业表示了解。",
                                          "self_reported_by": "unit:tax:李四", "self_reported_at": MORNING}),
        (OrderState.RETURNED, 55.0, {"return_reason": "不是本局职责"}),
        (OrderState.REACHED, 55.0, {"attempts": (tried, talked), "reached_at": MORNING, "message_path": "message.wav",
                                    "written_answer": "可在电子税务局办理，材料清单已短信发送。",
                                    "written_answer_at": MORNING, "written_answer_by": "unit:tax:李四"}),
        (OrderState.CLOSED, -1385.0, {"reached_at": MORNING - timedelta(days=1)}),
    ]  # fmt: skip
    return [
        _order(n, state, MORNING + timedelta(minutes=left_min), changes)
        for n, (state, left_min, changes) in enumerate(conditions, start=1)
    ]


def _order(n: int, state: OrderState, due_at: Any, changes: dict[str, Any]) -> Order:
    order = an_order(
        "03-09 20:15", order_id=f"260310100{n}", state=state, company=_COMPANIES[n % 5],
        matter_id="tax" if n % 2 else "tax_relief", callback_number=f"1381234{5600 + n}", **changes,
    )  # fmt: skip
    return replace(order, deadline=replace(order.deadline, due_at=due_at))


def site_answers(sound: Path) -> dict[str, Any]:
    """Return what the site answers: prompts, changes, and what a notice would do."""
    changes = [
        {"at": (MORNING - timedelta(days=days)).isoformat(), "what": what, "file": file, "why": why,
         "who": "admin:陈管理", "is_undo": is_undo, "version_before": "1f6c2a9e", "version_after": "9b0d44c1"}
        for days, what, file, why, is_undo in (
            (1, "switch", "switch.json", "防汛值守", False), (3, "prompt", "prompts/zh/greeting.txt", "缩短", False),
            (9, "directory", "units.yaml", "窗口二更换号码", True),
            (12, "calendar", "calendar/2026.csv", "更正", False),
        )
    ]  # fmt: skip
    prompts = [
        {"name": name, "text": text, "takes": takes, "limit_s": limit, "is_tone": not text, "is_recorded": n == 1,
         "is_changed": n == 0}
        for n, (name, text, takes, limit) in enumerate((
            ("greeting", "您好，这里是12345企业专席。", [], 4.0), ("menu", "企业登记请按1，税务办理请按2。", [], 12.0),
            ("order_opened", "您的工单号是{order_id}，{due}前回电。", ["due", "order_id"], 15.0),
            ("waiting_tone", "", [], 3.0),
        ))
    ]  # fmt: skip
    figures = {
        one["name"]: {"seconds": 2.5 + 4 * n, "level_dbfs": -20.0 - 5 * n, "peak_dbfs": -4.0, "is_clipped": False}
        for n, one in enumerate(prompts)
    }
    days = tuple(
        DayChange(date(2027, 2, day), "workday", "holiday", "", "春节", was_provisional=True) for day in range(8, 13)
    )
    moved = tuple(
        Redated(f"260310100{n}", "tax", MORNING + timedelta(days=1), MORNING + timedelta(days=5)) for n in (2, 3)
    )
    return {
        "site.changes.latest": changes, "site.prompts.list_prompts": prompts, "site.prompts.wav": sound,
        "site.prompts.figures": figures, "site.directory.text": (CONFIG.parent / "units.yaml").read_text("utf-8"),
        "site.calendar.preview": CalendarPreview(
            year=2027, days=days, moved=moved, version_before="2026-1f6c2a9e", version_after="2027-9b0d44c1"
        ),
        "site.hours.preview": earlier_hours(MORNING),
        "site.directory.preview": DirectoryPreview(units_changed=("tax",), seats_added=("seat_4",)),
        "site.rehearsal.play": {
            "orders": 60, "verdicts": {"on_time": 57, "attempted": 2, "missed": 1}, "breaches_in_all": 1,
        },
    }  # fmt: skip


def earlier_hours(at: datetime) -> HoursPreview:
    """Return what it would change to open at half past eight, and to close tomorrow afternoon."""
    site = sample_site()
    tomorrow = at.replace(hour=14, minute=0, second=0) + timedelta(days=1)
    closure = Closure(start=tomorrow, end=tomorrow.replace(hour=17, minute=30), reason="系统升级")
    workday = (Window(time(8, 30), time(12)), *site.settings.hours.workday[1:])
    after = site.settings.hours.model_copy(update={"workday": workday, "closures": (closure,)})
    return hours_preview(site.hours, Hours(after), site.calendar, at)


if __name__ == "__main__":
    from tests.web.serving import serve

    serve(Path(sys.argv[1]), sample(Path(sys.argv[1]).parent / "sample"))
