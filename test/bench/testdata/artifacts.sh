#!/bin/bash
# All platforms' images of a build as cosa's buildextend commands make them: each a
# copy of the qemu image whose boot entry libguestfs edits in a virtual machine of its
# own, converted then by qemu-img. QEMU: the qemu image; OUT: where they go;
# argument: warm, views or coded.
set -euo pipefail
export LIBGUESTFS_BACKEND=direct LIBGUESTFS_BACKEND_SETTINGS=force_tcg
cd "$OUT"

# copy: the qemu image as platform $1's, at tmp.qcow2.
copy() {
	cp --reflink=auto --sparse=always "$QEMU" tmp.qcow2
	guestfish -a tmp.qcow2 >/dev/null <<-FISH
		run
		mount /dev/sda3 /
		glob download /loader/entries/ostree-1*.conf entry
		! sed -i 's/ignition.platform.id=qemu/ignition.platform.id=$1/' entry
		glob upload entry /loader/entries/ostree-1*.conf
		umount /
		e2fsck /dev/sda3 forceall:true
	FISH
}

# convert: platform $1's image $2 in qemu-img's format $3, with options.
convert() {
	copy "$1"
	[ "$1" != ibmcloud ] || qemu-img resize -q tmp.qcow2 100G
	qemu-img convert -f qcow2 -O "$3" "${@:4}" tmp.qcow2 "$2"
}

# ova: tmp.vmdk with a description, which is as long as a real one.
ova() {
	head -c 8192 /dev/zero | tr '\0' ' ' >coreos.ovf
	mv tmp.vmdk disk.vmdk
	tar --owner=0 --group=0 --format=ustar -cf "$1" coreos.ovf disk.vmdk
}

vmdk=subformat=streamOptimized
case $1 in
warm) copy qemu ;;
views) # what cosafs computes as it is read
	for p in aliyun exoscale ibmcloud openstack oraclecloud proxmoxve; do convert $p $p.qcow2 qcow2; done
	for p in applehv hetzner vultr; do convert $p $p.raw raw; done
	for p in azure azurestack; do convert $p $p.vhd vpc -o subformat=fixed,force_size; done
	;;
coded)
	convert hyperv hyperv.vhdx vhdx
	convert nutanix nutanix.qcow2 qcow2 -c
	convert digitalocean do.qcow2 qcow2 && gzip -6 <do.qcow2 >digitalocean.qcow2.gz
	convert aws aws.vmdk vmdk -o adapter_type=lsilogic,$vmdk,compat6
	convert vmware tmp.vmdk vmdk -o adapter_type=lsilogic,$vmdk,compat6 && ova vmware.ova
	convert virtualbox tmp.vmdk vmdk -o $vmdk && ova virtualbox.ova
	convert gcp disk.raw raw && tar --owner=0 --group=0 -Sch --format=oldgnu disk.raw | gzip -6 >gcp.tar.gz
	mkdir disk && convert kubevirt disk/kubevirt.qcow2 qcow2 && tar -Sc disk | gzip -6 >kubevirt.ociarchive
	convert powervs powervs.raw raw && tar -Sc coreos.ovf powervs.raw | gzip -6 >powervs.ova.gz
	rm -r disk do.qcow2 disk.vmdk disk.raw powervs.raw coreos.ovf
	;;
esac
rm tmp.qcow2 entry
