"""sysconfig and sysconfigdb of Tru64 UNIX, and /etc/sysconfigtab.

What is imitated, and from where: sysconfig(8): `-q SUBSYSTEM [ATTRIBUTE...]`, `-r SUBSYSTEM
NAME=VALUE...`, which applies one after another and says `NAME: reconfigured`; sysconfigdb(8): `-a`
(add a whole entry), `-m` (merge into an entry), `-r` (remove attributes that match), `-l`, each with
`-f FILE SUBSYSTEM`; stanzafile(4): the name and a colon in the first column, attributes after a TAB.
The kernel's own bounds are documented nowhere that could be read; 1-65535 is taken.
Not imitated: every other subsystem.
"""

import os

import store

TAB = "/etc/sysconfigtab"
DEFAULTS = {
    "ipport_userreserved": 5000, "ipport_userreserved_min": 1024, "tcbhashsize": 512,
}


def sysconfig(words):
    values = store.load(DEFAULTS)
    if words[:2] == ["-q", "inet"]:
        print("inet:")
        for name in words[2:] or values:
            shown = values.get(name)
            print(f"{name} = {shown}" if shown is not None else f"{name} = unknown attribute")
        return 0
    if words[:2] == ["-r", "inet"]:
        status = 0
        for word in words[2:]:
            name, _, text = word.partition("=")
            ok = name in values and text.isdigit() and 1 <= int(text) <= 65535
            if not ok or store.is_refused(name):
                print(f"{name}: unknown attribute" if name not in values else f"{name}: invalid value")
                status = 1
                continue
            values[name] = int(text)
            store.save(values)
            print(f"{name}: reconfigured")
        return status
    return store.fail("usage: sysconfig -q | -r subsystem [attribute ...]")


def stanzas(path):
    """Entry by entry, the attributes in their order."""
    found, entry = {}, None
    for line in open(path).read().splitlines() if os.path.exists(path) else []:
        if line.startswith("#") or not line.strip():
            continue
        if not line[0].isspace():
            entry = found.setdefault(line.rstrip(": "), {})
        elif entry is not None and line.startswith("\t") and "=" in line:
            name, _, value = line.partition("=")
            entry[name.strip()] = value.strip()
    return found


def write(found):
    with open(TAB, "w") as file:
        for name, attributes in found.items():
            file.write(f"{name}:\n")
            file.writelines(f"\t{key} = {value}\n" for key, value in attributes.items())
            file.write("\n")


def sysconfigdb(words):
    found = stanzas(TAB)
    flag = words[0]
    if flag == "-l":
        for name in words[1:] or found:
            if name not in found:
                return store.fail(f"sysconfigdb: entry '{name}' not found")
            print(f"{name}:")
            for key, value in found[name].items():
                print(f"\t{key} = {value}")
        return 0
    if len(words) != 4 or words[1] != "-f":
        return store.fail("usage: sysconfigdb { -a | -m | -r } -f file subsystem")
    path, name = words[2:]
    given = stanzas(path).get(name)
    if given is None:
        return store.fail(f"sysconfigdb: no entry '{name}' in {path}")
    if flag == "-a":
        if name in found:
            return store.fail(f"sysconfigdb: entry '{name}' already exists")
        found[name] = given
    elif flag == "-m":
        found.setdefault(name, {}).update(given)
    elif flag == "-r":
        entry = found.get(name, {})
        for key, value in given.items():
            if entry.get(key) == value:
                del entry[key]
        if not entry:
            found.pop(name, None)
    else:
        return store.fail("sysconfigdb: unknown option")
    write(found)
    return 0


def boot():
    values = dict(DEFAULTS)
    for key, value in stanzas(TAB).get("inet", {}).items():
        if key in values and value.isdigit():
            values[key] = int(value)
    store.save(values)
