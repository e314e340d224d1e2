"""What one who waits hears: music, and a first word every ten seconds."""

from __future__ import annotations

from typing import Any, Protocol

from config.settings import PhoneManners
from ivr.calls.leg import Leg
from ivr.speech.prompts import Prompt, PromptBook

_WORDS = (Prompt.WAITING_1, Prompt.WAITING_2, Prompt.WAITING_3)


class CallThatWaits(Protocol):
    """What the music needs of its call; see `call.Call`."""

    reactor: Any
    prompts: PromptBook
    manners: PhoneManners

    @property
    def principal(self) -> Leg | None: ...


class WaitingMusic:
    """Plays to the leg its call follows until stopped; starting twice changes nothing."""

    def __init__(self, call: CallThatWaits) -> None:
        self._call = call
        self._leg: Leg | None = None
        self._timer: Any = None
        self._turn = 0

    def start(self, with_words: bool = True) -> None:
        """Begin with music at once."""
        leg = self._call.principal
        if self._leg is not None or leg is None or leg.is_gone:
            return
        self._leg = leg
        leg.play_files(self._call.prompts.files_now(Prompt.MUSIC), loop=True)
        if with_words:
            self._timer = self._call.reactor.callLater(self._call.manners.waiting_word_every_s, self._say_word)

    def stop(self) -> None:
        """Silence: somebody else speaks to whoever waited."""
        if self._leg is None:
            return
        leg, self._leg = self._leg, None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        leg.hush()

    def resume(self, leg: Leg) -> None:
        """Go on with the music if `leg` hears it and was spoken to meanwhile; a leg plays one thing at a time."""
        if self._leg is leg and not leg.is_gone:
            leg.play_files(self._call.prompts.files_now(Prompt.MUSIC), loop=True)

    def _say_word(self) -> None:
        if self._leg is None or self._leg.is_gone:
            return
        word = _WORDS[self._turn % len(_WORDS)]
        self._turn += 1
        # music after the word in the same play: no gap, and no event to wait for
        files = self._call.prompts.files_now(word) + self._call.prompts.files_now(Prompt.MUSIC)
        self._leg.play_files(files, loop=False)
        self._timer = self._call.reactor.callLater(self._call.manners.waiting_word_every_s, self._say_word)
