"""Which function opens a camera of which scheme: ours, and those of other packages.

A package adds a scheme, say ``ids://``, by an entry point in its own metadata::

    [options.entry_points]
    maskgate.cameras =
        ids = maskgate_ids.camera:open_camera

That function is an :class:`Opener`.  :func:`edge.camera.uri.only_options` and
:func:`edge.camera.uri.option` read what was typed, and
:class:`edge.camera.steady.SteadySource` makes a steady source of anything that can be opened,
read and closed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge.errors import MaskgateError, SourceError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from edge.camera.frame import Source
    from edge.camera.uri import SourceUri

GROUP = "maskgate.cameras"
"""The group of entry points; each is named by its scheme, in lower case."""

BUILT_IN: Mapping[str, str] = {
    "v4l2": "edge.camera.openers:v4l2",
    "picamera2": "edge.camera.openers:picamera2",
    "csi": "edge.camera.openers:csi",
    "rtsp": "edge.camera.openers:rtsp",
    "faulty": "edge.camera.openers:faulty",
}
"""Our own entry points, as setup.cfg has them; here a checkout that is not installed finds them."""

SMALL_PIXELS = 384 * 288
"""How many pixels the released face detector takes: all that a small picture needs to have."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a source is wanted, whatever its address.

    *patient*: a camera that is not there yet is waited for.  *small_pixels*: a camera whose
    hardware can scale gives a second picture of at most so many.
    """

    patient: bool = False
    small_pixels: int = SMALL_PIXELS


class Opener(Protocol):
    """Opens the camera that *uri* names, as *wish* says.

    Raises UsageError for an option it does not know, SourceError for a camera it cannot open.
    """

    def __call__(self, uri: SourceUri, wish: Wish) -> Source: ...


def installed() -> tuple[EntryPoint, ...]:
    """Return the entry points of all cameras that installed packages bring."""
    # It costs as much as all else at the start; most sources never need it.
    from importlib.metadata import entry_points

    return tuple(entry_points(group=GROUP))


def added_schemes(found: Callable[[], tuple[EntryPoint, ...]] = installed) -> tuple[str, ...]:
    """Return the schemes, in order, that other packages add to ours."""
    return tuple(sorted({entry.name for entry in found()} - BUILT_IN.keys()))


def opener(scheme: str, found: Callable[[], tuple[EntryPoint, ...]] = installed) -> Opener:
    """Return what opens cameras of *scheme*.

    Our own schemes stay ours, so that no package takes a camera over by being installed.
    Raises UsageError for a scheme that nobody has, or that two packages claim, and SourceError
    for a plugin that cannot be loaded.
    """
    if scheme in BUILT_IN:
        from importlib.metadata import EntryPoint

        ours: Opener = EntryPoint(scheme, BUILT_IN[scheme], GROUP).load()
        return ours
    claims = {entry.value: entry for entry in found() if entry.name == scheme}
    if not claims:
        raise UsageError(f"no camera has the scheme {scheme!r}; allowed: {', '.join(BUILT_IN)}")
    if len(claims) > 1:
        packages = " and ".join(sorted(_package(entry) for entry in claims.values()))
        raise UsageError(f"{scheme}: is claimed by {packages}; uninstall all but one of them")
    (entry,) = claims.values()
    return _guarded(scheme, entry)


def _guarded(scheme: str, entry: EntryPoint) -> Opener:
    """Return the opener of another package's *entry*, whose bugs are told as that package's."""
    package = _package(entry)
    try:
        theirs = entry.load()
    except Exception as error:  # a module that is imported may raise anything
        raise SourceError(
            f"{scheme}: {entry.value} of {package} cannot be loaded "
            f"({type(error).__name__}: {_line(error)}); install what it needs, or uninstall "
            f"{package}"
        ) from error
    if not callable(theirs):
        raise SourceError(
            f"{scheme}: {entry.value} of {package} is no function but of type "
            f"{type(theirs).__name__}; ask its maker for a newer release"
        )

    def open_theirs(uri: SourceUri, wish: Wish) -> Source:
        try:
            source: Source = theirs(uri, wish)
        except MaskgateError:
            raise
        except Exception as error:  # theirs may raise anything
            raise SourceError(
                f"{scheme}: {entry.value} of {package} failed "
                f"({type(error).__name__}: {_line(error)}); report it to its maker"
            ) from error
        return source

    return open_theirs


def _package(entry: EntryPoint) -> str:
    distribution = entry.dist
    return distribution.name if distribution is not None else entry.value.partition(".")[0]


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "no reason given")
