"""cmd.exe with netsh, reg, ver, netstat, findstr and find: Windows 10 and later, and Windows XP.

What is imitated, and from where:
- OpenSSH for Windows hands the command to `cmd.exe /c`, or to PowerShell where that is the default
  shell (/etc/fakehost/powershell exists); of PowerShell only one form is known here: a program with
  words in single quotes, and `; exit $LASTEXITCODE`. Whatever else comes is refused, in PowerShell's
  words. cmd splits at &, && and ||, and knows quotes; nothing else of its grammar is imitated;
- netsh: KB 929851 and `netsh int ipv4 set dynamicportrange ?`: start from 1025 (1024 is taken, as
  real hosts show), at least 255 ports, end at most 65535; store=active until the next boot, and
  store=persistent, the default, now and at each boot; the English output, CRLF; exclusions that
  overlap are refused ("The process cannot access the file because it is being used by another
  process."); an exclusion holds for both families;
- netsh advfirewall firewall show rule name=all verbose prints /etc/fakehost/advfirewall;
- reg: query, add, delete of values under two keys (TCP's parameters, MS-RPC's ports); REG_DWORD in hex, REG_MULTI_SZ with \\0;
- Windows XP has no netsh dynamicport; it reads MaxUserPort and ReservedPorts at boot.
Not imitated: the registry as a tree, other languages, PowerShell.
"""

import json
import os
import re
import shlex
import sys

import store

RULES = "/etc/fakehost/advfirewall"
REGISTRY = "/var/lib/fakehost/registry"
KEY = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
LONG_KEY = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"
RPC_KEY = r"HKLM\Software\Microsoft\Rpc\Internet"
LONG_RPC_KEY = r"HKEY_LOCAL_MACHINE\Software\Microsoft\Rpc\Internet"
KEYS = {KEY.upper(): ("parameters", LONG_KEY), RPC_KEY.upper(): ("rpc", LONG_RPC_KEY)}
SLOTS = [f"{family} {protocol}" for family in ("ipv4", "ipv6") for protocol in ("tcp", "udp")]
DEFAULTS = {**{slot: [49152, 16384] for slot in SLOTS}, "excluded tcp": [], "excluded udp": []}
IS_XP = store.SYSTEM == "windows-xp"


def say(text=""):
    sys.stdout.write(text + "\r\n")


def kept():
    return json.load(open(REGISTRY)) if os.path.exists(REGISTRY) else {}


def keep(values):
    os.makedirs(os.path.dirname(REGISTRY), exist_ok=True)
    json.dump(values, open(REGISTRY, "w"))


def boot():
    values = kept()
    store.save({**DEFAULTS, **{key: value for key, value in values.items() if key in DEFAULTS}})


def cmd(words):
    """What sshd hands over, to the shell that is the default; words of its own are for cmd.exe."""
    line = os.environ.get("SSH_ORIGINAL_COMMAND")
    if line is None:
        return commands(" ".join(words))
    return powershell(line) if os.path.exists("/etc/fakehost/powershell") else commands(line)


def powershell(line):
    """`cmd /d /c ver`, or `cmd /d /s /c '"..."'; exit $LASTEXITCODE`."""
    if line == "cmd /d /c ver":
        return commands("ver")
    quoted = re.fullmatch(r"cmd /d /s /c '\"(.*)\"'; exit \$LASTEXITCODE", line)
    if not quoted:
        word = line.split()[0] if line.split() else ""
        return store.fail(f"{word} : The term '{word}' is not recognized as the name of a cmdlet")
    return commands(quoted[1].replace("''", "'"))


def commands(line):
    """Commands with &, && and || between; quotes keep these signs."""
    status = 0
    parts = re.split(r'(&&|\|\||&)(?=(?:[^"]*"[^"]*")*[^"]*$)', line)
    before = "&"
    for part in parts:
        if part in ("&", "&&", "||"):
            before = part
            continue
        if (before == "&&" and status) or (before == "||" and not status):
            continue
        status = command(part.strip())
    return status


def command(line):
    # A backslash is no escape sign to cmd.
    words = shlex.split(line.replace("\\", "\\\\"), posix=True)
    known = {"netsh": netsh, "reg": reg, "ver": ver, "netstat": netstat}
    if not words:
        return 0
    if words[0].lower() not in known:
        sys.stderr.write(f"'{words[0]}' is not recognized as an internal or external command,\r\n")
        sys.stderr.write("operable program or batch file.\r\n")
        return 1
    return known[words[0].lower()](words[1:]) or 0


def ver(_):
    say()
    say("Microsoft Windows XP [Version 5.1.2600]" if IS_XP
        else "Microsoft Windows [Version 10.0.20348.2700]")


def netstat(words):
    if "-q" in "".join(words) and IS_XP:
        return 1
    print(open("/etc/fakehost/netstat").read().replace("\n", "\r\n"), end="")


def refuse(text):
    say(text)
    say()
    return 1


