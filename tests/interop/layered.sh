#!/usr/bin/env bash
# Runs a command as root in a view of this machine over which a Debian package is unpacked, for servers that cannot be
# installed beside others. What is written there is gone with the command; the folder of the case is shared.
#
#   layered.sh UNPACKED_PACKAGE FOLDER COMMAND...    called by `layered` in lib.sh, in namespaces of its own
set -euo pipefail
package=$1 folder=$2
shift 2
layer=$folder/.layer
mkdir -p "$layer"
# Layers must not contain each other, so all but the lowest are in memory.
mount -t tmpfs layer "$layer"
mkdir "$layer/package" "$layer/upper" "$layer/work" "$layer/root"
cp -a "$package/." "$layer/package"
# Where /lib and the like are links, a folder of that name would hide them.
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
