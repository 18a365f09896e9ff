#!/usr/bin/env bash
# Runs a command as root in a copy-on-write view of this machine with an unpacked Debian package, for servers that cannot be
# installed beside others. Only the folder of the case is shared; all other changes are lost at the end.
#
#   layered.sh UNPACKED_PACKAGE FOLDER COMMAND...    called by `layered` in lib.sh, in new mount and PID namespaces
set -euo pipefail
package=$1 folder=$2
shift 2
layer=$folder/.layer
mkdir -p "$layer"
# Layers of overlayfs must not contain each other, so all but the lowest are in memory.
mount -t tmpfs layer "$layer"
mkdir "$layer/package" "$layer/upper" "$layer/work" "$layer/root"
cp -a "$package/." "$layer/package"
# Where /bin, /sbin and /lib are links, a folder of that name would hide the link.
for name in bin sbin lib; do
    [[ -L /$name && -d $layer/package/$name ]] || continue
    mkdir -p "$layer/package/usr/$name"
    cp -a "$layer/package/$name/." "$layer/package/usr/$name"
    rm -r "${layer:?}/package/$name"
done
mount -t overlay overlay -o "lowerdir=$layer/package:/,upperdir=$layer/upper,workdir=$layer/work" "$layer/root"
mount --rbind /dev "$layer/root/dev"
mount -t proc proc "$layer/root/proc"
mount --bind "$folder" "$layer/root$folder"
exec chroot "$layer/root" "$@"
