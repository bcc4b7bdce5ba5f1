#!/usr/bin/python3 -IS
"""A command of an operating system that is not here.

Every command that a fake host has is a link to this file; under which name it is called, and what
/etc/fakehost/system says, decide what it does. The settings in force are in /run/fakehost, which a
boot empties; what survives is what the real system keeps, in the files where it keeps it.

    uname, oslevel, getprop, sw_vers    which system it is
    sysctl                              bsd.py: FreeBSD, DragonFly BSD, macOS, NetBSD, OpenBSD
    plutil, launchctl                   bsd.py: macOS
    no                                  aix.py
    ndd                                 ndd.py: HP-UX, Solaris 10
    ipadm, svccfg, svcadm, svcs         illumos.py: illumos and Solaris 11 (the last three: Solaris 10 too)
    sysconfig, sysconfigdb              tru64.py
    cmd                                 windows.py: the login shell of Windows, with its commands
    netstat                             prints /etc/fakehost/netstat
    fakehost-boot                       what happens at boot, without the boot
"""

import os
import sys

sys.path.insert(0, "/usr/lib/fakehost")
sys.dont_write_bytecode = True

import store

RELEASES = {
    "aix": ("AIX", "3", "7"),
    "android": ("Linux", "4.14.186", "#1 SMP PREEMPT"),
    "bsdos": ("BSD/OS", "4.3", "BSDI BSD/OS 4.3 Kernel #0"),
    "dragonfly": ("DragonFly", "6.4-RELEASE", "DragonFly v6.4.0-RELEASE"),
    "freebsd": ("FreeBSD", "14.1-RELEASE-p5", "FreeBSD 14.1-RELEASE-p5 GENERIC"),
    "hpux": ("HP-UX", "B.11.31", "U"),
    "illumos": ("SunOS", "5.11", "omnios-r151048-6d7b7d2b1a"),
    "irix": ("IRIX64", "6.5", "07202013"),
    "macos": ("Darwin", "23.5.0", "Darwin Kernel Version 23.5.0"),
    "netbsd": ("NetBSD", "10.0", "NetBSD 10.0 (GENERIC)"),
    "openbsd": ("OpenBSD", "7.5", "GENERIC.MP#82"),
    "solaris": ("SunOS", "5.10", "Generic_147148-26"),
    "tru64": ("OSF1", "V5.1", "2650"),
}


def uname(words):
    name, release, version = RELEASES[store.SYSTEM]
    parts = {"-s": name, "-r": release, "-v": version}
    print(" ".join(parts[word] for word in words or ["-s"]))


def boot(_):
    """Forget what is in force, then do what the system's own boot does."""
    store.forget()
    if store.SYSTEM in ("freebsd", "dragonfly", "macos", "netbsd", "openbsd"):
        import bsd

        bsd.boot()
    elif store.SYSTEM == "aix":
        import aix

        aix.boot()
    elif store.SYSTEM in ("hpux", "solaris"):
        import ndd

        ndd.boot()
    elif store.SYSTEM == "illumos":
        import illumos

        illumos.boot()
    elif store.SYSTEM == "tru64":
        import tru64

        tru64.boot()
    elif store.SYSTEM in ("windows", "windows-xp"):
        import windows

        windows.boot()
    elif store.SYSTEM == "android":
        # The kernel is the real one. Magisk and KernelSU run what lies there; stock Android has
        # nothing of the kind.
        for name, value in (("port_range", "32768 60999"), ("reserved_ports", "")):
            open("/proc/sys/net/ipv4/ip_local_" + name, "w").write(value + "\n")
        store.run_scripts("/data/adb/service.d", "")


def netstat(words):
    """-f inet and -f inet6 part the families, -p PROTOCOL the protocols, as far as lines tell."""
    for line in open("/etc/fakehost/netstat"):
        name = line.split(" ")[0]
        if "-f" in words and (words[words.index("-f") + 1] == "inet6") != name.endswith("6"):
            continue
        if "-p" in words and name[:3] in ("tcp", "udp") and not name.startswith(words[-1]):
            continue
        print(line, end="")


def main():
    command = os.path.basename(sys.argv[0])
    words = sys.argv[1:]
    if command == "sysctl" or command in ("plutil", "launchctl"):
        import bsd

        done = {"sysctl": bsd.sysctl, "plutil": bsd.plutil, "launchctl": bsd.launchctl}[command](words)
    elif command == "no":
        import aix

        done = aix.no(words)
    elif command == "ndd":
        import ndd

        done = ndd.ndd(words)
    elif command in ("ipadm", "svccfg", "svcadm", "svcs"):
        import illumos

        done = getattr(illumos, command)(words)
    elif command in ("sysconfig", "sysconfigdb"):
        import tru64

        done = getattr(tru64, command)(words)
    elif command == "cmd":
        import windows

        done = windows.cmd(words)
    else:
        answers = {
            "uname": uname,
            "oslevel": lambda _: print("7.3.0.0"),
            "getprop": lambda _: print("11"),
            "sw_vers": lambda _: print("14.5"),
            "netstat": netstat,
            "fakehost-boot": boot,
        }
        done = answers[command](words)
    sys.exit(done or 0)


main()
