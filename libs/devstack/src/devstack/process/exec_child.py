"""Runs in the child, before the program: ties its life to the runner's, gives up root, hears signals again.

Started by path with `python -I -S`, so it imports nothing but the standard library:
launch.py PARENT_PID DEATH_SIGNAL USER_ID GROUP_ID PROGRAM ARGUMENT...
USER_ID -1 keeps the user. HERE in an argument is the working folder.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CWD_PLACEHOLDER = "{cwd}"
# Whoever started us may have them ignored, as `nohup` and background jobs do; Python itself ignores the last one.
RESET_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)


def main() -> None:
    parent, death_signal, user, group = (int(argument) for argument in sys.argv[1:5])
    program = sys.argv[5:]
    cwd = os.getcwd()  # noqa: PTH109 - no import that is not needed
    if user >= 0:
        cwd = open_working_directory()
        drop_privileges(user, group)
    for number in RESET_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # Only now: a change of user forgets it.
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
    try:
        os.execvp(program[0], [word.replace(CWD_PLACEHOLDER, cwd) for word in program])  # noqa: S606
    except OSError as error:
        print(f"cannot run {program[0]}: {error.strerror}", file=sys.stderr)  # noqa: T201
        sys.exit(127)


def open_working_directory() -> str:
    """The working folder under a name that works for any user, also below folders that only root may enter.

    An open folder needs no permission for those above it, and the program and its children inherit it.
    """
    folder = os.open(".", os.O_PATH | os.O_DIRECTORY)
    os.set_inheritable(folder, True)
    return f"/proc/self/fd/{folder}"


def drop_privileges(user: int, group: int) -> None:
    """Give up root for good, with every capability."""
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


if __name__ == "__main__":
    main()
