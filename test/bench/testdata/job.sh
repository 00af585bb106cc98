# Writes the disk named target from the commit in the repository on the disk
# named repo. Sourced by init.sh.
set -eu
ref=tinyos/x86_64/main
disk repo; repo=$REPLY
disk target; disk=$REPLY
phase() { read -r up _ </proc/uptime; echo "phase $1 $up"; }

phase partition
sgdisk --disk-guid=00000000-0000-4000-a000-000000000001 \
	-n 1:0:+1M -c 1:BIOS-BOOT -t 1:21686148-6449-6E6F-744E-656564454649 \
	-n 2:0:+127M -c 2:EFI-SYSTEM -t 2:C12A7328-F81F-11D2-BA4B-00A0C93EC93B \
	-n 3:0:+384M -c 3:boot -t 3:0FC63DAF-8483-4772-8E79-3D69D8477DE4 \
	-n 4:0:0 -c 4:root -t 4:0FC63DAF-8483-4772-8E79-3D69D8477DE4 "$disk"
phase mkfs
modprobe -a vfat xfs
mkfs.fat -F 32 --invariant -n EFI-SYSTEM "${disk}2"
mke2fs -t ext4 -q -F -b 4096 -L boot -O ^orphan_file,^metadata_csum_seed "${disk}3"
mkfs.xfs -f -K -q -L root -m uuid=910678ff-f77e-4a7d-8d53-86f2ac47a823 "${disk}4"
phase mount
mkdir /tmp/repo /tmp/t /tmp/esp
mount -t ext4 -o ro "$repo" /tmp/repo
mount -t xfs "${disk}4" /tmp/t
mkdir /tmp/t/boot
mount -t ext4 "${disk}3" /tmp/t/boot
mount -t vfat "${disk}2" /tmp/esp
phase pull
ostree admin init-fs --modern /tmp/t
printf '\n[sysroot]\nbootloader=none\nreadonly=true\n' >>/tmp/t/ostree/repo/config
ostree admin os-init --sysroot=/tmp/t tinyos
ostree --repo=/tmp/t/ostree/repo pull-local --disable-fsync /tmp/repo $ref
phase deploy
ostree admin deploy --sysroot=/tmp/t --os=tinyos --karg-append=root=UUID=910678ff-f77e-4a7d-8d53-86f2ac47a823 \
	--karg-append=rw --karg-append=console=tty0 --karg-append=console=ttyS0 $ref
phase bootloader
cat >/tmp/early.cfg <<'END'
search --no-floppy --label boot --set root
set prefix=($root)/grub2
configfile ($root)/grub2/grub.cfg
END
mods="part_gpt ext2 fat search search_label normal configfile test true echo regexp minicmd ls cat reboot halt serial terminal relocator boot video mmap"
mkdir -p /tmp/esp/EFI/BOOT /tmp/t/boot/grub2/{i386-pc,x86_64-efi}
cp /tmp/job/grub.cfg /tmp/t/boot/grub2/
grub-mkimage -O x86_64-efi -d /usr/lib/grub/x86_64-efi -p /grub2 -c /tmp/early.cfg -o /tmp/esp/EFI/BOOT/BOOTX64.EFI $mods
grub-mkimage -O i386-pc -d /usr/lib/grub/i386-pc -p /grub2 -c /tmp/early.cfg -o /tmp/core.img $mods biosdisk verifiers vbe
cp /usr/lib/grub/x86_64-efi/linux.mod /tmp/t/boot/grub2/x86_64-efi/
cp /usr/lib/grub/i386-pc/linux.mod /tmp/t/boot/grub2/i386-pc/
le64() { local i; for i in 0 8 16 24 32 40 48 56; do printf "\\x$(printf %x $(($1 >> i & 255)))"; done; }
patch() { dd of="$1" bs=1 seek=$(($2)) conv=notrunc status=none; } # stdin over the file at an offset
read -r start <"/sys/block/${disk##*/}/${disk##*/}1/start"
cp /usr/lib/grub/i386-pc/boot.img /tmp/boot.img
le64 "$start" | patch /tmp/boot.img 0x5c
printf '\x90\x90' | patch /tmp/boot.img 0x66
le64 $((start + 1)) | patch /tmp/core.img 0x1f4
dd if=/tmp/boot.img of="$disk" bs=440 count=1 conv=notrunc status=none
dd if=/tmp/core.img of="${disk}1" bs=64k status=none
phase finish
fstrim /tmp/t
fstrim /tmp/t/boot
umount /tmp/esp /tmp/t/boot /tmp/t
phase done
