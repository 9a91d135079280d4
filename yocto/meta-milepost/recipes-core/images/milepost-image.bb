SUMMARY = "A unit for a pole: read-only, without accounts to log in to, updated as a whole"
DESCRIPTION = "The appliance, what it needs, and nothing that listens or lets somebody in besides."
SECTION = "images"
LICENSE = "Apache-2.0"

inherit core-image features_check

REQUIRED_DISTRO_FEATURES = "systemd usrmerge"

IMAGE_FEATURES = "read-only-rootfs"
# Neither an editor nor a language comes along by itself.
NO_RECOMMENDATIONS = "1"
IMAGE_LINGUAS = ""

# A decoder for H.264 and H.265 where the distribution accepts its licence.
MILEPOST_DECODERS ??= ""
IMAGE_INSTALL = "\
    packagegroup-core-boot \
    ca-certificates \
    kernel-image \
    kernel-modules \
    milepost \
    milepost-system \
    tzdata-core \
    ${MILEPOST_DECODERS} \
    ${@bb.utils.contains('BBFILE_COLLECTIONS', 'rauc', 'milepost-update', '', d)} \
"

IMAGE_FSTYPES = "ext4 wic.zst wic.bmap"
WKS_FILE = "milepost-${MACHINE}.wks.in"
# Both slots are of this size, in KiB, so that any later system fits.
MILEPOST_SLOT_SIZE ?= "1048576"
IMAGE_ROOTFS_SIZE = "${MILEPOST_SLOT_SIZE}"
IMAGE_ROOTFS_EXTRA_SPACE = "0"
IMAGE_OVERHEAD_FACTOR = "1"

# No door: no getty on any console, no account with a password, no shell that a serial cable reaches.
SERIAL_CONSOLES = ""
SYSTEMD_DEFAULT_TARGET = "multi-user.target"
ROOTFS_POSTPROCESS_COMMAND += "milepost_shut_doors"
milepost_shut_doors[doc] = "Masks every getty, locks every password, takes root's shell away"
milepost_shut_doors() {
    for unit in getty@.service serial-getty@.service console-getty.service debug-shell.service emergency.service \
        rescue.service; do
        ln -sf /dev/null ${IMAGE_ROOTFS}${sysconfdir}/systemd/system/$unit
    done
    sed -i -e 's|^\([^:]*\):[^:]*:|\1:*:|' ${IMAGE_ROOTFS}${sysconfdir}/shadow
    sed -i -e 's|^\(root:.*:\)[^:]*$|\1${base_sbindir}/nologin|' ${IMAGE_ROOTFS}${sysconfdir}/passwd
}

# What must never leave the workshop stops the build.
IMAGE_QA_COMMANDS += "milepost_image_qa"
milepost_image_qa[doc] = "Stops the build where an account, a remote shell or a private key got into the image"
fakeroot python milepost_image_qa() {
    import pathlib
    root = pathlib.Path(d.getVar('IMAGE_ROOTFS'))
    faults = []
    for line in (root / 'etc/shadow').read_text().splitlines():
        name, password = line.split(':')[:2]
        if password not in ('*', '!', '!*', '*!'):
            faults.append('%s has a password or none at all' % name)
    for program in ('usr/sbin/sshd', 'usr/sbin/dropbear', 'usr/sbin/telnetd', 'usr/bin/gdb', 'usr/bin/strace'):
        if (root / program).exists():
            faults.append('%s is in the image' % program)
    for folder in ('etc', 'usr/share/milepost', 'var', 'home', 'root'):
        for file in (root / folder).rglob('*'):
            if file.is_file() and not file.is_symlink() and b'PRIVATE KEY-----' in file.read_bytes():
                faults.append('%s holds a private key' % file.relative_to(root))
    if faults:
        bb.fatal('; '.join(faults))
}
