"""How new model files are found, trusted, tried and watched: the ``[updates]`` table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.errors import UsageError
from edge.files import given_folder
from edge.modelstore.keys import check_public_key

SERVICE_FOLDER = Path("/var/lib/maskgate")
_LIMITS: Mapping[str, tuple[float, float, str]] = {
    "settle_seconds": (0.2, 60, "seconds"),
    "probation_minutes": (0.01, 1440, "minutes"),
    "slow_factor": (1, 1000, "times"),
    "trial_seconds": (1, 600, "seconds"),
    # With 64 not even the released networks load (measured): LiteRT reserves that much at once.
    "trial_megabytes": (128, 4096, "megabytes"),
    "keep": (1, 20, "versions"),
}
_MOST_KEYS = 16


@dataclass(frozen=True, slots=True)
class UpdateSettings:
    """The ``[updates]`` table of the configuration.

    *enabled* (default true): whether the gate looks for new model files at all.  Without it
    ``maskgate model install`` still puts one into the store, for the next start.

    *folder* (default ""): the folder of the store, its state and its status file.  "" is
    ``models`` in systemd's ``$STATE_DIRECTORY``, else in the service's ``/var/lib/maskgate`` where
    there is one, else in ``~/.local/state/maskgate``.

    *incoming* (default ""): the folder that is watched for copied files.  "" is ``incoming``
    in *folder*.  Name the place where a stick is mounted to take models from sticks.

    *keys* (default none): public keys of those whose models may run, each as
    ``maskgate model keygen`` prints it.  With at least one, a file without a signature of one
    of them is refused, and a stored one no longer runs.  Several, so that a new one can be
    brought in before an old one is retired.  At most 16.

    *settle_seconds* (default 2, 0.2 to 60): a copied file counts as finished when it has not
    changed for so long.  Raise it where files come over a link that stalls.

    *probation_minutes* (default 10, 0.01 to 1440): so long a new model must run healthily before
    it is trusted.  Raised, more crashes are caught and a rollback stays automatic for longer.

    *slow_factor* (default 10, 1 to 1000): a model so many times slower than the running one is
    refused.

    *trial_seconds* (default 60, 1 to 600) and *trial_megabytes* (default 512, 128 to 4096): what a
    trial may take of time and memory.  Raise the seconds on a board that is very busy.

    *keep* (default 3, 1 to 20): so many older good versions of each kind are kept to go back to.
    """

    enabled: bool = True
    folder: str = ""
    incoming: str = ""
    keys: tuple[str, ...] = ()
    settle_seconds: float = 2.0
    probation_minutes: float = 10.0
    slow_factor: float = 10.0
    trial_seconds: float = 60.0
    trial_megabytes: int = 512
    keep: int = 3

    def __post_init__(self) -> None:
        for name, (low, high, unit) in _LIMITS.items():
            value = getattr(self, name)
            if not low <= value <= high:
                raise UsageError(f"{name} is {value}; allowed: {low:g} to {high:g} {unit}")
        if len(self.keys) > _MOST_KEYS:
            raise UsageError(
                f"keys has {len(self.keys)} entries; at most {_MOST_KEYS}; retire old ones"
            )
        for number, key in enumerate(self.keys, 1):
            try:
                check_public_key(key)
            except UsageError as error:
                raise UsageError(f"keys is wrong in entry {number}: {error}") from None

    def root(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Return the folder of the store; *environ* is asked where *folder* is empty."""
        if self.folder:
            return Path(self.folder).expanduser()
        given = given_folder(environ, "STATE_DIRECTORY")
        if given:
            return given / "models"
        if SERVICE_FOLDER.is_dir():
            return SERVICE_FOLDER / "models"
        state = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(state) / "maskgate" / "models"

    def inbox(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Return the folder that is watched for copied files."""
        if self.incoming:
            return Path(self.incoming).expanduser()
        return self.root(environ) / "incoming"
