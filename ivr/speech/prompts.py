"""The prompt book: sound files for everything the line says, from the site's recordings or synthesised once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from twisted.internet.defer import Deferred, TimeoutError, ensureDeferred

from config.errors import ConfigError, Fault
from config.settings import PromptSettings
from ivr.speech.prompt_catalogue import Catalogue, load_catalogue
from ivr.speech.prompt_list import Prompt
from ivr.speech.speech import Rendering, Sound, Speech, SpeechFailed

__all__ = ["Prompt", "PromptBook", "SpeechFailed"]

log = structlog.get_logger()

_PATIENCE_S = 2.5  # nobody hears silence for more than 3 s: then the text without values is said


class PromptBook:
    """All prompts of one language. ConfigError if catalogue or recordings are not what the list of prompts wants."""

    def __init__(
        self, settings: PromptSettings, cache_dir: Path, reactor: Any, changes: Path | None = None
    ) -> None:
        """`changes` is the folder of what was changed at run time, by language: <key>.txt and <key>.wav."""
        self._configured: Catalogue = load_catalogue(settings.directory, settings.language)
        self._recorded = _recordings(settings.directory, settings.language)
        self.catalogue, self.recordings = self._with_changes(changes)
        # a voice and speed of hotline.yaml go before those of the language
        self._voice = settings.voice or self.catalogue.voice
        self._speed_wpm = settings.speed_wpm or self.catalogue.speed_wpm
        self._speech = Speech(cache_dir, reactor)
        self._reactor = reactor
        self._ready: dict[Prompt, Rendering] = {}
        self._plain: dict[Prompt, Rendering] = {}

    async def warm(self, filled: Iterable[tuple[Prompt, Mapping[str, object]]] = ()) -> None:
        """Make everything without values ready, and the given prompts with theirs (menus, whispers).

        SpeechFailed names all that cannot be made; what is of no more use in the cache is deleted.
        """
        needed = await self._make(filled)
        stale = self._speech.prune(needed)
        log.info("prompts_warmed", sounds=len(needed), stale=stale)

    async def go_by(self, changes: Path) -> None:
        """Say from now on what a folder of changes has; once all of it is made, so that nobody waits for it.

        ConfigError or SpeechFailed: everything stays as it was.
        """
        other = await self.trial(changes)
        self.catalogue, self.recordings = other.catalogue, other.recordings
        self._ready, self._plain = other._ready, other._plain

    async def trial(self, changes: Path) -> PromptBook:
        """Return a book that says what a folder of changes has, all of it made; raises as `go_by` does."""
        other = copy(self)
        other.catalogue, other.recordings = self._with_changes(changes)
        await other._make(())
        return other

    def sample(self, prompt: Prompt) -> str:
        """Return the file of a prompt, of one with values that which stands in for it; LookupError before `warm`."""
        return (self._plain if prompt.takes else self._ready)[prompt].path

    def _with_changes(self, changes: Path | None) -> tuple[Catalogue, dict[Prompt, Path]]:
        """Return texts and recordings; a text changed at run time goes before a configured recording."""
        folder = None if changes is None else changes / self._configured.language
        if folder is None or not folder.is_dir():
            return self._configured, self._recorded
        texts = {path.stem: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.txt"))}
        unchanged = {prompt: path for prompt, path in self._recorded.items() if prompt.value not in texts}
        return self._configured.with_texts(texts), unchanged | _recordings(folder, "")

    async def _make(self, filled: Iterable[tuple[Prompt, Mapping[str, object]]]) -> set[str]:
        """Make what `warm` and `go_by` make, and return the paths."""
        fixed = [(prompt, self.sound(prompt, {})) for prompt in Prompt if not prompt.takes]
        plain = [(prompt, self._sentence(self.catalogue.plain(prompt), prompt)) for prompt in Prompt if prompt.takes]
        extra = [self.sound(prompt, values, is_filled=False) for prompt, values in filled]
        sounds = dict.fromkeys((*(sound for _, sound in (*fixed, *plain)), *extra))
        waits = {sound: ensureDeferred(self._speech.render(sound, is_urgent=False)) for sound in sounds}
        made: dict[Sound, Rendering] = {}
        faults = []
        for sound, wait in waits.items():
            try:
                made[sound] = await wait
            except SpeechFailed as wrong:
                faults.append(str(wrong))
        if faults:
            raise SpeechFailed("\n".join(faults))
        self._ready = {prompt: made[sound] for prompt, sound in fixed}
        self._plain = {prompt: made[sound] for prompt, sound in plain}
        return {rendering.path for rendering in made.values()}

    async def files(self, prompt: Prompt, **values: object) -> tuple[str, ...]:
        """Return the files of a prompt, within 2.5 s: the text without values is said if the sentence is not ready.

        TypeError if a value is missing or of a wrong kind; values that the prompt does not take are left alone.
        """
        if not prompt.takes and prompt in self._ready and Path(self._ready[prompt].path).exists():
            return (self._ready[prompt].path,)
        sound = self.sound(prompt, values)
        try:
            rendering = self._speech.cached(sound) or await self._in_time(sound)
        except (SpeechFailed, TimeoutError) as wrong:
            log.error("prompt_failed", prompt=prompt.value, reason=str(wrong))
            stand_in = self._plain.get(prompt) or self._ready.get(Prompt.BEEP)
            return (stand_in.path,) if stand_in else ()
        return (rendering.path,)

    def files_now(self, prompt: Prompt) -> tuple[str, ...]:
        """Return the files of a prompt without values; LookupError before `warm` has made them."""
        if prompt not in self._ready:
            raise LookupError(f"{prompt} has not been made yet: see PromptBook.warm")
        return (self._ready[prompt].path,)

    def text(self, prompt: Prompt, **values: object) -> str:
        """Return what a prompt says; the name of a tone in brackets."""
        return f"[{prompt.value}]" if prompt.is_tone else self.catalogue.text(prompt, values)

    async def rendering(self, sound: Sound) -> Rendering:
        """Return a sound with its figures, however long it takes; SpeechFailed if it cannot be made."""
        return await self._speech.render(sound, is_urgent=False)

    def forget(self, before: datetime) -> int:
        """Delete what was spoken to one caller, such as a number, before `before`; see `Speech.forget`."""
        return self._speech.forget(before)

    async def stop(self) -> None:
        """End the speech worker."""
        await self._speech.stop()

    def sound(self, prompt: Prompt, values: Mapping[str, object], *, is_filled: bool = True) -> Sound:
        """Return what is to be heard for a prompt: the site's recording, a tone, or a sentence."""
        if prompt in self.recordings:
            try:
                return Sound.recorded(self.recordings[prompt])
            except OSError as wrong:
                raise SpeechFailed(f"{self.recordings[prompt]}: cannot be read: {wrong}") from wrong
        if prompt.is_tone:
            return Sound("tone", prompt.value)
        return self._sentence(self.text(prompt, **values), prompt, is_filled=is_filled and bool(prompt.takes))

    def _sentence(self, text: str, prompt: Prompt, is_filled: bool = False) -> Sound:
        speed_wpm = self.catalogue.speed(prompt) or self._speed_wpm
        return Sound("sentence", self.catalogue.as_said(text), self._voice, speed_wpm, is_filled=is_filled)

    def _in_time(self, sound: Sound) -> Deferred[Rendering]:
        # cancelled means no longer waited for; the sound itself is made and kept for the next time
        return ensureDeferred(self._speech.render(sound)).addTimeout(_PATIENCE_S, self._reactor)


def _recordings(folder: Path, language: str) -> dict[Prompt, Path]:
    """Return the site's recordings, those of the language first; ConfigError for one that belongs to no prompt."""
    by_key = {prompt.value: prompt for prompt in Prompt}
    recordings: dict[Prompt, Path] = {}
    faults = []
    for path in (*sorted(folder.glob("*.wav")), *sorted((folder / language).glob("*.wav"))):
        prompt = by_key.get(path.stem)
        if prompt is None:
            faults.append(Fault(str(path), 0, path.stem, "there is no such prompt"))
        elif prompt.takes:
            faults.append(Fault(str(path), 0, path.stem, "has values in it and cannot be a recording"))
        else:
            recordings[prompt] = path
    if faults:
        raise ConfigError(faults)
    return recordings
