"""ipadm of illumos and Solaris 11, and the service manager.

What is imitated, and from where:
- ipadm(8): `show-prop [-c] [-o FIELDS] -p NAMES PROTOCOL`, `set-prop [-t] -p NAME=VALUE PROTOCOL`,
  `reset-prop [-t] -p NAME PROTOCOL`; the table and its columns from Oracle's "Setting UDP and TCP
  kernel parameters manually"; the message of a refusal from ipadm's own table of errors;
- limits and ERANGE where the ends of TCP or UDP would cross: illumos tcp_tunables.c and
  udp_tunables.c; SCTP is not checked there;
- what -t does not say is kept in /etc/ipadm/ipadm.conf, and set again at boot;
- svccfg(8): `validate FILE`, `import FILE`, `delete FMRI`; svcadm(8): enable, disable; svcs -H -o
  state FMRI; at boot every enabled service runs its start method. The manifest is read as XML, and
  has to name service, instance and exec_method.
Not imitated: everything else of SMF, such as dependencies.
"""

import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree

import store

CONF = "/etc/ipadm/ipadm.conf"
DEFAULTS = {
    f"{protocol} {end}_anon_port": value
    for protocol in ("tcp", "udp", "sctp")
    for end, value in (("smallest", 32768), ("largest", 65535))
}
POSSIBLE = {"smallest_anon_port": "1024-65535", "largest_anon_port": "1024-65535"}


def kept():
    return json.load(open(CONF)) if os.path.exists(CONF) else {}


def keep(values):
    os.makedirs(os.path.dirname(CONF), exist_ok=True)
    json.dump(values, open(CONF, "w"), indent=0)


def refusal(values, protocol, name, value):
    if not 1024 <= value <= 65535 or store.is_refused(name):
        return "Invalid argument" if store.is_refused(name) else "Property value out of range"
    after = {**values, f"{protocol} {name}": value}
    if protocol != "sctp":
        if after[f"{protocol} smallest_anon_port"] > after[f"{protocol} largest_anon_port"]:
            return "Result too large"
    return None


def ipadm(words):
    verb, rest = words[0], words[1:]
    temporary, parsable, fields, names, protocol = False, False, None, None, None
    while rest:
        word = rest.pop(0)
        if word == "-t":
            temporary = True
        elif word == "-c":
            parsable = True
        elif word == "-o":
            fields = rest.pop(0).split(",")
        elif word == "-p":
            names = rest.pop(0)
        else:
            protocol = word
    values, persistent = store.load(DEFAULTS), kept()
    if verb == "show-prop":
        return show(values, persistent, names.split(","), protocol, parsable, fields)
    name, _, text = names.partition("=")
    key = f"{protocol} {name}"
    if key not in DEFAULTS:
        return store.fail(f"ipadm: {verb}: {name}: Unknown property")
    value = DEFAULTS[key] if verb == "reset-prop" else int(text)
    reason = refusal(values, protocol, name, value)
    if reason:
        return store.fail(f"ipadm: {verb}: {name}: {reason}")
    values[key] = value
    store.save(values)
    if not temporary:
        persistent.pop(key, None)
        if verb == "set-prop":
            persistent[key] = value
        keep(persistent)
    return 0


def show(values, persistent, names, protocol, parsable, fields):
    columns = ["PROTO", "PROPERTY", "PERM", "CURRENT", "PERSISTENT", "DEFAULT", "POSSIBLE"]
    wanted = [field.upper() for field in fields] if fields else columns
    rows = []
    for name in names:
        key = f"{protocol} {name}"
        if key not in DEFAULTS:
            return store.fail(f"ipadm: show-prop: {name}: Unknown property")
        none = "" if parsable else "--"
        row = dict(zip(columns, [
            protocol, name, "rw", str(values[key]), str(persistent.get(key, none)),
            str(DEFAULTS[key]), POSSIBLE[name],
        ]))
        rows.append([row[column] for column in wanted])
    if parsable:
        for row in rows:
            print(":".join(row))
        return 0
    widths = [max(len(row[at]) for row in [wanted] + rows) for at in range(len(wanted))]
    for row in [wanted] + rows:
        print(" ".join(f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip())
    return 0


# The service manager.
REPOSITORY = "/etc/svc/fakehost.json"


def services():
    return json.load(open(REPOSITORY)) if os.path.exists(REPOSITORY) else {}


def write_services(values):
    os.makedirs(os.path.dirname(REPOSITORY), exist_ok=True)
    json.dump(values, open(REPOSITORY, "w"))


def fmri(word):
    return word.removeprefix("svc:/").removesuffix(":default")


def parsed(path):
    service = ElementTree.parse(path).getroot().find("service")
    methods = {method.get("name"): method.get("exec") for method in service.iter("exec_method")}
    instance = service.find("create_default_instance")
    return service.get("name"), {"methods": methods, "enabled": instance.get("enabled") == "true"}


def run_method(service, name):
    command = service["methods"].get(name, ":true")
    return 0 if command == ":true" else subprocess.run(["/bin/sh", "-c", command], check=False).returncode


def svccfg(words):
    found = services()
    if words[0] in ("validate", "import"):
        try:
            name, service = parsed(words[1])
        except (OSError, AttributeError, ElementTree.ParseError) as error:
            return store.fail(f"svccfg: {words[1]}: {error}")
        if words[0] == "import":
            found[name] = service
            write_services(found)
            if service["enabled"]:
                return run_method(service, "start")
        return 0
    if words[0] == "delete":
        if found.pop(fmri(words[-1]), None) is None:
            return store.fail(f'svccfg: Pattern "{words[-1]}" doesn\'t match any instances or services')
        write_services(found)
        return 0
    return store.fail("svccfg: unknown subcommand")


def svcadm(words):
    found = services()
    service = found.get(fmri(words[-1]))
    if service is None:
        return store.fail(f'svcadm: Pattern "{words[-1]}" doesn\'t match any instances')
    service["enabled"] = words[0] == "enable"
    write_services(found)
    return run_method(service, "start" if service["enabled"] else "stop")


def svcs(words):
    service = services().get(fmri(words[-1]))
    if service is None:
        return store.fail(f'svcs: Pattern "{words[-1]}" doesn\'t match any instances')
    print("online" if service["enabled"] else "disabled")
    return 0


def start_services():
    for service in services().values():
        if service["enabled"]:
            run_method(service, "start")


def boot():
    store.save({**DEFAULTS, **kept()})
    start_services()
