"""ndd of HP-UX and of Solaris up to 10, and their boot.

What is imitated, and from where:
- ndd(1M) of HP-UX 11i: `-get DEVICE NAME`, `-set DEVICE NAME VALUE` (a decimal number or 0x), `-c`
  (read /etc/rc.config.d/nddconf); values are shown in decimal; limits 1024-65535 and no check of the
  ends against each other (white paper "HP-UX TCP/IP performance", March 2008, pages 73 and 80);
- nddconf: TRANSPORT_NAME[n], NDD_NAME[n], NDD_VALUE[n]; applied at boot by S340net in the order of
  the indices;
- ndd(1M) of Solaris 10: several names at once, a blank line between values, limits 1024-65535 as in
  the Tunable Parameters Reference Manual;
- boot: HP-UX runs /sbin/rc2.d/S*, Solaris /etc/rc2.d/S*, in the order of the names.
Not imitated: every other parameter.
"""

import os
import re

import store

PROTOCOLS = ("tcp", "udp") if store.SYSTEM == "hpux" else ("tcp", "udp", "sctp")
LOW = 49152 if store.SYSTEM == "hpux" else 32768
DEFAULTS = {
    f"{protocol}_{end}_anon_port": value
    for protocol in PROTOCOLS
    for end, value in (("smallest", LOW), ("largest", 65535))
}
NDDCONF = "/etc/rc.config.d/nddconf"


def number(text):
    try:
        return int(text, 0)
    except ValueError:
        return -1


def set_one(device, name, text):
    values = store.load(DEFAULTS)
    if name not in values or not name.startswith(os.path.basename(device) + "_"):
        return store.fail(f"operation failed: No such file or directory ({name})")
    value = number(text)
    if not 1024 <= value <= 65535 or store.is_refused(name):
        return store.fail("operation failed: Invalid argument")
    values[name] = value
    store.save(values)
    low, high = (values[f"{name.split('_')[0]}_{end}_anon_port"] for end in ("smallest", "largest"))
    if low > high:
        # HP-UX takes it and behaves undefined: the tests look for this.
        open("/var/tmp/fakehost-crossed", "a").write(f"{name}: {low} > {high}\n")
    return 0


def ndd(words):
    if words == ["-c"] and store.SYSTEM == "hpux":
        return configured()
    if words[:1] == ["-set"] and len(words) == 4:
        return set_one(*words[1:])
    if words[:1] == ["-get"]:
        words = words[1:]
    if len(words) < 2 or not words[0].startswith("/dev/"):
        return store.fail("usage: ndd [-get | -set] device name [value]")
    values = store.load(DEFAULTS)
    protocol = os.path.basename(words[0]) + "_"
    for at, name in enumerate(words[1:]):
        if name not in values or not name.startswith(protocol):
            return store.fail("operation failed: No such file or directory")
        print(("\n" if at else "") + str(values[name]))
    return 0


def configured():
    text = open(NDDCONF).read() if os.path.exists(NDDCONF) else ""
    entries = {}
    for name, index, value in re.findall(r"^(TRANSPORT_NAME|NDD_NAME|NDD_VALUE)\[(\d+)\]=(.*)$", text, re.M):
        entries.setdefault(int(index), {})[name] = value.strip("\"'")
    status = 0
    for index in sorted(entries):
        entry = entries[index]
        # ndd -c stops at the first index that is missing.
        if index != list(sorted(entries)).index(index):
            return store.fail(f"ndd: index {index} does not follow")
        if len(entry) != 3 or set_one("/dev/" + entry["TRANSPORT_NAME"], entry["NDD_NAME"], entry["NDD_VALUE"]):
            status = 1
    return status


def boot():
    if store.SYSTEM == "hpux":
        configured()
        store.run_scripts("/sbin/rc2.d", "S")
    else:
        store.run_scripts("/etc/rc2.d", "S")
        import illumos

        illumos.start_services()
