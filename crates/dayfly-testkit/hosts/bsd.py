"""sysctl of the BSDs and macOS.

What is imitated, and from where:
- names, defaults and bounds: in_pcb.c of FreeBSD 13 and xnu-11417 (RANGECHK clamps; FreeBSD all six
  on every write, xnu only the written one), tcp_input.c of NetBSD (sysctl_net_inet_ip_ports: EINVAL
  outside 1024-65535 or 600-1023, or where the low end is not below the high one), ip_input.c of
  OpenBSD (0-65535, no cross check), in_pcb.c of DragonFly BSD;
- output: sysctl(8) of each: `name: value` (FreeBSD, DragonFly, macOS), `name = value` (NetBSD),
  `name=value` (OpenBSD); after a write `name: old -> new`;
- OpenBSD's baddynamic: sbin/sysctl/sysctl.c, parse_baddynamic and parse_ports: a whole list, or
  +PORT, -PORT and ranges of either; printed port by port;
- boot: rc.d/sysctl (FreeBSD, NetBSD) and rc (OpenBSD) read /etc/sysctl.conf line by line; current
  macOS does not, and runs the jobs of /Library/LaunchDaemons (launchd.plist(5), RunAtLoad).
Not imitated: every other node, securelevels, jails.
"""

import glob
import os
import plistlib
import shutil
import subprocess

import store

# The jobs that launchd has.
LOADED = "/run/fakehost/jobs"
RANGE = "net.inet.ip.portrange."
FREEBSD = {
    RANGE + "lowfirst": 1023, RANGE + "lowlast": 600,
    RANGE + "first": 10000, RANGE + "last": 65535,
    RANGE + "hifirst": 49152, RANGE + "hilast": 65535,
}
NETBSD = {
    tree + name: value
    for tree in ("net.inet.ip.", "net.inet6.ip6.")
    for name, value in (
        ("anonportmin", 49152), ("anonportmax", 65535), ("lowportmin", 600), ("lowportmax", 1023),
    )
}
OPENBSD = {
    "net.inet.ip.portfirst": 1024, "net.inet.ip.portlast": 49151,
    "net.inet.ip.porthifirst": 49152, "net.inet.ip.porthilast": 65535,
    "net.inet.tcp.baddynamic": [587, 749, 750, 751, 853, 871, 2049] + list(range(6000, 6011)),
    "net.inet.udp.baddynamic": [623, 664, 749, 750, 751, 2049, 3784, 3785, 7784],
}
DEFAULTS = {
    "freebsd": FREEBSD,
    "dragonfly": {**FREEBSD, RANGE + "first": 1024, RANGE + "last": 5000},
    "macos": {**FREEBSD, RANGE + "first": 49152},
    "netbsd": NETBSD,
    "openbsd": OPENBSD,
}.get(store.SYSTEM, {})
EQUALS = {"netbsd": " = ", "openbsd": "="}.get(store.SYSTEM, ": ")


def shown(value):
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def clamp(name, value):
    low, high = (1, 1023) if "low" in name else (1024, 65535)
    return min(max(value, low), high)


def checked(values, name, value):
    """The settings after a write, or the reason why there is none."""
    after = {**values, name: value}
    if store.SYSTEM in ("freebsd", "dragonfly"):
        return {name: clamp(name, value) for name, value in after.items()}, None
    if store.SYSTEM == "macos":
        return {**after, name: clamp(name, value)}, None
    if store.SYSTEM == "openbsd":
        return (after, None) if 0 <= value <= 65535 else (None, "Invalid argument")
    kind = "lowport" if "lowport" in name else "anonport"
    tree = name.rsplit(".", 1)[0] + "."
    low, high = after[tree + kind + "min"], after[tree + kind + "max"]
    least, most = (600, 1023) if kind == "lowport" else (1024, 65535)
    if not (least <= value <= most and low < high):
        return None, "Invalid argument"
    return after, None


def ports(text):
    low, _, high = text.partition("-")
    return range(int(low), int(high or low) + 1)


def bad_dynamic(present, text):
    """parse_baddynamic: signs change the list, none replaces it, both together are an error."""
    items = text.replace(" ", ",").replace("\t", ",").split(",")
    signed = [item for item in items if item[:1] in "+-" and item]
    if signed and len(signed) != len(items):
        return None
    result = set(present) if signed else set()
    for item in filter(None, items):
        chosen = ports(item.lstrip("+-"))
        result = result - set(chosen) if item[0] == "-" else result | set(chosen)
    return sorted(result)


