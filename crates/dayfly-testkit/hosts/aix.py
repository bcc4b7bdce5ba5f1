"""no of AIX, and /etc/tunables/nextboot.

What is imitated, and from where: no(1) of AIX 7.3: -a, -o NAME, -o NAME=VALUE, -d NAME, with -p
(now and at the next boot) and -r (the next boot only; with -o NAME alone it shows that value); no
blank next to the equals sign; the output of `no -a`, right-aligned names; the stanza of
/etc/tunables/nextboot as tunchange writes it. The kernel's hooks tcp_ephemeral_low_change and
..._high_change are taken to refuse crossed ends, which no document says.
Not imitated: restricted tunables, -L, -F, -K.
"""

import os
import re

import store

NEXTBOOT = "/etc/tunables/nextboot"
DEFAULTS = {
    "arpqsize": "1024",
    "delayackports": "{}",
    "ie5_old_multicast_mapping": "0",
    "net_malloc_frag_mask": "{512:2048}",
    "tcp_ephemeral_high": "65535",
    "tcp_ephemeral_low": "32768",
    "udp_ephemeral_high": "65535",
    "udp_ephemeral_low": "32768",
}


def next_boot():
    text = open(NEXTBOOT).read() if os.path.exists(NEXTBOOT) else ""
    return dict(re.findall(r'^\s+(\w+) = "(.*)"$', text, re.M))


def write_next_boot(values):
    os.makedirs(os.path.dirname(NEXTBOOT), exist_ok=True)
    with open(NEXTBOOT, "w") as file:
        file.write("\nno:\n")
        file.writelines(f'\t{name} = "{value}"\n' for name, value in values.items())


def refusal(values, name, value):
    if name not in DEFAULTS:
        return f"1485-107 no: {name} is not a known tunable."
    if name.endswith(("_low", "_high")):
        if not value.isdigit() or not 1 <= int(value) <= 65535:
            return f"1485-105 no: Invalid value {value} for tunable {name}."
        after = {**values, name: value}
        kind = name.rsplit("_", 1)[0]
        if int(after[kind + "_low"]) > int(after[kind + "_high"]) or store.is_refused(name):
            return f"1485-101 no: Setting {name} to {value} failed: Invalid argument"
    return None


def no(words):
    now, boot_, show_all, changes = True, False, False, []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "-p":
            boot_ = True
        elif word == "-r":
            now, boot_ = False, True
        elif word == "-a":
            show_all = True
        elif word in ("-o", "-d") and rest:
            changes.append((word, rest.pop(0)))
        else:
            return store.fail("usage: no [-p|-r] { -o tunable[=value] | -d tunable | -a }")
    values, after_boot = store.load(DEFAULTS), next_boot()
    if show_all:
        width = max(map(len, values))
        print()
        for name in values:
            print(f"{name:>{width}} = {values[name]}")
        return 0
    for flag, word in changes:
        name, equals, value = word.partition("=")
        if name not in DEFAULTS:
            return store.fail(refusal(values, name, value))
        if flag == "-o" and not equals:
            shown = after_boot.get(name, DEFAULTS[name]) if boot_ and not now else values[name]
            print(f"{name} = {shown}")
            continue
        if flag == "-d":
            value = DEFAULTS[name]
        reason = refusal(values if now else {**DEFAULTS, **after_boot}, name, value)
        if reason:
            return store.fail(reason)
        if now:
            values[name] = value
            store.save(values)
            print(f"Setting {name} to {value}")
        if boot_:
            after_boot.pop(name, None)
            if flag == "-o":
                after_boot[name] = value
            write_next_boot(after_boot)
            print(f"Setting {name} to {value} in nextboot file")
    return 0


def boot():
    store.save({**DEFAULTS, **next_boot()})
