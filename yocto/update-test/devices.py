"""A camera by the kernel's own driver, in front of the packaged service in its sandbox.

It is the kernel's virtual one, `vivid`, which offers the sizes and rates of a webcam.
"""

import contextlib
import json
import re

from machine import Failure, wait_for

CONFIGURATION = "/etc/milepost/milepost.toml"
ALLOWED = "/run/systemd/system/milepost.service.d/90-camera.conf"
TOKEN = "seven blue herons over the weir"
# On an emulated processor.
SOON_S = 300
# Of a webcam's modes the one with the most pixels that come at least fifteen times a second.
MODE = ("640", "480")


@contextlib.contextmanager
def configured(machine):
    """Gives what sets the camera's source and starts the unit with it; all is as it was in the end."""

    def source(path):
        machine.says(f"sed -i 's|^source = .*|source = \"{path}\"|' {CONFIGURATION}; systemctl restart milepost.service", SOON_S)

    machine.says(f"cp {CONFIGURATION} /run/kept.toml; echo '{TOKEN}' >/run/metrics-token")
    # The installed configuration may have the table already.
    token = 'metrics_token = "/run/metrics-token"'
    machine.says(f"grep -q '^.console.$' {CONFIGURATION} || echo '[console]' >>{CONFIGURATION}; sed -i 's|^.console.$|&\\n{token}|' {CONFIGURATION}")
    try:
        yield source
    finally:
        machine.says(f"cat /run/kept.toml >{CONFIGURATION}; rm -f {ALLOWED}; systemctl daemon-reload; systemctl restart milepost.service", SOON_S)


def metric(machine, name, label=""):
    page = machine.says(f"curl --silent --insecure --header 'Authorization: Bearer {TOKEN}' https://127.0.0.1:8443/metrics")
    found = re.search(rf"^milepost_{name}(?:\{{[^}}]*{label}[^}}]*\}})? (\S+)$", page, re.M)
    return float(found[1]) if found else None


def logged(machine, message):
    """The last line of the running program with this message, by its fields."""
    of = "_SYSTEMD_INVOCATION_ID=$(systemctl show --value --property InvocationID milepost.service)"
    line = machine.says(f"journalctl --sync; journalctl {of} --output json --lines 1 --grep '{message}'")
    return json.loads(line) if line.startswith("{") else {}


def process(machine):
    return machine.says("systemctl show --value --property MainPID milepost.service")


def streams(machine):
    wait_for(SOON_S, "the camera's pictures", lambda: (metric(machine, "camera_frames_per_second") or 0) > 0, every=2)
    told = logged(machine, "camera streams")
    if (told.get("F_WIDTH"), told.get("F_HEIGHT")) != MODE:
        raise Failure(f"the camera streams otherwise than {MODE}: {told}")


def camera(machine, ok):
    with configured(machine) as source:
        machine.says("modprobe vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0")
        wait_for(60, "the camera's two names", lambda: machine.holds("test -c /dev/video0 -a -c /dev/milepost/camera-*"))
        name = machine.says("ls /dev/milepost/camera-*")
        for path in ("/dev/video0", name):
            source(path)
            streams(machine)
            rate = metric(machine, "camera_frames_per_second")
            ok(f"a camera as {path}: {' x '.join(MODE)} pixels, {rate:.0f} a second here")

        before = process(machine)
        machine.says("echo vivid.0 >/sys/bus/platform/drivers/vivid/unbind")
        wait_for(SOON_S, "the loss to be told", lambda: metric(machine, "camera_streaming") == 0, every=2)
        said = logged(machine, "camera lost").get("F_FAULT")
        machine.says("echo vivid.0 >/sys/bus/platform/drivers/vivid/bind")
        streams(machine)
        if process(machine) != before:
            raise Failure("the program was started anew")
        ok(f"a camera that is pulled out and plugged in again: told ({said}), and taken up by itself")

        group = "/sys/fs/cgroup/system.slice/milepost.service/cgroup.procs"
        disk = "! head -c 1 /dev/vda && ! head -c 1 /dev/mapper/milepost-data"
        if not machine.holds(f"echo $$ >{group} && : <>{name} && {disk}"):
            raise Failure("behind the service's walls more can be opened than cameras, or less")
        if machine.holds(f"setpriv --reuid nobody --clear-groups test -r {name}"):
            raise Failure("everybody may look through the camera")
        ok("behind the service's walls a camera can be opened, and no disk, even by root")

        source("/usr/share/update-test/")
        machine.says("modprobe -r vivid && modprobe vivid n_devs=2 node_types=0x1,0x1 num_inputs=1,1 input_types=0x0,0x0")
        wait_for(60, "two cameras", lambda: machine.holds("test -c /dev/video0 -a -c /dev/video1"))
        machine.says(f"mkdir -p {ALLOWED.rpartition('/')[0]}; printf '[Service]\\nDeviceAllow=\\nDeviceAllow=/dev/video1 rw\\n' >{ALLOWED}")
        machine.says("systemctl daemon-reload")
        source("/dev/video0")
        wait_for(SOON_S, "the refusal", lambda: "may not be opened" in logged(machine, "camera lost").get("F_FAULT", ""), every=2)
        source("/dev/video1")
        streams(machine)
        ok("a unit that is allowed one camera opens that, and says of another that it may not")
    machine.says("modprobe -r vivid")
