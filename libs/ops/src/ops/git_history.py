"""The committed versions of a file, as far as the checkout has them."""

import subprocess
from pathlib import Path


def committed_versions(root: Path, file: Path) -> list[str]:
    """The text of the file in every commit that changed it, newest first; fewer or none without a full history."""
    # Without --full-history a version that a merge overruled would be left out.
    commits = _git(root, "rev-list", "--full-history", "HEAD", "--", f"./{file.as_posix()}").split()
    texts = (_git(root, "show", f"{commit}:./{file.as_posix()}") for commit in commits)
    return [text for text in dict.fromkeys(texts) if text]


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)
    except OSError:  # no git on this machine
        return ""
    return "" if done.returncode else done.stdout.decode("utf-8", "replace")
