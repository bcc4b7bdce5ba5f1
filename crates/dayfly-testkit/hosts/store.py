"""Where a fake host keeps what is in force."""

import json
import os
import subprocess
import sys

SYSTEM = open("/etc/fakehost/system").read().strip()
# Gone after a boot.
VALUES = "/run/fakehost/values"
# Names of settings, one a line, whose next writes the kernel refuses: a test puts them there.
REFUSED = "/run/fakehost/refuse"


def load(defaults):
    """The settings in force."""
    values = dict(defaults)
    if os.path.exists(VALUES):
        values.update(json.load(open(VALUES)))
    return values


def save(values):
    os.makedirs(os.path.dirname(VALUES), exist_ok=True)
    with open(VALUES + ".new", "w") as file:
        json.dump(values, file)
    os.rename(VALUES + ".new", VALUES)


def forget():
    for path in (VALUES, REFUSED):
        if os.path.exists(path):
            os.remove(path)


def is_refused(name):
    return os.path.exists(REFUSED) and name in open(REFUSED).read().split()


def fail(text, status=1):
    print(text, file=sys.stderr)
    return status


def run_scripts(folder, start):
    """The scripts of a boot in the order of their names: those that begin with `start`."""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        path = os.path.join(folder, name)
        if name.startswith(start) and os.path.exists(path):
            subprocess.run(["/bin/sh", path, "start"], check=False)