def netsh(words):
    """netsh says what is wrong on standard output."""
    if not IS_XP and words == "advfirewall firewall show rule name=all verbose".split():
        if not os.path.exists(RULES):
            return refuse("No rules match the specified criteria.")
        sys.stdout.write(open(RULES, newline="").read())
        return 0
    if IS_XP or words[:1] not in (["int"], ["interface"]) or len(words) < 4:
        return refuse("The following command was not found: " + " ".join(words) + ".")
    family, verb, what = words[1], words[2], words[3]
    # Words without a name come in the order of the usage text.
    named, rest = {}, []
    for word in words[4:]:
        name, equals, value = word.partition("=")
        if equals:
            named[name.lower()] = value
        else:
            rest.append(word)
    protocol = named.get("protocol", rest[0] if rest else "")
    store_ = named.get("store", "")
    if family not in ("ipv4", "ipv6") or protocol not in ("tcp", "udp"):
        return refuse("The parameter is incorrect.")
    if store_ not in ("", "active", "persistent"):
        return refuse("The parameter is incorrect.")
    start = named.get("startport", named.get("start"))
    count = named.get("numberofports", named.get("num"))
    if what in ("dynamicport", "dynamicportrange"):
        return dynamic_port(verb, family, protocol, start, count, store_)
    if what == "excludedportrange":
        return excluded(verb, protocol, start, count, store_)
    return refuse("The following command was not found: " + " ".join(words) + ".")


def dynamic_port(verb, family, protocol, start, count, where):
    slot = f"{family} {protocol}"
    if verb == "show":
        first, number = store.load(DEFAULTS)[slot]
        say()
        say(f"Protocol {protocol} Dynamic Port Range")
        say("---------------------------------")
        say(f"Start Port      : {first}")
        say(f"Number of Ports : {number}")
        say()
        return 0
    if verb != "set" or not (start or "").isdigit() or not (count or "").isdigit():
        return refuse("The syntax supplied for this command is not valid. Check help for the correct syntax.")
    first, number = int(start), int(count)
    if first < 1024 or number < 255 or first + number - 1 > 65535 or store.is_refused(slot.replace(" ", "-")):
        return refuse("The parameter is incorrect.")
    change(slot, [first, number], where)
    say("Ok.")
    say()
    return 0


def change(name, value, where):
    store.save({**store.load(DEFAULTS), name: value})
    if where != "active":
        keep({**kept(), name: value})


def excluded(verb, protocol, start, count, where):
    name = f"excluded {protocol}"
    if verb == "show":
        say()
        say(f"Protocol {protocol} Port Exclusion Ranges")
        say()
        say("Start Port    End Port      ")
        say("----------    --------      ")
        for first, number in sorted(store.load(DEFAULTS)[name]):
            say(f"{first:>10}{first + number - 1:>12}     *")
        say()
        say("* - Administered port exclusions.")
        say()
        return 0
    if not (start or "").isdigit() or not (count or "").isdigit():
        return refuse("The syntax supplied for this command is not valid. Check help for the correct syntax.")
    entry = [int(start), int(count)]
    present = store.load(DEFAULTS)[name]
    overlaps = [
        [first, number] for first, number in present
        if first < entry[0] + entry[1] and entry[0] < first + number
    ]
    if verb == "add":
        if overlaps:
            return refuse("The process cannot access the file because it is being used by another process.")
        if store.is_refused("excluded-" + protocol):
            return refuse("The parameter is incorrect.")
        change(name, present + [entry], where)
    elif verb == "delete":
        if entry not in present:
            return refuse("The system cannot find the file specified.")
        change(name, [one for one in present if one != entry], where)
    say("Ok.")
    say()
    return 0


def reg(words):
    if len(words) < 2 or words[1].upper() not in KEYS:
        return refuse("ERROR: The system was unable to find the specified registry key or value.")
    rest, given = words[2:], {}
    while rest:
        flag = rest.pop(0).lower()
        given[flag] = rest.pop(0) if flag in ("/v", "/t", "/d") and rest else ""
    values = kept()
    kept_as, long_name = KEYS[words[1].upper()]
    parameters = values.setdefault(kept_as, {"Hostname": ["REG_SZ", "fake"]} if kept_as == "parameters" else {})
    name = given.get("/v")
    if words[0] == "query":
        found = {key: value for key, value in parameters.items() if name is None or key == name}
        if not found:
            return refuse("ERROR: The system was unable to find the specified registry key or value.")
        say()
        say(long_name)
        for key, (kind, data) in found.items():
            say(f"    {key}    {kind}    {hex(int(data, 0)) if kind == 'REG_DWORD' else data}")
        say()
        return 0
    if store.is_refused(name):
        return refuse("ERROR: Access is denied.")
    if words[0] == "add":
        parameters[name] = [given["/t"], given["/d"]]
    elif words[0] == "delete":
        if parameters.pop(name, None) is None:
            return refuse("ERROR: The system was unable to find the specified registry key or value.")
    keep(values)
    say("The operation completed successfully.")
    say()
    return 0
