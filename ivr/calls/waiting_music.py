"""What a waiting caller hears: music, and a first word every ten seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ivr.speech.prompts import Prompt

if TYPE_CHECKING:
    from ivr.calls.call import Call

_WORDS = (Prompt.WAITING_1, Prompt.WAITING_2, Prompt.WAITING_3)


class WaitingMusic:
    """Plays to one caller until stopped; starting twice changes nothing."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._timer: Any = None
        self._is_on = False
        self._with_words = True
        self._turn = 0

    def start(self, with_words: bool = True) -> None:
        """Begin with music at once."""
        if self._is_on or self._call.caller.is_gone:
            return
        self._is_on, self._with_words = True, with_words
        self._play_music()

    def stop(self) -> None:
        """Silence: somebody else speaks to the caller now."""
        if not self._is_on:
            return
        self._is_on = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._call.caller.hush()

    def _play_music(self) -> None:
        self._call.caller.play_files(self._call.prompts.files_now(Prompt.MUSIC), loop=True)
        if self._with_words:
            self._timer = self._call.reactor.callLater(self._call.manners.waiting_word_every_s, self._say_word)

    def _say_word(self) -> None:
        if not self._is_on or self._call.caller.is_gone:
            return
        word = _WORDS[self._turn % len(_WORDS)]
        self._turn += 1
        # music after the word in the same play: no gap, and no event to wait for
        files = self._call.prompts.files_now(word) + self._call.prompts.files_now(Prompt.MUSIC)
        self._call.caller.play_files(files, loop=False)
        self._timer = self._call.reactor.callLater(self._call.manners.waiting_word_every_s, self._say_word)