def write(values, word, quiet):
    name, _, text = word.partition("=")
    name, text = name.strip(), text.strip().strip('"')
    if name not in values:
        store.fail(f"sysctl: unknown oid '{name}'")
        return values, 1
    failed = "sysctl() failed with " if store.SYSTEM == "netbsd" else ""
    if os.geteuid() != 0 or store.is_refused(name):
        store.fail(f"sysctl: {name}: {failed}Operation not permitted")
        return values, 1
    old = values[name]
    if isinstance(old, list):
        new = bad_dynamic(old, text)
        if new is None:
            store.fail("sysctl: cannot mix +/- with full list")
            return values, 1
        values = {**values, name: new}
    else:
        if not text.lstrip("-").isdigit():
            store.fail(f"sysctl: invalid integer '{text}'")
            return values, 1
        after, error = checked(values, name, int(text))
        if error:
            store.fail(f"sysctl: {name}: {failed}{error}")
            return values, 1
        values = after
    store.save(values)
    if not quiet:
        print(f"{name}: {shown(old)} -> {shown(values[name])}")
    return values, 0


def sysctl(words):
    values = store.load(DEFAULTS)
    flags = [word for word in words if word.startswith("-")]
    names = [word for word in words if not word.startswith("-")]
    bare, writes = "-n" in flags, "-w" in flags
    if "-f" in flags:
        return read_file(names[0])
    status = 0
    for word in names:
        if "=" in word:
            # Only NetBSD wants to be told that this is a write.
            if store.SYSTEM == "netbsd" and not writes:
                status = store.fail("sysctl: Must specify -w to set variables")
                continue
            values, code = write(values, word, "-q" in flags)
            status = code or status
            continue
        found = [name for name in values if name == word or name.startswith(word + ".")]
        if not found:
            status = store.fail(f"sysctl: unknown oid '{word}'")
        for name in found if store.SYSTEM != "freebsd" else sorted(found):
            print(shown(values[name]) if bare else f"{name}{EQUALS}{shown(values[name])}")
    return status


def read_file(path):
    values = store.load(DEFAULTS)
    lines = open(path).read().replace("\\\n", "").split("\n") if os.path.exists(path) else []
    for line in lines:
        line = line.split("#")[0].strip()
        if "=" in line:
            values, _ = write(values, line, True)
    return 0


def boot():
    if store.SYSTEM != "macos":
        read_file("/etc/sysctl.conf")
        return
    shutil.rmtree(LOADED, ignore_errors=True)
    os.makedirs(LOADED)
    for path in sorted(glob.glob("/Library/LaunchDaemons/*.plist")):
        if start(path):
            open(f"{LOADED}/{label_of(path)}", "w").close()


def label_of(path):
    return os.path.basename(path).removesuffix(".plist")


def start(path):
    """What launchd does with a job that is loaded."""
    try:
        job = plistlib.load(open(path, "rb"))
    except (OSError, plistlib.InvalidFileException, ValueError):
        return False
    # launchd takes no job that others than root could have written.
    status = os.stat(path)
    if status.st_uid != 0 or status.st_mode & 0o022:
        return False
    if job.get("RunAtLoad"):
        subprocess.run(job["ProgramArguments"], stdout=subprocess.DEVNULL, check=False)
    return True



def launchctl(words):
    """bootstrap, bootout, enable and print of launchctl(1), for the domain `system`."""
    os.makedirs(LOADED, exist_ok=True)
    if words[:2] == ["bootstrap", "system"]:
        path = words[2]
        label = label_of(path)
        if os.path.exists(f"{LOADED}/{label}") or not os.path.exists(path) or not start(path):
            return store.fail("Bootstrap failed: 5: Input/output error", 5)
        open(f"{LOADED}/{label}", "w").close()
        return 0
    if words[:1] == ["bootout"] and words[1].startswith("system/"):
        label = words[1].removeprefix("system/")
        if not os.path.exists(f"{LOADED}/{label}"):
            return store.fail("Boot-out failed: 3: No such process", 3)
        os.remove(f"{LOADED}/{label}")
        return 0
    if words[:1] == ["print"] and words[1].startswith("system/"):
        label = words[1].removeprefix("system/")
        if not os.path.exists(f"{LOADED}/{label}"):
            return store.fail(f'Could not find service "{label}" in domain for system', 113)
        print(f"system/{label} = {{\n\tstate = not running\n}}")
        return 0
    return store.fail("Unrecognized subcommand", 64)


def plutil(words):
    path = words[-1]
    try:
        plistlib.load(open(path, "rb"))
    except (OSError, ValueError, plistlib.InvalidFileException) as error:
        return store.fail(f"{path}: {error}")
    print(f"{path}: OK")
    return 0
