#!/bin/bash
# A commit to a qcow2. HERE, WORK and APPLIANCE as before; GRUBCFG: a menu that
# reads boot entries. WORK gets disk.qcow2.
set -euo pipefail
cd "$WORK"
size=$(du -sk repo | cut -f 1)
mke2fs -t ext4 -q -F -b 4096 -m 0 -I 256 -O ^has_journal,^resize_inode -d repo repo.img $((size * 12 / 10 + 32768))k
truncate -s 1G disk.raw
mkdir job
cp "$HERE/job.sh" job/
cp "$GRUBCFG" job/grub.cfg
tar -C job -cf job.tar .
disk() { echo "-drive file=$2,format=raw,if=none,id=$1,$3 -device virtio-blk-pci,drive=$1,serial=$1"; }
# shellcheck disable=SC2046 # the words of disk are words of qemu
qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -machine pc -nodefaults -no-user-config -display none \
	-no-reboot -nic none -kernel "$APPLIANCE/kernel" -initrd "$APPLIANCE/initrd" \
	-append "console=ttyS0 root=/dev/vda quiet loglevel=3 panic=-1 random.trust_cpu=on mitigations=off" -serial file:console.txt \
	$(disk root "$APPLIANCE/root" snapshot=on,cache=unsafe) $(disk job job.tar readonly=on) $(disk repo repo.img readonly=on) \
	$(disk target disk.raw cache=unsafe,discard=unmap,detect-zeroes=unmap) \
	-device virtio-serial-pci -chardev file,id=log,path=log.txt -device virtserialport,chardev=log,name=cosa.log
tail -n 1 log.txt | grep -qx 'exit 0' || { cat log.txt console.txt >&2; exit 1; }
qemu-img convert -f raw -O qcow2 disk.raw disk.qcow2
