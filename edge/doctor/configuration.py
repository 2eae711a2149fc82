"""The configuration: everything that is wrong with it, and who may read it."""

from __future__ import annotations

import os

from edge.config_show import differences, without_secret
from edge.doctor.context import Context
from edge.doctor.finding import Finding, failure, ok, together, warning
from edge.doctor.places import place


def check_configuration(ctx: Context) -> Finding:
    """Every mistake in the file, and secrets in it that others may read."""
    file = ctx.config_file
    if file is not None and place(file) != "absent" and not os.access(file, os.R_OK):
        return warning(f"{file} may not be read by this user", "sudo maskgate doctor")
    if ctx.config is None:
        return failure("; ".join(ctx.problems), f"mend {file}, then: maskgate config check {file}")
    if file is None:
        return ok("there is no file, so that the defaults hold")
    count = len(differences(ctx.config))
    parts = [ok(f"{file} is right; {count} of its values are not the defaults")]
    source = ctx.config.camera.source
    secret = without_secret("camera.source", source) != source
    try:
        mode = file.stat().st_mode
    except OSError:
        mode = 0
    if secret and mode & 0o004:
        parts.append(warning(
            f"{file} has a camera's password in it and everybody may read it",
            f"sudo chgrp maskgate {file} && sudo chmod 640 {file}",
        ))
    return together(*parts)
