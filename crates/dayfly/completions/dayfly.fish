# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_dayfly_global_optspecs
    string join \n netns= all-netns destination= protocol= top= probe nat watch= host= system= from= json color= h/help V/version
end

function __fish_dayfly_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_dayfly_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_dayfly_using_subcommand
    set -l cmd (__fish_dayfly_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c dayfly -n "__fish_dayfly_needs_command" -l netns -d 'Look at this network namespace instead of the current one: a name of `ip netns`, a process id, or a path' -r
complete -c dayfly -n "__fish_dayfly_needs_command" -l destination -d 'Show this destination only, even if nothing is connected to it: an address or a name, with a port or without, IPv6 addresses in brackets before a port' -r
complete -c dayfly -n "__fish_dayfly_needs_command" -l protocol -d 'Show these protocols only: tcp, udp, sctp, separated by commas' -r
complete -c dayfly -n "__fish_dayfly_needs_command" -l top -d 'Show the N fullest destinations. Without it the table fits the screen, and JSON has all' -r
complete -c dayfly -n "__fish_dayfly_needs_command" -l watch -d 'Look again every SECONDS, until interrupted. With --json, one line of JSON each time' -r
complete -c dayfly -n "__fish_dayfly_needs_command" -l host -d 'Show another host instead, of any operating system, through `ssh` and that host\'s own commands. Nothing is installed there' -r
complete -c dayfly -n "__fish_dayfly_needs_command" -l system -d 'Show the settings of a host with this operating system instead, by a name of `dayfly systems`, from what its own commands printed (--from)' -r
complete -c dayfly -n "__fish_dayfly_needs_command" -l from -d 'Read the output of that system\'s commands from this file, or from standard input (-)' -r
complete -c dayfly -n "__fish_dayfly_needs_command" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_needs_command" -l all-netns -d 'Look at every network namespace of the host'
complete -c dayfly -n "__fish_dayfly_needs_command" -l probe -d 'Ask the kernel itself about every port that the list of sockets leaves open. Sends no packet; needs CAP_NET_ADMIN'
complete -c dayfly -n "__fish_dayfly_needs_command" -l nat -d 'Show the outer addresses of NAT instead: for each destination how many ports connections that pass through this host have left. Needs CAP_NET_ADMIN'
complete -c dayfly -n "__fish_dayfly_needs_command" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_needs_command" -s V -l version -d 'Print version'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "show" -d 'Show how much room every destination has left (the default)'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "why" -d 'Say who holds a port, or why a destination cannot be reached any more'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "doctor" -d 'Say what is wrong, who did it and what to do; exit code 1 if anything is'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "systems" -d 'Print what every operating system starts with, and where it keeps a change'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "plan" -d 'Print the native steps that change a system\'s range, with checks and undo. Changes nothing'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "firewall" -d 'Check whether the firewall opens what is used'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "ftp" -d 'Explain what FTP says about ports, and check what its servers are told'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "set" -d 'Change the range that ports are handed out from, on this host'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "reserve" -d 'Keep ports from being handed out, besides those that already are'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "unreserve" -d 'Let ports be handed out again. All others stay reserved'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "undo" -d 'Take a change back, to the byte: the last one, or that of a number'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "keep" -d 'Make a change stay that was made for a while (`--for`)'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "history" -d 'List what dayfly changed, and how each change stands'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "identify" -d 'Say which strategy, range and system made the ports of a capture, and how sure that is'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "run" -d 'Run a command whose connections go out from the ports that you name'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "simulate" -d 'Simulate what would happen: any system, any load, and what becomes of its ports'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "size" -d 'Say how many ports, addresses and gateways a load needs; exit code 1 if it does not fit'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "man" -d 'Print the manual page, in roff'
complete -c dayfly -n "__fish_dayfly_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l netns -d 'Look at this network namespace instead of the current one: a name of `ip netns`, a process id, or a path' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l destination -d 'Show this destination only, even if nothing is connected to it: an address or a name, with a port or without, IPv6 addresses in brackets before a port' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l protocol -d 'Show these protocols only: tcp, udp, sctp, separated by commas' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l top -d 'Show the N fullest destinations. Without it the table fits the screen, and JSON has all' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l watch -d 'Look again every SECONDS, until interrupted. With --json, one line of JSON each time' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l host -d 'Show another host instead, of any operating system, through `ssh` and that host\'s own commands. Nothing is installed there' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l system -d 'Show the settings of a host with this operating system instead, by a name of `dayfly systems`, from what its own commands printed (--from)' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l from -d 'Read the output of that system\'s commands from this file, or from standard input (-)' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l all-netns -d 'Look at every network namespace of the host'
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l probe -d 'Ask the kernel itself about every port that the list of sockets leaves open. Sends no packet; needs CAP_NET_ADMIN'
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l nat -d 'Show the outer addresses of NAT instead: for each destination how many ports connections that pass through this host have left. Needs CAP_NET_ADMIN'
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand why" -l netns -d 'Look at this network namespace instead of the current one: a name of `ip netns`, a process id, or a path' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand why" -l protocol -d 'For a port: look at these protocols only, separated by commas. Without it tcp and udp' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand why" -l address -d 'For a port: the address that you want to bind. Without it all addresses, of IPv4 and IPv6' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand why" -l for -d 'For a destination: watch it so long, and say how fast ports come and go and when it turns slow and full' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand why" -l top -d 'Name N owners, and with --json N holders, at most. Without it the table names 5, JSON all' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand why" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand why" -l no-probe -d 'Do not ask the kernel\'s own port search, which needs CAP_NET_ADMIN and sends no packet'
complete -c dayfly -n "__fish_dayfly_using_subcommand why" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand why" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -l netns -d 'Look at this network namespace instead of the current one: a name of `ip netns`, a process id, or a path' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -l only -d 'Apply these rules only, by their codes, separated by commas' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -l ignore -d 'Leave these rules out, by their codes, separated by commas' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -l explain -d 'Print what this finding means, how to see it and what to do, and look at nothing' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -l fail-on -d 'The least severity that makes the exit code 1: info, warning or critical' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -l file -d 'Read the ports of this compose file, Kubernetes manifest or socket unit too' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -l for -d 'Count for so long how many connections are opened' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -l all-netns -d 'Look at every network namespace of the host'
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -l probe -d 'Ask the kernel itself about every port that the list of sockets leaves open. Sends no packet; needs CAP_NET_ADMIN'
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand systems" -l explain -d 'Print what holds for this system today, and what older documents say' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand systems" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand systems" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand systems" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l system -d 'Plan for this operating system, by a name of `dayfly systems`' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l host -d 'Plan for this host: its system and what is set there are asked from it, through `ssh`' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l protocol -d 'Change these protocols only, separated by commas, where the system tells them apart' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l class -d 'Which class of ranges to change, on the BSDs' -r -f -a "default\t'All that ask for nothing else'
high\t'Those that ask for IP_PORTRANGE_HIGH'
low\t'Privileged programs that ask for IP_PORTRANGE_LOW'"
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l reserve -d 'Keep these ports from being handed out, besides those that already are: 8080,9000-9010' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l unreserve -d 'Let these ports be handed out again, and leave the others reserved: 8080,9000-9010' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l current -d 'Read what is set from this file, or from standard input (-)' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l persist -d 'Change only what the next boot sets'
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l runtime -d 'Change only what is in force, until the next boot'
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l script -d 'Print a script for the system\'s own shell that applies, checks and undoes the plan'
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand plan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and not __fish_seen_subcommand_from check emit help" -s h -l help -d 'Print help'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and not __fish_seen_subcommand_from check emit help" -f -a "check" -d 'Say whether the open ports are those that are used, and who listens inside them'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and not __fish_seen_subcommand_from check emit help" -f -a "emit" -d 'Print rules that open what is used, in the words of any firewall. Changes nothing'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and not __fish_seen_subcommand_from check emit help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l netns -d 'Look at this network namespace instead of the current one: a name of `ip netns`, a process id, or a path' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l host -d 'Check another host instead, of any operating system, through `ssh` and that host\'s own commands. Nothing is installed there. Rules that it does not tell make the answer unknown' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l from -d 'Read the rules from this file, or from standard input (-), instead of this host' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l format -d 'What the file is, where that is not to be seen: nft, iptables, ip6tables, firewalld, ufw, pf, ipfw, netsh, powershell, aws' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l range -d 'The range of automatic ports behind those rules, such as 49152-65535. Without it that of this host, or the default of a system that has such a firewall' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l passive -d 'The ports that an FTP server here opens for passive transfers. Without it those that the running servers are configured with, or else the range' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l peer -d 'Ask about this other host. Without it about any' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l interface -d 'Ask about packets of this interface. Without it about the only one, or any' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l flow -d 'Ask about these flows only, separated by commas: ftp-active, ftp-passive, ftps-active, ftps-passive, ftp-passive-server, ftps-passive-server, tftp, ephemeral-in' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l all-netns -d 'Look at every network namespace of the host'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from emit" -l for -d 'Whose words to use' -r -f -a "nft\t'nftables'
iptables\t'iptables'
firewalld\t'firewalld'
ufw\t'ufw'
pf\t'pf of the BSDs and macOS'
ipfw\t'ipfw of FreeBSD'
windows\t'Windows Defender Firewall'
aws\t'Security groups and network ACLs of AWS'"
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from emit" -l range -d 'The ports to open, such as 40000-40100. Without it the range of this host' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from emit" -l protocol -d 'Without a service: open the ports for these protocols, separated by commas. Else for tcp and udp' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from emit" -l chain -d 'The chain of nft or iptables that the rules go in front of. Without it `inet filter input` or `INPUT`' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from emit" -l ftp-active -d 'Let servers connect back to this FTP client'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from emit" -l ftp-passive -d 'Let clients of this FTP server connect to it and to its passive ports (--range)'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from emit" -l tftp -d 'Let the answers of TFTP servers in'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from emit" -l from-port-20 -d 'With --ftp-active: only from port 20. Not every server sends from there'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from emit" -l helper -d 'Instead of a range: let connection tracking read the ports. Not for FTP over TLS'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from emit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "check" -d 'Say whether the open ports are those that are used, and who listens inside them'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "emit" -d 'Print rules that open what is used, in the words of any firewall. Changes nothing'
complete -c dayfly -n "__fish_dayfly_using_subcommand firewall; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and not __fish_seen_subcommand_from explain check help" -s h -l help -d 'Print help'
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and not __fish_seen_subcommand_from explain check help" -f -a "explain" -d 'Say which side connects to which port for each transfer of a session'
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and not __fish_seen_subcommand_from explain check help" -f -a "check" -d 'Hold the configuration of FTP servers against this host; exit code 1 if anything is wrong'
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and not __fish_seen_subcommand_from explain check help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from explain" -l side -d 'Which end is behind the firewall. Without it whichever end is this host' -r -f -a "client\t'Who asks for files'
server\t'Who has them'"
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from explain" -l from -d 'Take the firewall\'s rules from this file instead of this host, in any form that `dayfly firewall check` reads; the client is behind it unless --side says otherwise' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from explain" -l netns -d 'Ask the firewall of this network namespace instead of the current one: a name of `ip netns`, a process id, or a path' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from explain" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from explain" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from check" -l clients -d 'Ask whether the ports are enough for N transfers at a time, instead of the server\'s own limit' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from check" -l netns -d 'Look at this network namespace instead of the current one: a name of `ip netns`, a process id, or a path' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from check" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from check" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from help" -f -a "explain" -d 'Say which side connects to which port for each transfer of a session'
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from help" -f -a "check" -d 'Hold the configuration of FTP servers against this host; exit code 1 if anything is wrong'
complete -c dayfly -n "__fish_dayfly_using_subcommand ftp; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l unprivileged-start -d 'Also let every user bind the ports from PORT on (net.ipv4.ip_unprivileged_port_start), below which no range can begin' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l class -d 'Which class of ranges to change, on the BSDs' -r -f -a "default\t'All that ask for nothing else'
high\t'Those that ask for IP_PORTRANGE_HIGH'
low\t'Privileged programs that ask for IP_PORTRANGE_LOW'"
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l protocol -d 'Change these protocols only, separated by commas, where the system tells them apart' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l netns -d 'Change this network namespace instead of the current one: a name of `ip netns`, a process id, or a path' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l host -d 'Change another host instead, of any operating system, through `ssh` and that system\'s own commands. Nothing is installed there' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l for -d 'Take it back after this time, unless `dayfly keep` is said before: 60s, 5m, 1h. What the next boot sets changes with `dayfly keep`, so that a reset takes it back as well' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l state -d 'Keep the journals of changes in this folder. Without it in /var/lib/dayfly, and for others than root in $XDG_STATE_HOME/dayfly' -r -F
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l persist -d 'Change only what the next boot sets'
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l runtime -d 'Change only what is in force, until the next boot'
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -s y -l yes -d 'Do it without asking'
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l dry-run -d 'Show what would be done, and do nothing. The default where nobody can be asked'
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l force -d 'Do it although a service or the outgoing connections may be cut off'
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand set" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -l protocol -d 'Change these protocols only, separated by commas, where the system tells them apart' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -l netns -d 'Change this network namespace instead of the current one: a name of `ip netns`, a process id, or a path' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -l host -d 'Change another host instead, of any operating system, through `ssh` and that system\'s own commands. Nothing is installed there' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -l for -d 'Take it back after this time, unless `dayfly keep` is said before: 60s, 5m, 1h. What the next boot sets changes with `dayfly keep`, so that a reset takes it back as well' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -l state -d 'Keep the journals of changes in this folder. Without it in /var/lib/dayfly, and for others than root in $XDG_STATE_HOME/dayfly' -r -F
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -l persist -d 'Change only what the next boot sets'
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -l runtime -d 'Change only what is in force, until the next boot'
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -s y -l yes -d 'Do it without asking'
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -l dry-run -d 'Show what would be done, and do nothing. The default where nobody can be asked'
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -l force -d 'Do it although a service or the outgoing connections may be cut off'
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand reserve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -l protocol -d 'Change these protocols only, separated by commas, where the system tells them apart' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -l netns -d 'Change this network namespace instead of the current one: a name of `ip netns`, a process id, or a path' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -l host -d 'Change another host instead, of any operating system, through `ssh` and that system\'s own commands. Nothing is installed there' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -l for -d 'Take it back after this time, unless `dayfly keep` is said before: 60s, 5m, 1h. What the next boot sets changes with `dayfly keep`, so that a reset takes it back as well' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -l state -d 'Keep the journals of changes in this folder. Without it in /var/lib/dayfly, and for others than root in $XDG_STATE_HOME/dayfly' -r -F
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -l persist -d 'Change only what the next boot sets'
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -l runtime -d 'Change only what is in force, until the next boot'
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -s y -l yes -d 'Do it without asking'
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -l dry-run -d 'Show what would be done, and do nothing. The default where nobody can be asked'
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -l force -d 'Do it although a service or the outgoing connections may be cut off'
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand unreserve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand undo" -l state -d 'Keep the journals of changes in this folder. Without it in /var/lib/dayfly, and for others than root in $XDG_STATE_HOME/dayfly' -r -F
complete -c dayfly -n "__fish_dayfly_using_subcommand undo" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand undo" -s y -l yes -d 'Do it without asking'
complete -c dayfly -n "__fish_dayfly_using_subcommand undo" -l dry-run -d 'Show what would be done, and do nothing. The default where nobody can be asked'
complete -c dayfly -n "__fish_dayfly_using_subcommand undo" -l force -d 'Put back what was there before, although somebody else has changed it since'
complete -c dayfly -n "__fish_dayfly_using_subcommand undo" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand undo" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand keep" -l state -d 'Keep the journals of changes in this folder. Without it in /var/lib/dayfly, and for others than root in $XDG_STATE_HOME/dayfly' -r -F
complete -c dayfly -n "__fish_dayfly_using_subcommand keep" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand keep" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand keep" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand history" -l state -d 'Keep the journals of changes in this folder. Without it in /var/lib/dayfly, and for others than root in $XDG_STATE_HOME/dayfly' -r -F
complete -c dayfly -n "__fish_dayfly_using_subcommand history" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand history" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand identify" -l host -d 'Say something about this host only' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand identify" -l protocol -d 'Look at these protocols only: tcp, udp, sctp, separated by commas' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand identify" -l top -d 'Say something about the N hosts with the most connections. Without it the text has 5, and JSON all' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand identify" -l samples -d 'Stop reading after so many new connections: for captures that go on' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand identify" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand identify" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand identify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l port -d 'Connections go out from this port. One port is enough for one connection to each destination at a time, and again at once after it is over' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l range -d 'Connections go out from these ports, such as 50000-50100, those left out that the system reserves (net.ipv4.ip_local_reserved_ports)' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l port-set -d 'Connections go out from these ports, such as 4000,4002,5000-5009' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l address -d 'Connections go out from this address of the host' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l destination -d 'Only connections to this destination, with this port or any; may be given several times. A name is looked up once, before the command starts' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l via -d 'How: bpf is the faster way and needs root and cgroup2; seccomp works for everybody' -r -f -a "auto\t'The best way that works here'
seccomp\t'Stop each call, bind, let it go on'
bpf\t'A program in the kernel, on a cgroup'"
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l report -d 'Say which connection got which port: at the end, on standard error or into FILE' -r -F
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l udp -d 'UDP too. It takes from a resolver the randomness of its source ports'
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l offer -d 'What the command binds to any port (port 0) gets one of the ports as well, TCP and UDP: for FTP, RTP and WebRTC behind a firewall that opens just these'
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l whole-range -d 'Every TCP socket may have every port of the system\'s range at once: past half full, connect() is many times as fast'
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l strict -d 'A connection that can have none of the ports fails. Without it, it goes out from another port, and a message says why'
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l json -d 'With --report: one line of JSON for each connection, as it is made; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -l quiet -d 'Print no message about connections that could not have one of the ports'
complete -c dayfly -n "__fish_dayfly_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l system -d 'Simulate a common case on this system or stack, without a file' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l workload -d 'What happens there: connections, http, keep-alive, ftp-active, ftp-passive, dns, sctp, exhaust or predict' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l rate -d 'How often it happens, a second' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l lasts -d 'How long a connection, request or file takes, such as 250ms' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l range -d 'What ports are handed out from, instead of the system\'s range' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l destinations -d 'How many destinations there are' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l time-wait -d 'How long TIME_WAIT lasts, instead of what the system does' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l for -d 'Simulate so much time, such as 10min' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l seed -d 'Start the random numbers here. The same seed gives the same outcome' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l picture -d 'Write the pictures as SVG files into this folder' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l list -d 'List the scenarios that are shipped'
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l print -d 'Print the scenario itself and simulate nothing'
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l plot -d 'Draw how soon ports come back and which were used, too'
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l target -d 'Connections opened each second, all together. Without it: what the ports carry' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l duration -d 'Seconds that a connection is open. Without it 0: what comes after it decides' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l hold -d 'Seconds that its port is kept afterwards. Without it TIME_WAIT of the system, or what the translator waits' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l destinations -d 'Destinations, address and port, that the connections spread over evenly' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l addresses -d 'Source addresses that there are' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l ports -d 'Ports of each address: a range, or how many' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l utilisation -d 'How much of the ports may be in use on average: 80, 80% or 0.8' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l quantile -d 'In how many of a hundred moments the ports must suffice, the busiest ones included' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l system -d 'The range and TIME_WAIT of this operating system, by a name of `dayfly systems`; linux if nothing else is said' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l behind -d 'The ports of a translator instead' -r -f -a "azure\t'Azure NAT Gateway'
azure-lb\t'Azure Load Balancer with outbound rules'
aws\t'AWS NAT Gateway'
gcp\t'Google Cloud NAT'
netfilter\t'Linux masquerade or SNAT'
cgn\t'Carrier-grade NAT with a block for each subscriber'"
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l instances -d 'Instances or virtual machines that share a translator\'s ports' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l subscribers -d 'Subscribers of a carrier-grade NAT' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l block -d 'Ports that each subscriber gets. Without it all ports are divided among them' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l from-now -d 'Measure the load of this host for so long, 10 seconds unless told: rate, time and ports of the destination that is opened most often. What is typed besides replaces what was measured' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l netns -d 'Measure in this network namespace: a name of `ip netns`, a process id, or a path' -r
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l color -d 'When to use colour. NO_COLOR is respected' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Also into a pipe'
never\t'Not at all'"
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -l json -d 'Print JSON; docs/json.md explains every name'
complete -c dayfly -n "__fish_dayfly_using_subcommand size" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dayfly -n "__fish_dayfly_using_subcommand completions" -s h -l help -d 'Print help'
complete -c dayfly -n "__fish_dayfly_using_subcommand man" -s h -l help -d 'Print help'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "show" -d 'Show how much room every destination has left (the default)'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "why" -d 'Say who holds a port, or why a destination cannot be reached any more'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "doctor" -d 'Say what is wrong, who did it and what to do; exit code 1 if anything is'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "systems" -d 'Print what every operating system starts with, and where it keeps a change'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "plan" -d 'Print the native steps that change a system\'s range, with checks and undo. Changes nothing'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "firewall" -d 'Check whether the firewall opens what is used'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "ftp" -d 'Explain what FTP says about ports, and check what its servers are told'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "set" -d 'Change the range that ports are handed out from, on this host'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "reserve" -d 'Keep ports from being handed out, besides those that already are'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "unreserve" -d 'Let ports be handed out again. All others stay reserved'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "undo" -d 'Take a change back, to the byte: the last one, or that of a number'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "keep" -d 'Make a change stay that was made for a while (`--for`)'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "history" -d 'List what dayfly changed, and how each change stands'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "identify" -d 'Say which strategy, range and system made the ports of a capture, and how sure that is'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "run" -d 'Run a command whose connections go out from the ports that you name'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "simulate" -d 'Simulate what would happen: any system, any load, and what becomes of its ports'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "size" -d 'Say how many ports, addresses and gateways a load needs; exit code 1 if it does not fit'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "completions" -d 'Print a completion script for a shell'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "man" -d 'Print the manual page, in roff'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and not __fish_seen_subcommand_from show why doctor systems plan firewall ftp set reserve unreserve undo keep history identify run simulate size completions man help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "check" -d 'Say whether the open ports are those that are used, and who listens inside them'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and __fish_seen_subcommand_from firewall" -f -a "emit" -d 'Print rules that open what is used, in the words of any firewall. Changes nothing'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and __fish_seen_subcommand_from ftp" -f -a "explain" -d 'Say which side connects to which port for each transfer of a session'
complete -c dayfly -n "__fish_dayfly_using_subcommand help; and __fish_seen_subcommand_from ftp" -f -a "check" -d 'Hold the configuration of FTP servers against this host; exit code 1 if anything is wrong'
