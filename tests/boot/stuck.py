# SPDX-License-Identifier: MIT
"""What a dyad is doing that did not come to where its guest should be: told before it is
killed. First the host's side (each thread's state, CPU time, system call, kernel and user
stack), which asks nothing of dyad, then the monitor's, which parks the vCPUs."""
import glob, shutil, subprocess, time


def _read(path):
    try:
        return open(path).read().strip()
    except OSError as e:
        return e.strerror


def _threads(pid):
    """{tid: (name, state, CPU seconds)}"""
    found = {}
    for path in glob.glob(f"/proc/{pid}/task/*/stat"):
        text = _read(path)
        if ")" in text:
            rest = text[text.rindex(")") + 2:].split()
            found[path.split("/")[4]] = (text[text.index("(") + 1:text.rindex(")")], rest[0],
                                         (int(rest[11]) + int(rest[12])) / 100)
    return found


def host_side(pid, seconds=1):
    """Lines about the threads of a process."""
    before = _threads(pid)
    time.sleep(seconds)
    lines = []
    for tid, (name, state, cpu) in _threads(pid).items():
        task = f"/proc/{pid}/task/{tid}/"
        used = cpu - before.get(tid, ("", "", cpu))[2]
        lines.append(f"thread {tid} {name}: {state}, {cpu:.2f} s of CPU, {used:.2f} of the last "
                     f"{seconds}; wchan {_read(task + 'wchan')}; syscall {_read(task + 'syscall')}")
        lines += ["    " + l for l in _read(task + "stack").split("\n")]
    if shutil.which("gdb"):
        try:
            got = subprocess.run(["gdb", "-p", str(pid), "-batch", "-ex", "thread apply all bt 24"],
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            lines += [l for l in got.stdout.split("\n") if l.startswith(("Thread", "#"))]
        except subprocess.TimeoutExpired:
            lines.append("gdb: no answer in 60 s")
    return lines


def tell(pid, command, out):
    """command(text) asks the monitor, OSError if it does not answer."""
    print(*host_side(pid), sep="\n", file=out)
    try:
        for text in ["info status", "info registers", "info accel", "info lapic", "info pic",
                     "info registers", "info registers"]:
            print(f"(dyad) {text}\n{command(text)}", file=out, flush=True)
    except OSError as e:
        print(f"the monitor: {e or 'no answer'}", file=out, flush=True)
