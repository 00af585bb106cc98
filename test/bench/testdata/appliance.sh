#!/bin/bash
# The helper virtual machine. HERE: this directory; APPLIANCE: where it goes;
# KERNEL: a kernel of /boot whose modules are installed.
set -euo pipefail
tmp=$(mktemp -d "$APPLIANCE.XXXXXX")
export SUPERMIN_KERNEL=$KERNEL TMPDIR=$tmp
supermin --prepare --use-installed -o "$tmp/plan" \
	bash coreutils libc-bin grep sed findutils util-linux mount tar gzip zstd gdisk e2fsprogs xfsprogs dosfstools kmod \
	ostree grub-pc-bin grub-efi-amd64-bin grub-common
install -m 755 "$HERE/init.sh" "$tmp/init"
tar -C "$tmp" -czf "$tmp/plan/init.tar.gz" ./init
printf -- '-%s\n' '/usr/share/doc/*' '/usr/share/man/*' '/usr/share/locale/*' '/usr/share/info/*' >"$tmp/plan/excludefiles"
supermin --build --use-installed --format ext2 --size 1G "$tmp/plan" -o "$APPLIANCE"
rm -r "$tmp"
