"""Everything the line says, plays or sounds: one member each, its value the key in the catalogue of texts."""

from __future__ import annotations

from enum import Enum


class Prompt(Enum):
    """What is heard. Arguments: catalogue key, placeholders of the text, longest good length in seconds, tone or not.

    `matters` is a sequence of names for the keys 1, 2, ...; `matter`, `unit`, `name`, `state` are text; `number`,
    `order_id` strings of digits; `due` an aware datetime.
    """

    _value_: str
    takes: frozenset[str]
    limit_s: float
    is_tone: bool

    def __new__(cls, key: str, takes: str = "", limit_s: float = 15.0, is_tone: bool = False) -> Prompt:
        member = object.__new__(cls)
        member._value_ = key
        member.takes = frozenset(takes.split())
        member.limit_s = limit_s
        member.is_tone = is_tone
        return member

    # -- reception --
    GREETING = "greeting", "", 4.0  # first words, with the recording notice
    GREETING_UNRECORDED = "greeting_unrecorded", "", 4.0  # where calls are not recorded
    RECORDING_NOTICE = "recording_notice", "", 4.0  # the notice apart from the greeting
    CLOSED_GREETING = "closed_greeting", "", 11.0  # first words out of hours, with the recording notice
    MENU = "menu", "matters", 12.0  # up to four matters, 0 a person
    MENU_CLOSED = "menu_closed", "matters", 12.0  # out of hours, 0 any other matter
    MENU_AGAIN = "menu_again", "matters", 14.0  # second and third try, in and out of hours
    NOT_UNDERSTOOD = "not_understood", "", 4.0  # a wrong key, or none
    MATTER_CHOSEN = "matter_chosen", "matter", 5.0
    BELONGS_ELSEWHERE = "belongs_elsewhere", "name", 10.0  # and is put through there
    ELSEWHERE_NUMBER = "elsewhere_number", "name number", 15.0  # and cannot be put through
    TECHNICAL_TROUBLE = "technical_trouble", "", 6.0
    THANKS_GOODBYE = "thanks_goodbye", "", 4.0

    # -- waiting and being put through --
    CONNECTING_SEAT = "connecting_seat", "", 5.0
    CONNECTING_SPECIALIST = "connecting_specialist", "matter", 6.0
    WAITING_1 = "waiting_1", "", 5.0  # a first word every ten seconds, in turn
    WAITING_2 = "waiting_2", "", 5.0
    WAITING_3 = "waiting_3", "", 5.0
    MUSIC = "music", "", 60.0, True  # runs in a loop
    JOINED = "joined", "", 1.0, True  # somebody has joined the conversation
    HELD = "held", "", 4.0
    RESUMED = "resumed", "", 4.0
    ALONE_ANNOUNCEMENT = "alone_announcement", "", 6.0  # the others have left; a seat follows
    ALONE_REQUEST = "alone_request", "", 8.0  # the others have left, nobody is free; an order follows
    TEN_MINUTES_PROMISED = "ten_minutes_promised", "", 8.0  # to the caller: key 3 of the specialist
    NOBODY_AVAILABLE = "nobody_available", "", 6.0

    # -- specialists --
    WHISPER_SPECIALIST = "whisper_specialist", "matter", 5.0
    ACCEPT_KEYS = "accept_keys", "", 5.0  # no key yet
    ACCEPTED_BY_OTHER = "accepted_by_other", "", 4.0
    CALLER_GONE = "caller_gone", "", 4.0
    PASSED_ON = "passed_on", "", 4.0  # after key 2
    TEN_MINUTES_NOTED = "ten_minutes_noted", "", 5.0  # after key 3
    NO_KEY_GOODBYE = "no_key_goodbye", "", 4.0

    # -- seats --
    WHISPER_SEAT = "whisper_seat", "matter", 5.0
    WHISPER_SEAT_PERSON = "whisper_seat_person", "", 5.0  # the caller chose no matter
    SEAT_KEYS = "seat_keys", "", 20.0  # help
    SEAT_UNKNOWN_CODE = "seat_unknown_code", "", 4.0
    SEAT_SPECIALIST_RINGING = "seat_specialist_ringing", "matter", 6.0
    SEAT_NOBODY_ACCEPTS = "seat_nobody_accepts", "", 6.0
    SEAT_SPECIALIST_THERE = "seat_specialist_there", "", 5.0  # one is there already, or rung
    SEAT_NOBODY_ELSE = "seat_nobody_else", "", 6.0  # the seat may not leave the caller alone
    SEAT_BELONGS_ELSEWHERE = "seat_belongs_elsewhere", "name", 8.0
    SEAT_CALLER_HELD = "seat_caller_held", "", 6.0
    SEAT_CALLER_BACK = "seat_caller_back", "", 4.0
    SEAT_SPECIALIST_GONE = "seat_specialist_gone", "", 4.0

    # -- a request is left --
    LEAVE_REQUEST_OFFER = "leave_request_offer", "due", 10.0
    ASK_NUMBER_OWN = "ask_number_own", "number", 12.0
    ASK_NUMBER_KEYS = "ask_number_keys", "", 6.0
    NUMBER_READ_BACK = "number_read_back", "number", 12.0
    NUMBER_NOT_ALLOWED = "number_not_allowed", "", 8.0
    NO_NUMBER_NO_ORDER = "no_number_no_order", "", 12.0  # nothing to ring back
    ORDER_WITHOUT_NUMBER = "order_without_number", "order_id", 20.0  # kept for a person to find a number out
    NUMBER_KEPT = "number_kept", "number", 8.0  # no usable answer: this number will be rung
    LEAVE_MESSAGE = "leave_message", "", 8.0
    BEEP = "beep", "", 1.0, True
    MESSAGE_REVIEW = "message_review", "", 8.0
    MESSAGE_TOO_SHORT = "message_too_short", "", 5.0
    MESSAGE_FULL = "message_full", "", 5.0
    MESSAGE_KEPT = "message_kept", "", 4.0
    MESSAGE_NOT_KEPT = "message_not_kept", "", 9.0  # the disk is full
    ORDER_OPENED = "order_opened", "order_id due", 17.0
    ORDER_OPENED_PROVISIONAL = "order_opened_provisional", "order_id due", 21.0
    ORDER_MERGED = "order_merged", "order_id due", 18.0
    ORDER_REPEAT_OFFER = "order_repeat_offer", "", 6.0
    ORDER_NUMBER_AGAIN = "order_number_again", "order_id", 10.0

    # -- survey --
    SURVEY_LEVEL = "survey_level", "", 14.0  # 5 very satisfied ... 1 very dissatisfied
    SURVEY_SOLVED = "survey_solved", "", 7.0
    SURVEY_THANKS = "survey_thanks", "", 5.0

    # -- callback --
    CALLBACK_WHISPER = "callback_whisper", "matter", 8.0  # to the specialist
    CALLBACK_DETAILS = "callback_details", "order_id number due", 20.0  # on demand
    CALLBACK_KEYS = "callback_keys", "", 9.0
    CALLBACK_MESSAGE_FOLLOWS = "callback_message_follows", "", 4.0
    CALLBACK_NO_MESSAGE = "callback_no_message", "", 4.0
    CALLBACK_RINGING_ENTERPRISE = "callback_ringing_enterprise", "", 5.0
    CALLBACK_ENTERPRISE_BUSY = "callback_enterprise_busy", "", 7.0
    CALLBACK_ENTERPRISE_NO_ANSWER = "callback_enterprise_no_answer", "", 7.0
    CALLBACK_INTRODUCTION = "callback_introduction", "unit matter", 12.0  # to the enterprise
    CALLBACK_LEADER_REMINDER = "callback_leader_reminder", "unit order_id due", 20.0
    CALLBACK_LEADER_NOTED = "callback_leader_noted", "", 4.0
    NUMBER_CHECK = "number_check", "", 8.0  # in the morning, to see that the number of a unit rings
    CALLBACK_ASK_ORDER = "callback_ask_order", "", 6.0  # a specialist dials in
    CALLBACK_NO_NUMBER = "callback_no_number", "", 8.0  # to a specialist: the order's number must be found out first
    CALLBACK_UNKNOWN_ORDER = "callback_unknown_order", "", 5.0
    CALLBACK_OPEN_ORDER = "callback_open_order", "order_id unit", 15.0  # the enterprise rings us back
    CALLBACK_OPEN_ORDER_KEYS = "callback_open_order_keys", "", 8.0  # before it is put through
    CALLBACK_ORDER_STATE = "callback_order_state", "order_id state due", 18.0
    CALLBACK_ORDER_MENU = "callback_order_menu", "", 12.0  # what the enterprise may change
    CALLBACK_ASK_LAST_FOUR = "callback_ask_last_four", "", 5.0  # from another phone than the order's
    CALLBACK_ASK_TIME = "callback_ask_time", "", 10.0
    CALLBACK_TIME_NOT_POSSIBLE = "callback_time_not_possible", "", 6.0
    CALLBACK_TIME_NOTED = "callback_time_noted", "", 8.0
    CALLBACK_NOT_NOW = "callback_not_now", "", 9.0  # to a specialist who dials in at an hour when nobody is rung
    CALLBACK_ENOUGH_TODAY = "callback_enough_today", "", 9.0  # the same, rung a moment ago or often enough
    CALLBACK_IS_IT_YOURS = "callback_is_it_yours", "unit matter number", 24.0  # another caller left this number
    CALLBACK_IS_IT_YOURS_UNSHOWN = "callback_is_it_yours_unshown", "unit matter", 24.0  # and showed none of their own
    CALLBACK_NOT_YOURS_NOTED = "callback_not_yours_noted", "", 8.0
    CALLBACK_NOT_THEIRS = "callback_not_theirs", "", 8.0  # to the specialist: who answered did not ask for it
    CALLBACK_NOTE_MENU = "callback_note_menu", "", 9.0  # a note for the unit is all they may leave
    TOO_MANY_TRIES = "too_many_tries", "", 7.0
