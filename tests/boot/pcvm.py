# SPDX-License-Identifier: MIT
"""A machine under test: starts dyad, talks to its monitor, reads screen, serial line and
pictures. For the scripts of tests/boot."""
import os, re, shutil, socket, struct, subprocess, sys, tempfile, time, zlib

PATIENCE = float(os.environ.get("PATIENCE", "1"))  # multiplies all limits of time


class Failed(Exception):
    pass


class Vm:
    def __init__(self, dyad, args, serial=True, display="none", env=None):
        self.dir = tempfile.mkdtemp(prefix="dyad-test-")
        self.serial_path = os.path.join(self.dir, "serial")
        self.err = open(os.path.join(self.dir, "err"), "wb")
        mon = os.path.join(self.dir, "mon")
        cmd = [os.path.abspath(dyad)] + list(args) + [
            "-display", display, "-serial", "file:" + self.serial_path if serial else "none",
            "-monitor", "unix:" + mon + ",server,nowait"]
        self.p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=self.err,
                                  stderr=self.err, cwd=self.dir,
                                  env={**os.environ, **(env or {})})
        self.mon = socket.socket(socket.AF_UNIX)
        for _ in range(300):
            try:
                self.mon.connect(mon)
                break
            except OSError:
                if self.p.poll() is not None:
                    break
                time.sleep(0.05)
        else:
            self.end()
            raise Failed("no monitor")
        if self.p.poll() is not None:
            raise Failed("it ended: " + self.errors())
        self.mon.settimeout(60)
        self._answer()

    def errors(self):
        return open(os.path.join(self.dir, "err"), errors="replace").read().strip()

    def _answer(self):
        got = b""
        while not got.endswith(b"(dyad) "):
            part = self.mon.recv(1 << 16)
            if not part:
                raise Failed("it ended: " + self.errors())
            got += part
        return got[:-7].decode(errors="replace")

    def do(self, *commands):
        """Gives monitor commands; the last one's answer without its echo."""
        said = ""
        for c in commands:
            try:
                self.mon.sendall(c.encode() + b"\n")
                said = self._answer()
            except OSError as e:
                raise Failed(f"monitor: {e}; {self.errors()}")
        return said.split("\n", 1)[-1]

    def keys(self, *names):
        for n in names:
            self.do("sendkey " + n + " 20")
            time.sleep(0.12)

    def type(self, text):
        names = {" ": "spc", "\n": "ret", "/": "slash", ".": "dot", "-": "minus",
                 "=": "equal", ":": "shift-semicolon", "\\": "backslash"}
        self.keys(*[names.get(c, "shift-" + c.lower() if c.isupper() else c) for c in text])

    def screen(self):
        """Text of a screen in text mode."""
        return self.do("info screen")

    def serial(self):
        try:
            return open(self.serial_path, errors="replace").read()
        except FileNotFoundError:
            return ""

    def picture(self, keep=None):
        """(width, height, rows of RGB bytes) of what is shown; keep: also a file there."""
        path = keep or os.path.join(self.dir, "shot.png")
        self.do("screendump " + path)
        return read_png(path)

    def wait(self, what, test, limit):
        """Until test() gives something true, which is returned."""
        end = time.time() + limit * PATIENCE
        while True:
            got = test()
            if got:
                return got
            if self.p.poll() is not None:
                raise Failed(f"{what}: dyad ended with {self.p.returncode}: {self.errors()}")
            if time.time() > end:
                raise Failed(f"{what}: not within {limit * PATIENCE:.0f} s; screen:\n" +
                             self.screen() + "\nserial line's end:\n" +
                             self.serial()[-1500:])
            time.sleep(0.3)

    def wait_screen(self, pattern, limit):
        return self.wait(f"'{pattern}' on the screen",
                         lambda: re.search(pattern, self.screen()), limit)

    def wait_serial(self, pattern, limit):
        return self.wait(f"'{pattern}' on the serial line",
                         lambda: re.search(pattern, self.serial()), limit)

    def wait_end(self, limit):
        try:
            return self.p.wait(limit * PATIENCE)
        except subprocess.TimeoutExpired:
            raise Failed(f"did not end within {limit} s; serial: " + self.serial()[-800:])

    def end(self):
        if self.p.poll() is None:
            try:
                self.mon.sendall(b"quit\n")
                self.p.wait(20)
            except (OSError, subprocess.TimeoutExpired):
                self.p.kill()
                self.p.wait()
        self.err.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        return self.p.returncode


def read_png(path):
    """8-bit RGB or RGBA without interlacing, which is what screendump writes."""
    data = open(path, "rb").read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise Failed("no PNG file")
    at, idat = 8, b""
    while at < len(data):
        n, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + n]
        if kind == b"IHDR":
            w, h, depth, colour = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            idat += body
        at += 12 + n
    if depth != 8 or colour not in (2, 6):
        raise Failed("unexpected kind of PNG")
    px = 3 if colour == 2 else 4
    raw, stride, prev, rows = zlib.decompress(idat), w * px, bytes(w * px), []
    for y in range(h):
        f, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:][:stride])
        for x in range(stride if f else 0):
            a = line[x - px] if x >= px else 0
            b, c = prev[x], prev[x - px] if x >= px else 0
            if f == 1:
                line[x] = line[x] + a & 255
            elif f == 2:
                line[x] = line[x] + b & 255
            elif f == 3:
                line[x] = line[x] + (a + b) // 2 & 255
            else:
                p = a + b - c
                near = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))
                line[x] = line[x] + near[2] & 255
        prev = bytes(line)
        rows.append(prev if px == 3 else
                    bytes(b for i, b in enumerate(prev) if i % 4 != 3))
    return w, h, rows


def colour(pic, x, y):
    return tuple(pic[2][y][3 * x:3 * x + 3])


def share(pic, rgb, box=None, near=12):
    """Share of the pixels in box (x0, y0, x1, y1) whose colour is near rgb. Of a whole
    picture every second one in both directions is looked at."""
    x0, y0, x1, y1 = box or (0, 0, pic[0], pic[1])
    step = 1 if box else 2
    n = total = 0
    for row in pic[2][y0:y1:step]:
        for x in range(3 * x0, 3 * x1, 3 * step):
            total += 1
            n += (abs(row[x] - rgb[0]) <= near and abs(row[x + 1] - rgb[1]) <= near and
                  abs(row[x + 2] - rgb[2]) <= near)
    return n / max(1, total)


class Report:
    """Runs named cases and prints PASS, FAIL or SKIP for each."""

    def __init__(self):
        self.failed = False
        self.passed = 0
        self.only = os.environ.get("CASES", "").split()

    def case(self, name, function, *args):
        if self.only and name.split(":")[0] not in self.only:
            return
        start = time.time()
        try:
            function(*args)
            self.passed += 1
            print(f"PASS: {name} ({time.time() - start:.1f} s)", flush=True)
        except Failed as e:
            self.failed = True
            print(f"FAIL: {name} ({time.time() - start:.1f} s): {e}", flush=True)

    def skip(self, name, why):
        print(f"SKIP: {name}: {why}", flush=True)

    def exit(self):
        sys.exit(1 if self.failed else 0 if self.passed else 77)
