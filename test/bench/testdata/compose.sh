#!/bin/bash
# Packages to an OSTree commit. CONFIG: manifest, overlay and the repository's
# definition; WORK: an empty directory, which gets repo/.
set -euo pipefail
export SOURCE_DATE_EPOCH=1735689600
root=$WORK/rootfs
mkdir "$root" "$WORK"/{home,tmp,vars}
printf '%%_dbpath /usr/share/rpm\n%%_db_backend sqlite\n%%_pkgverify_level digest\n' >"$WORK/home/.rpmmacros"
HOME=$WORK/home /usr/bin/dnf -y -q --installroot="$root" --releasever=1 --setopt=reposdir="$CONFIG" \
	--setopt=cachedir="$WORK/cache" --setopt=logdir="$WORK/tmp" --setopt=persistdir="$WORK/tmp" \
	--setopt=varsdir="$WORK/vars" --setopt=pluginpath="$WORK/none" --setopt=install_weak_deps=0 --setopt=tsflags=nodocs \
	install tinyos-filesystem tinyos-busybox kernel

cd "$root"
cp -a "$CONFIG"/overlay.d/*/. .
mkdir -p usr/share/coreos-assembler usr/lib/sysimage usr/lib/rpm/macros.d usr/lib/tmpfiles.d
echo '{"size": 1, "rootfs": "xfs", "extra-kargs": ["console=tty0", "console=ttyS0"]}' >usr/share/coreos-assembler/image.json
echo '%_dbpath /usr/share/rpm' >usr/lib/rpm/macros.d/macros.rpm-ostree
sed -i '/^\(VERSION\|PRETTY_NAME\)=/s/1/1.0/' usr/lib/os-release
rm -rf usr/share/rpm/rpmdb.sqlite-{wal,shm} usr/share/rpm/.rpm.lock etc/dnf usr/lib/sysimage/rpm etc/{passwd,group}- etc/.pwd.lock
ln -s ../../share/rpm usr/lib/sysimage/rpm
: >etc/machine-id
rm -rf tmp ".$WORK" # dnf has its folders inside the root, too
find var -mindepth 1 -type d -printf 'd /%p %m root root - -\n' >usr/lib/tmpfiles.d/var.conf
rm -rf var/* boot dev proc run sys sysroot home root opt srv mnt media usr/local
mkdir boot dev proc run sys sysroot
mkdir -m 1777 tmp
for d in home opt srv mnt; do ln -s "var/$d" "$d"; done
ln -s var/roothome root
ln -s run/media media
ln -s ../var/usrlocal usr/local
ln -s sysroot/ostree ostree
mv etc usr/etc

ostree --repo="$WORK/repo" init --mode=bare-user
ostree --repo="$WORK/repo" commit --branch=tinyos/x86_64/main --tree=dir="$root" --no-xattrs --bootable \
	--timestamp=@$SOURCE_DATE_EPOCH --parent=none --add-metadata-string=version=1.0 >/dev/null
