"""What a call can change in its process beside giving an answer: observed before the call, and put back after it.

Put back are the recursion limit, builtins and NumPy's own names, standard streams, folder, environment variables,
locale, NumPy's treatment of floating-point errors, warning filters, signal handlers, the garbage collector, tracing
and faulthandler. Random generators are left alone, since nothing here draws from them.
"""

import _signal  # type: ignore[import-not-found]  # signal.getsignal takes a hundred times as long, for an enum
import builtins
import contextlib
import faulthandler
import fcntl
import gc
import locale
import os
import signal
import sys
import threading
import warnings
from types import FrameType, ModuleType
from typing import Any

import numpy as np

_SIGNALS = tuple(map(int, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM, signal.SIGCHLD)))
_STREAMS = 0, 1, 2
_ABOVE = 200  # where copies of the standard streams are put, so that they are not closed together with them


class _Namespace:
    """A module's names with the values that they had at first."""

    def __init__(self, module: ModuleType) -> None:
        self._names = vars(module)
        self._first = dict(self._names)
        self._values = [*self._names.values()]

    def restore(self) -> None:
        if [*self._names.values()] == self._values:
            return
        self._names.update(self._first)  # what was added stays: modules are imported late
        self._values = [*self._names.values()]


_NAMESPACES = _Namespace(builtins), _Namespace(np)


class _Interruptions:
    """Notes that the user interrupts, by SIGINT, which no call can then hide; otherwise the handler before it decides.

    A KeyboardInterrupt without a SIGINT is raised by the call itself.
    """

    def __init__(self) -> None:
        self.came = False
        self._before: Any = None

    def watch(self) -> None:
        """Stand before the handler of SIGINT, whichever it is now."""
        handler = _signal.getsignal(signal.SIGINT)
        if handler == self._note or not callable(handler) or threading.current_thread() is not threading.main_thread():
            return
        self._before = handler
        signal.signal(signal.SIGINT, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        self._before(number, frame)


_INTERRUPTIONS = _Interruptions()


def require_uninterrupted() -> None:
    """Raises KeyboardInterrupt where the user interrupted a call, whatever the call made of it."""
    if _INTERRUPTIONS.came:
        _INTERRUPTIONS.came = False
        raise KeyboardInterrupt


class ProcessState:
    """The state of this process as it is now."""

    def __init__(self) -> None:
        _INTERRUPTIONS.watch()
        if not _copies:
            _keep_streams()
        self._recursion = sys.getrecursionlimit()
        self._streams = sys.stdin, sys.stdout, sys.stderr
        self._traced = sys.gettrace(), sys.getprofile()
        self._folder = _folder()
        self._environment = _environment().copy()
        self._locale = locale.setlocale(locale.LC_ALL)
        self._errors = np.geterr()
        self._filters = warnings.filters, warnings.filters[:]
        self._handlers = [*map(_signal.getsignal, _SIGNALS)]
        self._collects = gc.isenabled()
        self._reports = faulthandler.is_enabled()

    def restore(self) -> None:
        """Put back whatever is no longer so; the recursion limit and the builtins first, which the rest needs."""
        sys.setrecursionlimit(self._recursion)
        for namespace in _NAMESPACES:
            namespace.restore()
        _reopen_streams()
        sys.stdin, sys.stdout, sys.stderr = self._streams
        if (sys.gettrace(), sys.getprofile()) != self._traced:
            sys.settrace(self._traced[0])
            sys.setprofile(self._traced[1])
        if _folder() != self._folder:
            with contextlib.suppress(OSError):  # it was deleted
                os.chdir(self._folder)
        if _environment() != self._environment:
            self._restore_environment()
        if locale.setlocale(locale.LC_ALL) != self._locale:
            locale.setlocale(locale.LC_ALL, self._locale)
        if np.geterr() != self._errors:
            np.seterr(**self._errors)
        self._restore_filters()
        if [*map(_signal.getsignal, _SIGNALS)] != self._handlers:
            self._restore_handlers()
        if gc.isenabled() != self._collects:
            (gc.enable if self._collects else gc.disable)()
        if self._reports and not faulthandler.is_enabled():
            faulthandler.enable(2)

    def _restore_environment(self) -> None:
        before = {os.fsdecode(name): os.fsdecode(value) for name, value in self._environment.items()}
        for name in [*os.environ]:
            if name not in before:
                del os.environ[name]
        os.environ.update(before)

    def _restore_filters(self) -> None:
        filters, contents = self._filters
        if warnings.filters is filters and filters == contents:
            return
        filters[:] = contents  # type: ignore[index]  # a list, whatever its stub says
        warnings.filters = filters
        with warnings.catch_warnings():  # which tells the registries that filters have changed
            pass

    def _restore_handlers(self) -> None:
        for number, handler in zip(_SIGNALS, self._handlers, strict=True):
            if handler is not None and _signal.getsignal(number) != handler:
                signal.signal(number, handler)


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109  # three times as fast
    except OSError:
        return ""


def _environment() -> dict[bytes, bytes]:
    """The bytes behind os.environ, which are compared at a tenth of its cost."""
    variables: dict[bytes, bytes] = vars(os.environ)["_data"]
    return variables


_copies: dict[int, int] = {}


def _reopen_streams() -> None:
    for number in _STREAMS:
        try:
            os.get_inheritable(number)
        except OSError:
            if number in _copies:
                os.dup2(_copies[number], number)


def _keep_streams() -> None:
    """Copy the standard streams, for the time when somebody closes them."""
    for number in _STREAMS:
        with contextlib.suppress(OSError):  # it is closed already
            _copies[number] = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _ABOVE)
