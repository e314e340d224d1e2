"""Phone numbers as China writes them, each with its stored form, and what looks like one and may not be dialled."""

from __future__ import annotations

from collections.abc import Iterator

FULL_WIDTH = str.maketrans("0123456789+-() ", "０１２３４５６７８９＋－（）　")
_MOBILES = ("13800138000", "19912345678", "17012345678", "16612345678")
_LANDLINES = (("021", "62345678"), ("010", "82345678"), ("0571", "87654321"), ("0310", "8234567"))


def _mobile_forms(mobile: str) -> Iterator[str]:
    a, b, c = mobile[:3], mobile[3:7], mobile[7:]
    grouped = (mobile, f"{a} {b} {c}", f"{a}-{b}-{c}", f"{a}.{b}.{c}", f"{a}/{b}/{c}")
    yield from (prefix + one for prefix in ("", "0", "86", "+86", "0086", "+86 ", "86-") for one in grouped)
    yield from (f"(+86){mobile}", f"(+86) {a} {b} {c}", f"tel:+86{mobile}", f" {mobile} ", f"\u202d{mobile}\u202c")
    yield from (mobile.translate(FULL_WIDTH), f"+86 {a}-{b}-{c}".translate(FULL_WIDTH), f"{a}\u2013{b}\u2013{c}")
    yield f"{a}\u00a0{b}\u00a0{c}"


def _landline_forms(area: str, subscriber: str) -> Iterator[str]:
    middle = len(subscriber) - 4
    halves = f"{subscriber[:middle]} {subscriber[middle:]}"
    yield from (area + subscriber, f"{area}-{subscriber}", f"({area}){subscriber}", f"({area}) {halves}")
    yield from (f"{area} {halves}", f"{area}.{halves.replace(' ', '.')}", f"{area}-{halves.replace(' ', '-')}")
    bare = area[1:]
    yield from (f"{country}{bare}{subscriber}" for country in ("", "86", "+86", "0086", "tel:+86"))
    yield from (f"+86 {bare} {halves}", f"+86-{bare}-{subscriber}", f"+86({area}){subscriber}")
    yield f"+86 (0){bare} {halves}"
    yield from (f"86{area}{subscriber}", f"{area}-{subscriber}".translate(FULL_WIDTH), f"（{area}）{subscriber}")


def _extension_forms() -> Iterator[str]:
    for number in ("021-62345678", "02162345678", "+86 21 6234 5678", "62345678", "(021)62345678"):
        yield from (number + between + "803" for between in ("-", "转", "轉", " 转 ", "分机", ",", ",,", ";ext="))
        yield from (number + between + "803" for between in (" ext. ", "x", "p", "#", "*"))
    yield from ("021-62345678(803)", "０２１－６２３４５６７８转８０３")


DIALLED: dict[str, str] = {
    **{form: mobile for mobile in _MOBILES for form in _mobile_forms(mobile)},
    **{form: area + rest for area, rest in _LANDLINES for form in _landline_forms(area, rest)},
    **{form: "02162345678" for form in ("62345678", "6234 5678", "6234-5678", "６２３４５６７８")},
    **{form: "02162345678-803" for form in _extension_forms()},
}
_FOREIGN_DIGITS = (
    "1380013800٠", "138٠0138000", "۱۳۸۰۰۱۳۸۰۰۰", "१३८००१३८०००", "①3800138000", "1380013800²", "𝟏𝟑𝟖𝟎𝟎𝟏𝟑𝟖𝟎𝟎𝟎",
)  # fmt: skip
_PREMIUM = (
    "16812345678", "+8616812345678", "016812345678", "168 1234 5678", "16812345", "02116812345", "96012345",
    "9612345", "02196012345", "057196345", "16066666", "4001234567", "8001234567", "400-123-4567", "04001234567",
    "10106666", "16899999999", "１６８１２３４５６７８", "16912345678",
)  # fmt: skip
_SERVICES = (
    "110", "119", "120", "122", "112", "999", "114", "117", "12345", "12315", "12306", "10086", "10010", "10000",
    "95588", "95533", "955880", "96345", "962121", "12117", "021-12345", "021-95588", "02110086", "075510086000",
    "17951", "17909", "1795113800138000", "10193", "118114", "11185", "1258", "1060", "+8612345", "8610086", "0",
)  # fmt: skip
_SATELLITE = ("13491234567", "17401234567", "17400012345", "+8617401234567", "013491234567", "1349 123 4567")
_ABROAD = (
    "+85223456789", "0085223456789", "85223456789", "+85366123456", "+886223456789", "+12025550123", "0012025550123",
    "+13800138000", "+447911123456", "+8180012345678", "00 1 202 555 0123", "+881612345678", "+97912345678",
)  # fmt: skip
_NO_NUMBERS = (
    "", " ", "+", "-", "()", "anonymous", "sip:13800138000@198.51.100.9", "sips:13800138000@x", "13800138000@x",
    "13800138000;drop", "13\r\n800138000", "13800138000\x00", "1380013800", "138001380000", "021-6234567", "x803",
    "13800138000,13900139000", "tel:anonymous", "一三八零零一三八零零零", "138O0138000", "1" * 40, "13800138000&1",
    "02162345678-12345678", "086", "8621623456", "00860", "+86", "++8613800138000", "+86+8613800138000", "*72", "#21#",
)  # fmt: skip
REFUSED: tuple[str, ...] = _FOREIGN_DIGITS + _PREMIUM + _SERVICES + _SATELLITE + _ABROAD + _NO_NUMBERS
