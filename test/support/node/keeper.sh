#!/bin/sh
# Leaves nothing of a node on this machine: cleans, says `clean`, waits for the end of standard input, and cleans again.
# keeper.sh FOLDER BRIDGE CHAIN NETWORK CGROUP: where everything of the node is, and the names that it has in the kernel.
folder=$1 bridge=$2 chain=$3 network=$4 cgroup=$5

cgroups() { for root in "/sys/fs/cgroup/$cgroup" /sys/fs/cgroup/*/"$cgroup"; do [ -d "$root" ] && echo "$root"; done; }

# What runs in pods, and the node's own programs: known by their name and by the folder in their arguments.
processes() {
  for root in $(cgroups); do find "$root" -name cgroup.procs -exec cat {} + 2>/dev/null; done
  for process in /proc/[0-9]*; do
    case $(cat "$process/comm" 2>/dev/null) in
      containerd | containerd-shim* | kubelet | ctr | runc*) ;;
      *) continue ;;
    esac
    if tr '\0' '\n' <"$process/cmdline" 2>/dev/null | grep -qF "$folder/"; then echo "${process#/proc/}"; fi
  done
}

clean() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    pids=$(processes | sort -u)
    [ -n "$pids" ] || break
    kill -9 $pids
    sleep 0.2
  done
  # Sockets of containerd's shims are in a folder that cannot be chosen.
  find "$folder" -path '*/io.containerd.runtime.v2.task/*' -name address -exec sed 's|^unix://||' {} + -exec echo \; |
    xargs -r rm -f
  awk -v inside="$folder/" 'index($2, inside) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r -n 1 umount -l
  for root in $(cgroups); do find "$root" -depth -type d -exec rmdir {} +; done
  ip link del "$bridge"
  while iptables -D INPUT -j "$chain"; do :; done
  iptables -F "$chain"
  iptables -X "$chain"
  rm -f "/var/lib/cni/results/$network"-*
  find /var/log/containers -lname "$folder/*" -delete
  rm -rf --one-file-system "$folder"
}

# What the kubelet and the bridge set for the whole machine.
sysctls='kernel/keys/root_maxbytes kernel/keys/root_maxkeys kernel/panic kernel/panic_on_oops net/ipv4/ip_forward vm/overcommit_memory vm/panic_on_oom'
values=$(for name in $sysctls; do echo "$name=$(cat /proc/sys/$name)"; done)

clean 2>/dev/null
echo clean
cat >/dev/null
clean 2>/dev/null
for value in $values; do echo "${value#*=}" >"/proc/sys/${value%%=*}"; done 2>/dev/null
