"""Prepares a child process and replaces itself with the program: death signal, user, signal handlers.

Started by path with `python -I -S`, so it imports nothing but the standard library:
exec_child.py PARENT_PID DEATH_SIGNAL USER_ID GROUP_ID PROGRAM ARGUMENT...
USER_ID -1 keeps the user. CWD_PLACEHOLDER in an argument is replaced by a path of the working folder.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CWD_PLACEHOLDER = "{cwd}"
# May be ignored when we are started, as by `nohup` and in background jobs; Python itself ignores SIGPIPE.
RESET_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE)


def main() -> None:
    parent, death_signal, user, group = (int(argument) for argument in sys.argv[1:5])
    program = sys.argv[5:]
    cwd = os.getcwd()  # noqa: PTH109 - pathlib would make every start slower
    if user >= 0:
        cwd = open_working_directory()
        drop_privileges(user, group)
    for number in RESET_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    # After the change of user, which would clear it.
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
    """Open the working folder; returns a path of it that works for any user, also below folders of mode 0700.

    An open descriptor needs no permission for the parent folders, and the program and its children inherit it.
    """
    folder = os.open(".", os.O_PATH | os.O_DIRECTORY)
    os.set_inheritable(folder, True)
    return f"/proc/self/fd/{folder}"


def drop_privileges(user: int, group: int) -> None:
    """Change to this user and group permanently, without supplementary groups or capabilities."""
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


if __name__ == "__main__":
    main()
