"""What administrators change about prompts: texts and recordings, tried out before anybody hears them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from callback_scheduler.orders.actor import Actor
from config.errors import ConfigError
from ivr.refused import OperationRefused
from ivr.speech.prompt_report import report
from ivr.speech.prompts import Prompt, PromptBook, SpeechFailed
from node.operations.site.changes import InThread, SiteChanges
from routing.site_changes import PROMPTS

_LONGEST_TEXT, _LARGEST_RECORDING = 1000, 20_000_000


class PromptOperations:
    """Prompts of the site's language; a change is heard from the next time the prompt is said."""

    def __init__(self, changes: SiteChanges, book: PromptBook, language: str, *, in_thread: InThread) -> None:
        self._changes, self._book, self._language, self._in_thread = changes, book, language, in_thread

    def list_prompts(self) -> list[dict[str, Any]]:
        """Return all prompts: name, text (as written), takes, limit_s, is_tone, is_recorded, is_changed."""
        book = self._book
        changed = {path.stem for path in self._folder.glob("*.*")}
        return [
            {
                "name": prompt.value,
                "text": book.catalogue.written(prompt),
                "takes": sorted(prompt.takes),
                "limit_s": prompt.limit_s,
                "is_tone": prompt.is_tone,
                "is_recorded": prompt in book.recordings,
                "is_changed": prompt.value in changed,
            }
            for prompt in Prompt
        ]

    async def figures(self) -> dict[str, dict[str, Any]]:
        """Return by name how each prompt sounds with long values: seconds, level_dbfs, peak_dbfs, is_clipped."""
        rows = await report(self._book)
        return {
            row.key: {
                "seconds": row.seconds,
                "level_dbfs": row.level_dbfs,
                "peak_dbfs": row.peak_dbfs,
                "is_clipped": "clipped" in row.flags,
            }
            for row in rows
        }

    def wav(self, name: str) -> Path:
        """Return the sound of a prompt: WAV, 8 kHz, 16 bit, mono; of one with values that which stands in for it."""
        try:
            return Path(self._book.sample(_prompt(name)))
        except LookupError as wrong:
            raise OperationRefused("提示音尚未就绪。", "prompt.not_ready") from wrong

    async def set_text(self, name: str, text: str, who: Actor, why: str = "") -> None:
        """Let a prompt say another text, in place of a recording too; its placeholders stay."""
        prompt, text = _prompt(name), text.strip()
        if prompt.is_tone:
            raise OperationRefused("信号音没有文字。", "prompt.is_tone")
        if not text or len(text) > _LONGEST_TEXT:
            raise OperationRefused(f"请填写文字，最多{_LONGEST_TEXT}字。", "prompt.text_length")
        await self._try({f"{name}.txt": text.encode(), f"{name}.wav": None})
        if (self._folder / f"{name}.wav").exists():
            await self._changes.change("prompt", self._file(f"{name}.wav"), None, who, why)
        await self._changes.change("prompt", self._file(f"{name}.txt"), text.encode(), who, why)
        await self._book.go_by(self._changes.files.folder / PROMPTS)

    async def set_recording(self, name: str, wav: bytes, who: Actor, why: str = "") -> None:
        """Let a prompt be a recording: a WAV of any rate and width; not one with values in its text."""
        if _prompt(name).takes:
            raise OperationRefused("含变量的提示音不能使用录音。", "prompt.takes_values")
        if len(wav) > _LARGEST_RECORDING:
            raise OperationRefused("录音文件过大。", "prompt.too_large")
        await self._try({f"{name}.wav": wav})
        await self._changes.change("prompt", self._file(f"{name}.wav"), wav, who, why)
        await self._book.go_by(self._changes.files.folder / PROMPTS)

    async def undo(self, name: str, who: Actor, why: str = "") -> None:
        """Take the last change of a prompt back."""
        _prompt(name)
        prefix = self._file(f"{name}.")
        file, content = self._changes.last(prefix)
        await self._try({Path(file).name: content})
        await self._changes.take_back("prompt", prefix, who, why)
        await self._book.go_by(self._changes.files.folder / PROMPTS)

    # -- inside -----------------------------------------------------------------------------------------------------

    @property
    def _folder(self) -> Path:
        return self._changes.files.folder / PROMPTS / self._language

    def _file(self, name: str) -> str:
        return f"{PROMPTS}/{self._language}/{name}"

    async def _try(self, contents: dict[str, bytes | None]) -> None:
        """Make everything as it would be with other files; OperationRefused if that cannot be said or played."""
        with self._changes.files.trial() as trial:
            folder = trial / self._language
            folder.mkdir()
            await self._in_thread(_fill, self._folder, folder, contents)
            try:
                await self._book.trial(trial)
            except ConfigError as wrong:
                told = "；".join(fault.message for fault in wrong.faults)
                raise OperationRefused(f"文字不可用：{told}", "prompt.bad_text") from wrong
            except SpeechFailed as wrong:
                raise OperationRefused("这段文字或录音无法合成或播放。", "prompt.not_playable") from wrong


def _fill(before: Path, folder: Path, contents: dict[str, bytes | None]) -> None:
    for path in [*before.glob("*.txt"), *before.glob("*.wav")]:
        shutil.copy(path, folder / path.name)
    for name, content in contents.items():
        if content is not None:
            (folder / name).write_bytes(content)
        else:
            (folder / name).unlink(missing_ok=True)


def _prompt(name: str) -> Prompt:
    try:
        return Prompt(name)
    except ValueError as wrong:
        raise OperationRefused("没有这个提示音。", "prompt.unknown") from wrong
