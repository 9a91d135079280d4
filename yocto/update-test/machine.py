"""A unit in QEMU: a disk, a TPM, a USB port for sticks, and a shell on the second serial port."""

import base64
import hashlib
import json
import pathlib
import shutil
import socket
import subprocess
import time


# The unit's clock counts what its emulated processor does, so that it does not run out of time where this machine has none for it.
CLOCK = ("-icount", "shift=1")


class Failure(Exception):
    pass


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{command[0]} {command[1]}: {done.stderr.strip()}")


class Machine:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.disk = folder / "unit.img"
        self.console = folder / "console.log"
        self.process = self.tpm = self.inserted = None
        self.answers = 0
        shutil.rmtree(folder / "tpm", ignore_errors=True)
        (folder / "tpm").mkdir()
        shutil.copy("/usr/share/OVMF/OVMF_VARS_4M.fd", folder / "variables.fd")
        self.console.write_text("")
        # The disk that was made stays as it is, for the next trial.
        run("cp", "--sparse=always", folder / "disk.img", self.disk)

    def start(self):
        """Power on. The firmware's variables and the TPM keep what they hold, as a board's do.

        When the unit restarts, QEMU ends, and `ask` starts it anew: one that went on would keep the code that it has translated,
        and a firmware whose stack then lies where there was code crawls.
        """
        sockets = {name: self.folder / f"{name}.socket" for name in ("tpm", "shell", "qmp")}
        for path in sockets.values():
            path.unlink(missing_ok=True)
        self.tpm = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder / 'tpm'}", "--ctrl", f"type=unixio,path={sockets['tpm']}"],
            stderr=subprocess.DEVNULL,
        )
        wait_for(10, "the TPM", sockets["tpm"].exists)
        self.process = subprocess.Popen(
            [
                "qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", *CLOCK, "-m", "1536", "-no-reboot",
                "-display", "none", "-nodefaults",
                "-drive", "if=pflash,format=raw,unit=0,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
                "-drive", f"if=pflash,format=raw,unit=1,file={self.folder / 'variables.fd'}",
                "-drive", f"if=virtio,format=raw,discard=unmap,file={self.disk}",
                "-chardev", f"file,id=console,append=on,path={self.console}", "-serial", "chardev:console",
                "-chardev", f"socket,id=shell,path={sockets['shell']},server=on,wait=off", "-serial", "chardev:shell",
                "-chardev", f"socket,id=tpm,path={sockets['tpm']}", "-tpmdev", "emulator,id=tpm,chardev=tpm", "-device", "tpm-tis,tpmdev=tpm",
                "-device", "qemu-xhci,id=usb", "-device", "virtio-rng-pci", "-qmp", f"unix:{sockets['qmp']},server=on,wait=off",
            ]
        )
        wait_for(20, "QEMU", lambda: sockets["qmp"].exists() and sockets["shell"].exists())
        self.qmp = connect(sockets["qmp"])
        self.qmp_lines = self.qmp.makefile("r")
        self.qmp_lines.readline()
        self.monitor("qmp_capabilities")
        self.shell = connect(sockets["shell"])
        self.heard = b""
        if self.inserted:
            self.plug(self.inserted)

    def cut(self):
        """Power off without a word to anybody. The stick is out then."""
        for process in (self.process, self.tpm):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        self.process = self.tpm = self.inserted = None

    def restarting(self):
        """Whether the unit has begun to restart."""
        return self.process.poll() is not None

    def start_anew(self):
        inserted = self.inserted
        self.cut()
        self.inserted = inserted
        self.start()

    def monitor(self, command, **arguments):
        self.qmp.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            line = self.qmp_lines.readline()
            if not line:
                raise ConnectionResetError("QEMU has ended")
            answer = json.loads(line)
            if "error" in answer:
                raise Failure(f"QEMU does not {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def plug(self, stick: pathlib.Path):
        self.inserted = stick
        self.monitor("blockdev-add", driver="raw", **{"node-name": "stick", "file": {"driver": "file", "filename": str(stick)}})
        self.monitor("device_add", driver="usb-storage", id="stick", drive="stick", bus="usb.0", removable=True)

    def unplug(self):
        self.inserted = None
        try:
            self.monitor("device_del", id="stick")
            wait_for(20, "the stick to be out", self.is_out)
        except ConnectionError:
            wait_for(20, "QEMU to end", self.restarting)

    def is_out(self):
        try:
            self.monitor("blockdev-del", **{"node-name": "stick"})
        except Failure:
            return False
        return True

    def ask(self, command, seconds=60):
        """The exit status and what a command says on the unit; None where nobody answers in time."""
        if self.restarting():
            self.start_anew()
        self.answers += 1
        number = str(self.answers).encode()
        end = time.monotonic() + seconds
        try:
            self.shell.sendall(number + b" " + base64.b64encode(command.encode()) + b"\n")
        except ConnectionError:
            return None
        while time.monotonic() < end:
            while b"\n" in self.heard:
                line, self.heard = self.heard.split(b"\n", 1)
                words = line.strip().split(b" ")
                if words[0] == number and len(words) == 3:
                    return int(words[1]), base64.b64decode(words[2]).decode(errors="replace").strip()
            self.shell.settimeout(1)
            try:
                heard = self.shell.recv(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                return None
            if not heard:
                return None
            self.heard += heard
        return None

    def says(self, command, seconds=60):
        answer = self.ask(command, seconds)
        if answer is None:
            raise Failure(f"the unit does not answer: {command}")
        return answer[1]

    def holds(self, command):
        answer = self.ask(command, 20)
        return answer is not None and answer[0] == 0

    def slot(self, name):
        """The bytes of a system's partition, as a digest."""
        listed = subprocess.run(["sgdisk", "--print", self.disk], capture_output=True, text=True, check=True).stdout
        first, last = next((int(w[1]), int(w[2])) for w in map(str.split, listed.splitlines()) if w and w[-1] == name)
        with open(self.disk, "rb") as disk:
            disk.seek(512 * first)
            return digest(disk, 512 * (last - first + 1))


def digest(file, length):
    sum = hashlib.sha256()
    while length > 0:
        block = file.read(min(length, 1 << 20))
        sum.update(block)
        length -= len(block)
    return sum.hexdigest()


def connect(path):
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(str(path))
    return peer


def wait_for(seconds, what, holds, every=0.3):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise Failure(f"waited {seconds} s in vain for {what}")
        time.sleep(every)
