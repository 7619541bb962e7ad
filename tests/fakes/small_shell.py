"""A shell with one job: gives it the terminal on standard input, and tells when it stops or ends.

    python small_shell.py REPORT CONTROL PROGRAM [ARGUMENT…]

On the descriptor REPORT it writes a line for each stop (`stopped`) and for the end (`ended CODE`, negative:
by that signal), and whether the terminal is then `calm` (it echoes, and gives whole lines) or `raw`. A line
on CONTROL, or its end, continues the job.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import termios


def main() -> None:
    """Run the job to its end."""
    report, control, *job = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpid())
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.close(report)
        os.execvp(job[0], job)
    while True:
        _, status = os.waitpid(child, os.WUNTRACED)
        os.tcsetpgrp(0, os.getpgrp())
        modes = termios.tcgetattr(0)[3]
        calm = "calm" if modes & termios.ECHO and modes & termios.ICANON else "raw"
        if not os.WIFSTOPPED(status):
            os.write(report, f"ended {os.waitstatus_to_exitcode(status)} {calm}\n".encode())
            return
        os.write(report, f"stopped {calm}\n".encode())
        os.read(control, 100)
        os.tcsetpgrp(0, child)
        os.kill(child, signal.SIGCONT)


main()
