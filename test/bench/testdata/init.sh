#!/bin/bash
# The init of the virtual machine: unpacks the disk named job and runs its job.sh.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root
for m in proc:/proc sysfs:/sys devtmpfs:/dev tmpfs:/run tmpfs:/tmp; do
	mount -t "${m%:*}" "${m%:*}" "${m#*:}" 2>/dev/null # supermin's initrd has some
done
modprobe -a virtio_console
for p in /sys/class/virtio-ports/*; do
	read -r name <"$p/name" && [ "$name" = cosa.log ] && exec >"/dev/${p##*/}" 2>&1
done
disk() { # the device of the disk with the serial
	local s serial
	for s in /sys/block/vd*/serial; do
		read -r serial <"$s" || true # it ends without a newline
		[ "$serial" != "$1" ] || { s=${s%/serial}; REPLY=/dev/${s##*/}; }
	done
}
mkdir /tmp/job
disk job
tar -xf "$REPLY" -C /tmp/job
(. /tmp/job/job.sh)
echo "exit $?"
sync
echo b >/proc/sysrq-trigger
