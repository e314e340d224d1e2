"""The voice: text to samples by libespeak-ng, which `espeakng-loader` carries; used in the speech worker only.

libespeak-ng is not thread-safe, keeps global state, and may crash on odd input: so it has a process of its own.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import espeakng_loader
import numpy as np
import numpy.typing as npt

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: espeak_Synth returns when the callback has had all samples
_DO_NOT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT
_UTF8 = 1  # espeakCHARS_UTF8
_RATE_WPM, _VOLUME = 1, 2  # espeak_PARAMETER
_HEADROOM = 60  # per cent: at the default of 100 loud vowels are clipped inside the synthesiser
_OK = 0

_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


class VoiceFailed(Exception):
    """The voice cannot say this: library, data or voice name."""


class Espeak:
    """One synthesiser; one a process."""

    def __init__(self) -> None:
        # the library holds its data path in a buffer of 160 characters: a relative path always fits
        os.chdir(Path(espeakng_loader.get_data_path()).parent)
        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self.rate_hz = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, b".", _DO_NOT_EXIT))
        if self.rate_hz <= 0:
            raise VoiceFailed(f"libespeak-ng does not start with the data in {os.getcwd()}")
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._heard: list[npt.NDArray[np.int16]] = []
        self._callback = _Callback(self._take)  # kept: the library calls it for as long as it lives
        self._library.espeak_SetSynthCallback(self._callback)

    def say(self, text: str, voice: str, speed_wpm: int) -> npt.NDArray[np.int16]:
        """Return `text` as 16-bit samples at `rate_hz`; VoiceFailed if there is no such voice."""
        self._use(voice)
        self._library.espeak_SetParameter(_RATE_WPM, speed_wpm, 0)
        self._library.espeak_SetParameter(_VOLUME, _HEADROOM, 0)
        self._heard = []
        written = text.encode() + b"\0"
        if self._library.espeak_Synth(written, ctypes.c_size_t(len(written)), 0, 1, 0, _UTF8, None, None) != _OK:
            raise VoiceFailed(f"libespeak-ng refused {text!r}")
        return np.concatenate(self._heard) if self._heard else np.zeros(0, np.int16)

    def phonemes(self, text: str, voice: str) -> str:
        """Return what the voice makes of `text`; `(en)` in it marks a word taken for English."""
        self._use(voice)
        rest = ctypes.c_char_p(text.encode())
        clauses = []
        while rest.value:
            clause = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, 0)
            clauses.append((clause or b"").decode())
        return " ".join(clauses)

    def _use(self, voice: str) -> None:
        if self._library.espeak_SetVoiceByName(voice.encode()) != _OK:
            raise VoiceFailed(f"there is no voice {voice!r}")

    def _take(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: object) -> int:
        if samples and count > 0:
            self._heard.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0
